"""Contestants that fail are not drawn for a while, and the others go on without them."""

import asyncio
from collections import Counter

import pytest

from arena import fight as fight_module
from arena.backends.base import BackendError, PromptTooLong
from arena.battle import Battle, BattleError, State
from arena.bench import FIRST_PAUSE, LONGEST_PAUSE, Bench
from arena.guard.prompt_checks import PromptRefused
from arena.ledger.store import Store
from tests.arena.helpers.played import PlayedBackend, Signal, make_backends, settle
from tests.arena.helpers.stage import Stage, run

NAMES = ("alder", "birch", "cedar")
ERRORS = [BackendError("no weights"), RuntimeError("a bug"), OSError(), asyncio.CancelledError(), AssertionError("odd")]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fight_module, "LOOK_SECONDS", 0.002)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def three(store: Store, clock: Clock) -> Stage:
    """Return a stage of three contestants whose bench goes by a clock that is set by hand."""
    return Stage(store, NAMES, bench=Bench(clock))


def test_a_pause_doubles_with_every_failure_in_a_row_up_to_the_longest(clock: Clock) -> None:
    bench, pauses = Bench(clock), []
    for _ in range(9):
        bench.fail("alder", "no weights")
        [(_, pause)] = bench.absent().values()
        pauses.append(pause)
        clock.now += pause
    assert pauses == [FIRST_PAUSE * 2**n for n in range(6)] + [LONGEST_PAUSE] * 3


def test_one_that_fails_for_weeks_is_still_only_benched(clock: Clock) -> None:
    bench = Bench(clock)
    for _ in range(3000):
        bench.fail("alder", "no weights")
        clock.now += LONGEST_PAUSE
    bench.fail("alder", "no weights")
    assert bench.absent() == {"alder": (3001, LONGEST_PAUSE)}


def test_failures_on_the_bench_do_not_add_up(clock: Clock) -> None:
    bench = Bench(clock)
    for _ in range(5):  # as of five battles that ran at once
        bench.fail("alder", "no weights")
        clock.now += 1
    assert bench.absent() == {"alder": (1, FIRST_PAUSE - 5)}


def test_a_pause_ends_by_itself_and_a_success_clears_the_record(clock: Clock) -> None:
    bench = Bench(clock)
    bench.fail("alder", "no weights")
    assert bench.available(NAMES) == ["birch", "cedar"]
    clock.now += FIRST_PAUSE
    assert bench.available(NAMES) == list(NAMES)
    bench.succeed("alder")
    bench.fail("alder", "again")
    assert bench.absent() == {"alder": (1, FIRST_PAUSE)}


def test_each_contestant_has_a_record_of_its_own(clock: Clock) -> None:
    bench = Bench(clock)
    bench.fail("alder", "no weights")
    clock.now += FIRST_PAUSE
    bench.fail("alder", "no weights")
    bench.fail("birch", "no weights")
    bench.succeed("cedar")
    assert bench.absent() == {"alder": (2, 2 * FIRST_PAUSE), "birch": (1, FIRST_PAUSE)}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_one_that_cannot_be_asked_is_not_drawn_and_stops_nobody(three: Stage, error: BaseException) -> None:
    async def test() -> None:
        three.backends["cedar"].check_error = error  # type: ignore[assignment]
        for n in range(6):
            battle = await three.fight("ann", f"Why {n}?")
            assert battle.state is State.READY
            assert {battle.draw.a, battle.draw.b} == {"alder", "birch"}
            assert battle.draw.probability == 1.0
        assert set(three.service.bench.absent()) == {"cedar"}
        assert three.rows("SELECT DISTINCT probability FROM battles") == [(1.0,)]

    run(test())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_one_that_writes_no_reply_voids_one_battle_and_is_then_not_drawn(three: Stage, error: BaseException) -> None:
    async def test() -> None:
        three.script(error, name="cedar")  # type: ignore[arg-type]
        battles = [await three.fight(f"visitor {n}") for n in range(6)]
        assert Counter(battle.state for battle in battles) == {State.VOID: 1, State.READY: 5}
        [void] = [n for n, battle in enumerate(battles) if battle.state is State.VOID]
        assert "cedar" in (battles[void].draw.a, battles[void].draw.b)
        assert [round(b.draw.probability, 9) for b in battles] == [0.333333333] * (void + 1) + [1.0] * (5 - void)
        assert three.rows("SELECT count(DISTINCT probability) FROM battles") == [(2,)]

    class Raising(PlayedBackend):
        async def stream(self, request: object) -> object:  # type: ignore[override]
            yield "x"
            raise error

    three.backends["cedar"] = three.service._backends["cedar"] = Raising()  # type: ignore[index]
    run(test())


def test_one_that_cannot_be_loaded_is_benched_and_another_is_drawn(three: Stage) -> None:
    async def test() -> None:
        three.backends["cedar"].load_error = BackendError("no memory")
        for n in range(6):
            battle = await three.fight("ann", f"Why {n}?")
            assert battle.state is State.READY
            assert set(battle.draw.pair) == {"alder", "birch"}
        three.backends["birch"].load_error = BackendError("no memory")
        with pytest.raises(BattleError, match="No two models can answer"):
            await three.service.start("ann", "And why?")

    run(test())


def test_one_that_is_being_started_is_not_waited_for_while_two_others_are_ready(three: Stage) -> None:
    async def test() -> None:
        cedar = three.backends["cedar"]
        cedar.is_loading = True
        for n in range(6):
            assert "cedar" not in (await three.fight("ann", f"Why {n}?")).draw.pair
        three.backends["birch"].is_loading = True
        drawn = {name for n in range(20) for name in (await three.fight("ann", f"How {n}?")).draw.pair}
        assert drawn == set(NAMES)

    run(test())


def test_one_that_works_again_is_drawn_again_after_its_pause(three: Stage, clock: Clock) -> None:
    async def test() -> None:
        three.backends["cedar"].check_error = BackendError("no weights")
        await three.fight("ann", "Why?")
        await three.fight("ann", "And why?")
        three.backends["cedar"].check_error = None
        drawn = Counter[str]()
        for n in range(4):
            battle = await three.fight("ann", f"Why {n}?")
            drawn.update((battle.draw.a, battle.draw.b))
        assert drawn["cedar"] == 0
        clock.now += FIRST_PAUSE
        while "cedar" not in drawn:
            battle = await three.fight("ann", "How?")
            drawn.update((battle.draw.a, battle.draw.b))
            assert battle.draw.probability == pytest.approx(1 / 3)
        three.service.bench.fail("cedar", "again")
        assert three.service.bench.absent()["cedar"] == (1, FIRST_PAUSE)

    run(test())


def test_one_prompt_that_a_contestant_cannot_be_asked_takes_it_out_of_no_other_battle(three: Stage) -> None:
    cedar = three.backends["cedar"]

    async def test() -> None:
        drawn = set()
        for n in range(8):  # an attacker sends the same prompt again and again
            cedar.check_error = BackendError("its template fails")
            battle = await three.fight(f"attacker {n}", "Hoc est nomen")
            assert {battle.draw.a, battle.draw.b} == {"alder", "birch"}
        for n in range(20):
            cedar.check_error = None
            battle = await three.fight(f"visitor {n}", f"Why {n}?")
            drawn |= {battle.draw.a, battle.draw.b}
            cedar.check_error = BackendError("its template fails")
            await three.fight(f"attacker {n}", f"Hoc est nomen {n}")
        assert "cedar" in drawn
        assert three.service.bench.absent() == {}

    run(test())


def test_both_that_failed_at_once_sit_on_the_bench(store: Store) -> None:
    stage = Stage(store, seconds=0.05)

    async def test() -> None:
        stage.script("x", Signal())
        await stage.fight()
        assert set(stage.service.bench.absent()) == {"alder", "birch"}

    run(test())


def test_one_that_was_only_stopped_because_the_other_failed_is_not_blamed(store: Store) -> None:
    class Sulking(PlayedBackend):
        async def stream(self, request: object) -> object:  # type: ignore[override]
            self.started.set()
            try:
                yield "x"
                await Signal().wait()
            finally:
                raise BackendError("abandoned")

    async def test() -> None:
        backends = {"alder": Sulking(), "birch": PlayedBackend()}
        backends["birch"].steps = (backends["alder"].started, BackendError("broken"))
        stage = Stage(store, backends=backends)
        battle = await stage.fight()
        assert list(stage.service.bench.absent()) == ["birch"]
        assert stage.stored(battle) == ("void", "birch: broken")

    run(test())


def test_a_prompt_that_is_refused_benches_nobody(three: Stage) -> None:
    async def test() -> None:
        for error in (PromptTooLong(70), PromptRefused("'<eos>' is a control token")):
            three.backends["cedar"].check_error = error
            with pytest.raises(PromptRefused):
                await three.service.start("ann", "Why?")
        assert three.service.bench.absent() == {}

    run(test())


def test_the_room_of_one_on_the_bench_does_not_count(three: Stage) -> None:
    async def test() -> None:
        three.backends["cedar"].check_error = PromptTooLong(70)
        three.service.bench.fail("cedar", "no weights")
        assert (await three.fight()).state is State.READY

    run(test())


def test_with_fewer_than_two_left_no_battle_begins_until_one_is_back(three: Stage, clock: Clock) -> None:
    async def test() -> None:
        for name in ("birch", "cedar"):
            three.backends[name].check_error = BackendError("no weights")
        for _ in range(2):
            with pytest.raises(BattleError, match="No two models can answer") as refusal:
                await three.service.start("ann", "Why?")
            assert not any(name in str(refusal.value) for name in NAMES)
        assert three.rows("SELECT * FROM battles") == []
        assert three.taken_places == 0
        three.backends["cedar"].check_error = None
        clock.now += FIRST_PAUSE
        battle = await three.fight()
        assert {battle.draw.a, battle.draw.b} == {"alder", "cedar"}

    run(test())


def test_health_says_who_sits_on_the_bench(three: Stage, clock: Clock) -> None:
    async def test() -> None:
        fine = {"status": "ok", "ledger": "ok", "models": "loaded", "failed": [], "benched": {}}
        assert await three.service.health() == fine
        three.service.bench.fail("cedar", "no weights")
        clock.now += 5
        cedar = {"failures": 1, "seconds": 10}
        assert await three.service.health() == fine | {"benched": {"cedar": cedar}}
        three.service.bench.fail("birch", "no weights")
        found = await three.service.health()
        assert (found["status"], set(found["benched"])) == ("failing", {"birch", "cedar"})
        clock.now += FIRST_PAUSE
        assert await three.service.health() == fine
        three.backends["alder"].is_loading = True
        assert await three.service.health() == fine | {"models": "loading"}

    run(test())


async def fight_all(stage: Stage, n: int) -> list[Battle]:
    battles = await asyncio.gather(*(stage.service.start(f"visitor {i}", "Why?") for i in range(n)))
    await settle()
    return battles


def test_one_broken_of_many_costs_one_round_of_battles_whatever_number_runs_at_once(store: Store) -> None:
    names = ("alder", "birch", "cedar", "elm")
    stage = Stage(store, names, backends=make_backends(names))

    async def test() -> None:
        stage.script(BackendError("no weights"), name="elm")
        first = await fight_all(stage, 24)
        again = await fight_all(stage, 24)
        assert State.VOID in {battle.state for battle in first}
        assert {battle.state for battle in again} == {State.READY}
        assert stage.service.bench.absent()["elm"][0] == 1

    run(test())


def test_health_says_who_cannot_be_loaded_before_anybody_asks(three: Stage) -> None:
    async def test() -> None:
        three.backends["cedar"].failure = "no weights"
        assert (await three.service.health())["failed"] == ["cedar"]
        assert (await three.service.health())["status"] == "ok"
        three.backends["birch"].failure = "no weights"
        assert (await three.service.health())["status"] == "failing"

    run(test())
