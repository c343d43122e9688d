"""Weights in memory: as many as fit, the least recently used out first, never one that is in use."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.backends.memory import GB, Memory

PATIENCE = 10.0


class Weights:
    """An engine that only knows whether it is loaded."""

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size
        self.is_loaded = False
        self.loads = 0

    def use(self, memory: Memory) -> None:
        with memory.room_for(self):
            self.load()

    def load(self) -> None:
        self.loads += not self.is_loaded
        self.is_loaded = True

    def unload(self) -> None:
        assert self.is_loaded
        self.is_loaded = False


def make(*sizes: int) -> list[Weights]:
    return [Weights(f"w{n}", size) for n, size in enumerate(sizes)]


def test_the_least_recently_used_makes_room() -> None:
    memory = Memory(10)
    a, b, c = make(4, 4, 4)
    for engine in (a, b, a, c):
        engine.use(memory)
    assert [engine.is_loaded for engine in (a, b, c)] == [True, False, True]
    assert a.loads == 1


def test_only_as_many_go_as_the_newcomer_needs() -> None:
    memory = Memory(10)
    a, b, c, d = make(3, 3, 3, 6)
    for engine in (a, b, c, d):
        engine.use(memory)
    assert [engine.is_loaded for engine in (a, b, c, d)] == [False, False, True, True]


def test_without_a_limit_everything_stays() -> None:
    memory = Memory()
    engines = make(*[10**12] * 5)
    for engine in engines:
        engine.use(memory)
    assert all(engine.is_loaded for engine in engines)


def test_what_can_never_fit_is_refused_with_both_figures() -> None:
    [big] = make(3 * GB)
    with pytest.raises(ValueError, match=r"w0 needs about 3.0 GB, and --memory allows 2.0 GB"):
        big.use(Memory(2 * GB))


def test_what_is_in_use_stays_and_the_newcomer_waits_for_it() -> None:
    memory = Memory(5)
    a, b = make(3, 3)
    began, may_end = threading.Event(), threading.Event()

    def use_long() -> None:
        with memory.room_for(a):
            a.load()
            began.set()
            assert may_end.wait(PATIENCE)
            assert a.is_loaded

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(use_long)
        assert began.wait(PATIENCE)
        second = pool.submit(b.use, memory)
        assert not second.done()
        assert not memory.has_room_for(b)
        may_end.set()
        first.result(PATIENCE)
        second.result(PATIENCE)
    assert (a.is_loaded, b.is_loaded) == (False, True)


def test_room_that_was_given_back_is_free() -> None:
    memory = Memory(5)
    a, b = make(5, 5)
    a.use(memory)
    assert not memory.has_room_for(b)
    memory.forget(a)
    assert memory.has_room_for(b)
    b.use(memory)
    assert a.is_loaded  # nobody unloads what has gone by itself


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.lists(st.integers(0, 4), max_size=20))
def test_no_more_is_ever_loaded_than_there_is_memory(sizes: list[int], uses: list[int]) -> None:
    memory, engines = Memory(8), make(*sizes)
    for n in uses:
        engine = engines[n % len(engines)]
        engine.use(memory)
        assert engine.is_loaded
        assert sum(each.size for each in engines if each.is_loaded) <= 8


def test_many_threads_share_little_memory_without_a_deadlock() -> None:
    memory, engines = Memory(7), make(2, 3, 4, 5)
    with ThreadPoolExecutor(8) as pool:
        uses = [pool.submit(engines[n % 4].use, memory) for n in range(400)]
        for use in uses:
            use.result(PATIENCE)
    assert sum(each.size for each in engines if each.is_loaded) <= 7
