"""Which endpoint is asked next, and which rests."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from arena.backends.base import BackendError
from arena.backends.openai import pool as module
from arena.backends.openai.client import Endpoint
from arena.backends.openai.keys import Keys
from arena.backends.openai.pool import LONGEST_REST, Pool, Turn
from tests.arena.backends.openai.scripts import WELL, contestant, open_backend, playing, read, run


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make_pool(clock: Clock, size: int) -> Pool:
    endpoints = [Endpoint(f"http://127.0.0.1:{port}/v1", model="m", keys=Keys({})) for port in range(1, size + 1)]
    return Pool(endpoints, clock=clock, rng=random.Random(1))


def take(pool: Pool, without: Any = (), until: float = 100.04) -> Turn:
    turn: Turn = run(pool.take(without=without, until=until))
    return turn


def test_the_less_busy_of_two_drawn_ones_is_asked(clock: Clock) -> None:
    pool = make_pool(clock, 2)
    for _ in range(10):
        take(pool)
    assert [member.in_flight for member in pool.members] == [5, 5]


def test_of_many_none_is_left_out_and_none_gets_much_more(clock: Clock) -> None:
    pool = make_pool(clock, 8)
    taken = Counter(id(take(pool).member) for _ in range(400))
    assert len(taken) == 8
    assert max(taken.values()) - min(taken.values()) <= 10


def test_who_gives_back_is_asked_sooner(clock: Clock) -> None:
    pool = make_pool(clock, 2)
    first, _ = take(pool), take(pool)
    pool.give_back(first)
    assert take(pool).member is first.member


def test_one_that_failed_rests_longer_each_time(clock: Clock) -> None:
    pool = make_pool(clock, 1)
    rests = []
    for _ in range(12):
        turn = take(pool, until=clock.now + 0.04)
        pool.has_failed(turn, "x")
        pool.give_back(turn)
        rests.append(turn.member.rests_until - clock.now)
        with pytest.raises(BackendError, match="x"):
            take(pool, until=clock.now + 0.04)
        clock.now = turn.member.rests_until
    assert 0.25 <= rests[0] <= 0.5
    assert 0.5 <= rests[1] <= 1.0
    assert all(LONGEST_REST / 2 <= rest <= LONGEST_REST for rest in rests[6:])
    assert len(set(rests)) == len(rests)  # by chance, so that many do not come back together


def test_many_failures_of_one_moment_count_as_one(clock: Clock) -> None:
    pool = make_pool(clock, 1)
    for turn in [take(pool) for _ in range(64)]:
        pool.has_failed(turn, "x")
    assert pool.members[0].failures == 1


def test_the_rest_that_an_endpoint_asks_for_is_kept_also_while_it_rests(clock: Clock) -> None:
    pool = make_pool(clock, 1)
    turns = take(pool), take(pool)
    pool.has_failed(turns[0], "x")
    pool.has_failed(turns[1], "x", retry_after=30.0)
    assert pool.members[0].rests_until == clock.now + 30.0


def test_after_its_rest_one_request_tries_it_alone_until_a_token_comes(clock: Clock) -> None:
    pool = make_pool(clock, 1)
    long = take(pool)  # one that began before, and goes on
    pool.has_failed(take(pool), "x")
    clock.now += 1.0
    trial = take(pool, until=clock.now + 0.04)
    assert trial.is_trial
    pool.give_back(long)
    assert pool.any_ready() is None
    with pytest.raises(BackendError):
        take(pool, until=clock.now + 0.04)
    pool.is_well(trial)
    assert not take(pool, until=clock.now + 0.04).is_trial


def test_a_trial_that_is_abandoned_lets_the_next_one_try(clock: Clock) -> None:
    pool = make_pool(clock, 1)
    pool.has_failed(take(pool), "x")
    clock.now += 1.0
    pool.give_back(take(pool, until=clock.now + 0.04))
    assert take(pool, until=clock.now + 0.04).is_trial


def test_the_others_are_asked_first_and_the_same_one_if_there_is_none(clock: Clock) -> None:
    pool = make_pool(clock, 2)
    one, other = pool.members
    assert {id(take(pool, without=[one]).member) for _ in range(20)} == {id(other)}
    assert take(pool, without=[one, other]).member in (one, other)


def test_who_waits_for_a_resting_endpoint_gets_it() -> None:
    async def wait() -> float:
        pool = Pool([Endpoint("http://127.0.0.1:1/v1", model="m", keys=Keys({}))], rng=random.Random(1))
        loop = asyncio.get_running_loop()
        pool.has_failed(await pool.take(until=loop.time() + 1), "x")
        began = loop.time()
        await pool.take(until=loop.time() + 2)
        return loop.time() - began

    assert 0.2 <= run(wait()) <= 0.7


def test_an_endpoint_that_comes_back_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_REST", 0.02)

    async def come_back() -> None:
        async with playing([b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"], WELL) as one, playing(WELL) as other:
            backend = open_backend(one.address, other.address)
            for _ in range(12):
                assert (await read(backend))[1].text == "Hot is cold"
                await asyncio.sleep(0.03)
            assert len(one.asked) >= 3
            assert len(other.asked) >= 3
            assert [member.failures for member in backend._pool.members] == [0, 0]

    run(come_back())


def test_one_address_or_several_may_be_written() -> None:
    assert contestant("http://a/v1").base_url == ("http://a/v1",)
    assert contestant(base_url="http://a/v1").base_url == ("http://a/v1",)
    assert contestant("http://a/v1", "http://b/v1").base_url == ("http://a/v1", "http://b/v1")
