"""Both replies are shown at one pace: they begin, advance and end together, and the timing reveals nothing."""

import random
import statistics
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.pace import FASTEST, HELD, KEPT_REPLIES, LAST_SECONDS, MARGIN, PATIENCE, STEP, Pace, Speeds

TICK = 0.05


@dataclass(frozen=True)
class Model:
    """A contestant: seconds to its first letter, letters per second, and the lengths that it writes."""

    first: float
    rate: float
    shortest: int
    longest: int


@dataclass(frozen=True)
class Shown:
    """What a stopwatch sees of one side: (seconds, letters) whenever there was more to see, and when it was whole."""

    length: int
    steps: list[tuple[float, int]]
    whole: float

    @property
    def first(self) -> float:
        return self.steps[0][0]

    @property
    def last_growth(self) -> float:
        return self.steps[-1][0]


def fight(models: tuple[Model, Model], speeds: Speeds, rng: random.Random) -> tuple[Shown, Shown]:
    """Simulate two models with varying speeds, and record what is shown of both."""
    lengths = [rng.randint(model.shortest, model.longest) for model in models]
    unrest = [rng.uniform(0.9, 1.1) for _ in models]
    firsts = [model.first * u for model, u in zip(models, unrest, strict=True)]
    rates = [model.rate / u for model, u in zip(models, unrest, strict=True)]
    pace = speeds.pace(("x", "y"))
    steps: list[list[tuple[float, int]]] = [[], []]
    now = 0.0
    while not pace.is_done:
        now += TICK
        written = {
            side: min(length, max(0, int((now - first) * rate)))
            for side, length, first, rate in zip("ab", lengths, firsts, rates, strict=True)
        }
        pace.advance(TICK, written, [side for side, n in zip("ab", lengths, strict=True) if written[side] == n])
        for i, side in enumerate("ab"):
            seen = lengths[i] if pace.is_done else pace.shown(side)
            if seen > (steps[i][-1][1] if steps[i] else 0):
                steps[i].append((now, seen))
    return tuple(Shown(n, s, now) for n, s in zip(lengths, steps, strict=True))  # type: ignore[return-value]


def battles(x: Model, y: Model, n: int, seed: int) -> list[tuple[bool, tuple[Shown, Shown]]]:
    """Return for n battles whether x stood on side a, and what was seen. Speeds know both from before."""
    rng, speeds = random.Random(seed), Speeds()
    for name, model in (("x", x), ("y", y)):
        for _ in range(KEPT_REPLIES):
            length = rng.randint(model.shortest, model.longest)
            speeds.learn(name, length, model.first + length / model.rate * rng.uniform(0.9, 1.1), model.first)
    sides = [rng.random() < 0.5 for _ in range(n)]
    return [(is_a, fight((x, y) if is_a else (y, x), speeds, rng)) for is_a in sides]


def gap_before_the_end(seen: tuple[Shown, Shown]) -> float:
    """Return the longest pause of the longer side, which would tell its speed after the shorter had ended."""
    longer = max(seen, key=lambda side: side.length)
    times = [t for t, _ in longer.steps]
    return max((b - a for a, b in pairwise(times)), default=0.0)


STOPWATCHES = {
    "first letters": lambda a, b: a.first - b.first,
    "last growth": lambda a, b: a.last_growth - b.last_growth,
    "whole": lambda a, b: a.whole - b.whole,
}


def letters_at_a_third(side: Shown, other: Shown) -> int:
    """Return how much is shown of a side when a third of the shorter one is."""
    third = min(side.length, other.length) / 3
    moment = next(t for t, n in side.steps if n >= third)
    return max(n for t, n in side.steps if t <= moment)


SIMILAR = Model(0.1, 300, 40, 300), Model(0.3, 200, 40, 300)
SLOW = Model(0.05, 900, 40, 300), Model(1.5, 30, 40, 300)
BRIEF_AND_FAST = Model(0.05, 900, 20, 40), Model(1.5, 40, 200, 400)
BRIEF_AND_SLOW = Model(1.5, 40, 20, 40), Model(0.05, 900, 200, 400)
QUICK_AND_BRIEF = Model(0.05, 900, 20, 40), Model(0.4, 300, 200, 400)
PAIRS = {
    "quick and brief": QUICK_AND_BRIEF,
    "similar": SIMILAR,
    "slow": SLOW,
    "brief and fast": BRIEF_AND_FAST,
    "brief and slow": BRIEF_AND_SLOW,
}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("stopwatch", STOPWATCHES)
def test_no_stopwatch_distinguishes_the_sides(pair: str, stopwatch: str) -> None:
    for _, (a, b) in battles(*PAIRS[pair], 100, 5):
        assert STOPWATCHES[stopwatch](a, b) == 0


@pytest.mark.parametrize("pair", ["slow", "brief and fast"])
def test_slow_models_are_shown_at_one_rate(pair: str) -> None:
    for _, (a, b) in battles(*PAIRS[pair], 100, 5):
        assert letters_at_a_third(a, b) == letters_at_a_third(b, a)


@pytest.mark.parametrize("pair", ["similar", "slow"])
def test_a_guess_from_all_times_and_both_lengths_is_no_better_than_chance(pair: str) -> None:
    """Who knows what each model's own pace would give still cannot say who wrote the longer reply."""
    x, y = PAIRS[pair]
    fought = battles(x, y, 100, 6)
    right = 0
    for is_x_a, seen in fought:
        longer = max(seen, key=lambda side: side.length)
        # The whole time and the longest pause, beside those of all battles: a slow writer of the longer reply is
        # guessed where showing took long for its length.
        slowness = longer.whole / longer.length + gap_before_the_end(seen)
        usual = statistics.median(
            max(s, key=lambda side: side.length).whole / max(s, key=lambda side: side.length).length
            + gap_before_the_end(s)
            for _, s in fought
        )
        is_y_longer = slowness > usual
        right += (seen.index(longer) == 0) == (is_x_a != is_y_longer)
    assert abs(right - 50) <= 15  # three standard deviations of a fair coin


@pytest.mark.parametrize("pair", ["similar", "quick and brief"])
def test_quick_models_are_shown_in_the_same_steps_whatever_their_lengths(pair: str) -> None:
    for _, (a, b) in battles(*PAIRS[pair], 100, 7):
        assert [t for t, _ in a.steps] == [t for t, _ in b.steps]
        assert 1 <= len(a.steps) <= max(1, min(a.length, b.length) // STEP) + 1


def test_without_a_common_pace_a_stopwatch_distinguishes_them() -> None:
    """Guards the tests above: the models do differ enough for a stopwatch on what they write."""
    x, y = SLOW
    assert x.first + x.longest / x.rate < y.first + y.shortest / y.rate


LENGTHS = st.integers(0, 200)


@given(LENGTHS, LENGTHS, st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60))
def test_whatever_the_speeds_both_sides_show_the_same_letters_and_never_fewer_than_before(
    a: int, b: int, bursts: list[tuple[int, int]]
) -> None:
    pace, written = Pace(FASTEST), {"a": 0, "b": 0}
    before = (0, 0)
    for more_a, more_b in [*bursts, *[(200, 200)] * 30]:
        written = {"a": min(a, written["a"] + more_a), "b": min(b, written["b"] + more_b)}
        pace.advance(TICK, written, [side for side, n in (("a", a), ("b", b)) if written[side] == n])
        shown = pace.shown("a"), pace.shown("b")
        assert shown >= before
        assert shown[0] <= written["a"]
        assert shown[1] <= written["b"]
        held = [max(min(1, n), n // 2, n - HELD) for n in (a, b)]
        # Apart only where the shorter one waits with its last letters.
        assert shown[0] == shown[1] or min(shown) == min(held)
        before = shown
    assert pace.is_done


def test_nobody_begins_before_the_other_can() -> None:
    pace = Pace(100.0)
    for _ in range(40):
        pace.advance(TICK, {"a": 500, "b": HELD}, [])
    assert pace.shown("a") == pace.shown("b") == 0
    pace.advance(TICK, {"a": 500, "b": HELD + 20}, [])
    assert pace.shown("a") == pace.shown("b") == 5


def test_two_whole_replies_are_not_shown_before_the_slower_model_would_have_been_done() -> None:
    pace = Pace(100.0, wait=1.0)
    whole = {"a": 40, "b": 200}
    for _ in range(19):
        pace.advance(TICK, whole, ["a", "b"])
    assert pace.shown("a") == pace.shown("b") == 0
    for _ in range(3):
        pace.advance(TICK, whole, ["a", "b"])
    assert pace.is_whole
    assert pace.shown("a") * 5 == pace.shown("b") > 0  # the same share of each


def test_replies_that_take_longer_than_usual_are_shown_while_they_are_written() -> None:
    pace, seconds = Pace(100.0, wait=1.0), 0.0
    while not pace.shown("a"):
        pace.advance(TICK, {"a": 100, "b": 500}, ["b"])
        seconds += TICK
    assert seconds == pytest.approx(PATIENCE + TICK, abs=2 * TICK)
    assert pace.shown("a") == pace.shown("b")


def test_slow_models_are_shown_from_the_beginning_and_quick_ones_when_they_are_done() -> None:
    speeds = Speeds()
    for _ in range(10):
        speeds.learn("quick", 200, 0.5, 0.1)
        speeds.learn("slower", 200, 1.5, 0.1)
        speeds.learn("slow", 200, 30.0, 0.1)
    assert speeds.pace(("quick", "slower")).wait == 1.5
    assert speeds.pace(("quick", "slow")).wait is None
    assert speeds.pace(("quick", "never seen")).wait == 0.5


def test_an_unpaced_battle_is_done_as_soon_as_both_are_written() -> None:
    pace = Pace(float("inf"))
    pace.advance(TICK, {"a": 500, "b": 3}, ["b"])
    assert not pace.is_done
    pace.advance(TICK, {"a": 500, "b": 3}, ["a", "b"])
    assert pace.is_done


def test_the_pace_is_the_slower_contestants_with_a_margin() -> None:
    speeds = Speeds()
    for _ in range(4):
        speeds.learn("quick", 300, 1.5, 0.5)  # 300 letters per second
        speeds.learn("slow", 100, 11.0, 1.0)  # 10 per second
    assert speeds.pace(("quick", "slow")).rate == pytest.approx(10 * MARGIN)
    assert speeds.pace(("quick",)).rate == pytest.approx(300 * MARGIN)
    assert speeds.pace(("quick", "never seen")).rate == pytest.approx(10 * MARGIN)


def test_a_pace_without_any_knowledge_and_that_of_a_very_fast_model_is_the_fastest() -> None:
    speeds = Speeds()
    assert speeds.pace(("x", "y")).rate == FASTEST
    speeds.learn("x", 10_000, 1.0, 0.5)
    assert speeds.pace(("x",)).rate == FASTEST


def test_one_slow_reply_among_many_does_not_slow_every_battle_down() -> None:
    speeds = Speeds()
    for seconds in [1.0] * 10 + [300.0]:
        speeds.learn("x", 100, seconds, 0.0)
    assert speeds.pace(("x",)).rate == pytest.approx(100 * MARGIN)


def test_what_is_written_whole_is_shown_within_half_a_minute_however_slow_the_pace() -> None:
    for lengths in ({"a": 4000, "b": 3000}, {"a": 960_000, "b": 10}):
        pace = Pace(3.0)
        seconds = 0.0
        while not pace.is_done:
            pace.advance(0.05, lengths, lengths)
            seconds += 0.05
            assert seconds < LAST_SECONDS + 1
        assert seconds > LAST_SECONDS - 1
