"""How often one visitor and one network address may start battles."""

import contextlib
import threading
import time
from collections.abc import Callable

import pytest

from arena.guard.limits import SWEEP_SECONDS, Limits, TooMany, network

HOME, OFFICE = "203.0.113.7", "198.51.100.9"
Pass = Callable[[float], None]


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Pass:
    """Return a function that lets time pass at once; the clock stands still otherwise."""
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])

    def let_pass(seconds: float) -> None:
        now[0] += seconds

    return let_pass


def count_taken(limits: Limits, visitor: str, address: str, tries: int = 50) -> int:
    """Return how many battles could be started in a row."""
    taken = 0
    with contextlib.suppress(TooMany):
        for _ in range(tries):
            limits.take(visitor, address)
            taken += 1
    return taken


def test_a_visitor_starts_as_many_battles_as_the_limit_says_and_more_when_the_window_has_moved_on(wait: Pass) -> None:
    limits = Limits("3/minute; 5/hour", "100/minute")
    assert count_taken(limits, "ann", HOME) == 3
    wait(61)
    assert count_taken(limits, "ann", HOME) == 2
    wait(61)
    assert count_taken(limits, "ann", HOME) == 0
    wait(3600)
    assert count_taken(limits, "ann", HOME) == 3


def test_a_window_moves_with_the_battles_and_does_not_start_anew(wait: Pass) -> None:
    limits = Limits("2/minute", "100/minute")
    for _ in range(3):
        assert count_taken(limits, "ann", HOME, 1) == 1
        wait(40)
    limits.take("ann", HOME)
    assert count_taken(limits, "ann", HOME) == 0


def test_a_limit_says_whose_it_is_and_when_there_is_room_again(wait: Pass) -> None:
    limits = Limits("2/minute; 4/hour", "6/minute")
    assert count_taken(limits, "ann", HOME) == 2
    wait(20)
    with pytest.raises(TooMany) as reached:
        limits.take("ann", HOME)
    assert (reached.value.whose, reached.value.seconds) == ("visitor", 40)
    wait(41)
    assert count_taken(limits, "ann", HOME) == 2
    with pytest.raises(TooMany) as reached:
        limits.take("ann", HOME)
    assert (reached.value.whose, reached.value.seconds) == ("visitor", 3600 - 61)  # of all that are full, the longest
    assert count_taken(limits, "bob", HOME) == 2
    assert count_taken(limits, "cat", HOME) == 2
    with pytest.raises(TooMany) as reached:
        limits.take("dan", HOME)
    assert (reached.value.whose, reached.value.seconds) == ("address", 60)


def test_the_seconds_that_are_given_are_enough(wait: Pass) -> None:
    limits = Limits("2/minute; 3/hour", "100/minute")
    for _ in range(2):
        count_taken(limits, "ann", HOME)
        with pytest.raises(TooMany) as reached:
            limits.take("ann", HOME)
        wait(reached.value.seconds)
        limits.take("ann", HOME)


def test_new_cookies_do_not_help_behind_one_address_and_other_addresses_do_not_suffer(wait: Pass) -> None:
    limits = Limits("3/minute", "10/minute")
    assert sum(count_taken(limits, f"cookie {n}", HOME) for n in range(20)) == 10
    assert count_taken(limits, "cookie 99", OFFICE) == 3


def test_a_refused_battle_takes_nothing_from_the_others_limit(wait: Pass) -> None:
    limits = Limits("1/minute", "3/minute")
    for _ in range(5):
        count_taken(limits, "ann", HOME)
    assert sum(count_taken(limits, visitor, HOME) for visitor in ("bob", "cat")) == 2


def test_without_an_address_only_the_visitor_is_counted(wait: Pass) -> None:
    limits = Limits("3/minute", "4/minute")
    assert [count_taken(limits, visitor, "") for visitor in ("ann", "bob", "cat")] == [3, 3, 3]


def test_visitors_and_addresses_are_not_kept_longer_than_their_windows(wait: Pass) -> None:
    limits = Limits("3/minute", "10/minute; 100/hour")
    count_taken(limits, "ann", HOME)
    wait(3601)
    for _ in range(2):
        limits.take("bob", OFFICE)  # the storage empties its lists a moment after this
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.join(5)
        wait(SWEEP_SECONDS + 1)
    limits.take("bob", OFFICE)
    kept = " ".join([*limits._kept.events, *limits._kept.locks])
    assert "ann" not in kept
    assert HOME not in kept
    assert "bob" in kept


@pytest.mark.parametrize("text", ["", "often", "3", "3/fortnight", "0/minute"])
def test_a_limit_that_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"limit|parse|granularity"):
        Limits(text, "3/minute")


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::FFFF:CB00:7107", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002:FFFF::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_one_household_is_one_address(address: str, same: str) -> None:
    assert network(address) == same


def test_the_limits_are_described() -> None:
    sentence = Limits("15/minute; 3000/hour", "9/10 seconds").describe()
    assert sentence.index("15 per minute") < sentence.index("3,000 per hour") < sentence.index("9 per 10 seconds")
