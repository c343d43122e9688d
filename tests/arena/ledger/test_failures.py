"""A ledger that cannot be written (locked, full, read-only, gone): errors come within seconds, and no vote is lost."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from arena.battle import Battle, BattleError, State
from arena.ledger import store as store_module
from arena.ledger.store import LedgerUnavailable, Store, StoreError
from arena.pairing import Draw
from ratings.ledger.reader import read_ledger
from ratings.outcomes import Outcome
from tests.arena.helpers.ledgers import cast, make_ready, votes
from tests.arena.helpers.played import make_reply
from tests.arena.helpers.stage import Stage, run
from tests.arena.helpers.troubles import BUSY, REST, Trouble, hasty_store, in_trouble, locked


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with hasty_store(tmp_path, monkeypatch) as ledger:
        yield ledger


@in_trouble
def test_a_failed_write_is_reported_soon_changes_nothing_and_can_be_repeated(store: Store, trouble: Trouble) -> None:
    battle = make_ready(store)
    running = Battle("bob", "Why?", Draw("quince", "medlar", 0.5))
    running.texts |= {"a": "x", "b": "y"}
    running.replies |= {"a": make_reply("x"), "b": make_reply("y")}
    store.begin(running)
    acts: list[Callable[[], object]] = [
        lambda: store.begin(Battle("cat", "How?", running.draw)),
        lambda: store.finish(running),
        lambda: store.vote(battle.id, "ann", Outcome.A_WINS),
        lambda: store.void(battle.id, "skipped"),
        store.sweep,
    ]
    with trouble(store):
        for act in acts:
            began = time.monotonic()
            with pytest.raises(LedgerUnavailable, match=r"arena\.db"):
                act()
            assert time.monotonic() - began < 3 * BUSY + 1
            time.sleep(REST)
    time.sleep(REST)
    store.finish(running)
    assert store.vote(battle.id, "ann", Outcome.A_WINS) == ""
    assert store.vote(running.id, "bob", Outcome.B_WINS) == ""
    assert votes(store.path) == {battle.id, running.id}
    assert read_ledger(store.path).used == 2
    with closing(sqlite3.connect(store.path)) as ledger:
        assert ledger.execute("SELECT count(*) FROM battles").fetchone() == (2,)


def test_a_ledger_that_may_not_grow_loses_no_vote_and_no_half_of_one(store: Store) -> None:
    [pages] = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    kept = set()

    def cast_many() -> None:
        for n in range(2000):
            kept.update(cast(store, 1, start=n))

    with pytest.raises(LedgerUnavailable, match="full"):
        cast_many()
    assert kept
    assert votes(store.path) == kept
    with closing(sqlite3.connect(store.path)) as ledger:
        voted = {name for (name,) in ledger.execute("SELECT id FROM battles WHERE state = 'voted'")}
        counted = ledger.execute("SELECT sum(ties) FROM vote_counts").fetchone()
    assert (voted, counted) == (kept, (len(kept),))
    store._connection.execute("PRAGMA max_page_count = 100000")
    time.sleep(REST)
    kept |= cast(store, 5, start=5000)
    assert votes(store.path) == kept


@in_trouble
def test_a_vote_that_is_not_stored_reveals_nothing_and_counts_once_when_it_is_cast_again(
    store: Store, trouble: Trouble
) -> None:
    stage = Stage(store)

    async def test() -> None:
        battle = await stage.fight()
        with trouble(store):
            for _ in range(3):
                with pytest.raises(BattleError, match="vote is not stored yet") as refusal:
                    await stage.service.vote("ann", battle.id, Outcome.A_WINS)
                assert str(store.path.parent) not in str(refusal.value)
                assert refusal.value.__cause__ is None
                assert battle.state is State.READY
                with pytest.raises(BattleError):
                    battle.reveal()
        await asyncio.sleep(REST)
        await stage.service.vote("ann", battle.id, Outcome.B_WINS)
        assert stage.votes() == [(battle.id, "ann", "model_b")]

    run(test())


@in_trouble
def test_a_prompt_that_cannot_be_stored_asks_nobody_and_leaves_the_visitors_battle_alone(
    store: Store, trouble: Trouble
) -> None:
    stage = Stage(store)

    async def test() -> None:
        older = await stage.fight()
        asked = sum(len(backend.requests) for backend in stage.backends.values())
        with trouble(store):
            for _ in range(3):
                with pytest.raises(BattleError, match="no battle can begin") as refusal:
                    await stage.service.start("ann", "How?")
                assert str(store.path.parent) not in str(refusal.value)
        assert sum(len(backend.requests) for backend in stage.backends.values()) == asked
        assert (older.state, stage.stored(older)[0]) == (State.READY, "ready")
        assert stage.taken_places == 0
        await asyncio.sleep(REST)
        await stage.service.vote("ann", older.id, Outcome.TIE)
        assert (await stage.fight("ann", "How?")).state is State.READY
        assert stage.rows("SELECT count(*) FROM battles WHERE visitor = 'ann'") == [(2,)]

    run(test())


def test_thirty_at_once_on_a_locked_ledger_all_get_their_answer_soon(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store_module, "REST_SECONDS", 0.5)
    stage = Stage(store)

    async def test() -> None:
        battles = [make_ready(store, f"voter {n}") for n in range(15)]
        began = time.monotonic()
        waited: list[float] = []

        async def ask(request: "asyncio.Future[object]") -> None:
            with pytest.raises(BattleError, match="cannot write to its ledger"):
                await request
            waited.append(time.monotonic() - began)

        votes = [stage.service.vote(b.visitor, b.id, Outcome.TIE) for b in battles]
        prompts = [stage.service.start(f"asker {n}", "Why?") for n in range(15)]
        with locked(store):
            await asyncio.gather(*(ask(asyncio.ensure_future(each)) for each in [*votes, *prompts]))  # type: ignore[type-var]
        assert len(waited) == 30
        assert max(waited) < 2 * BUSY + 1
        assert caplog.text.count("database is locked") <= 2  # the others were refused while the ledger rested
        await asyncio.sleep(0.5)
        await asyncio.gather(*(stage.service.vote(b.visitor, b.id, Outcome.TIE) for b in battles))
        assert len(stage.votes()) == 15

    run(test())


def test_a_write_that_waited_behind_a_failed_one_does_not_wait_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest that follows a failure is for those in the queue as well."""
    monkeypatch.setattr(store_module, "REST_SECONDS", 30.0)
    store._lock.acquire()

    async def test() -> None:
        waiting = [asyncio.create_task(asyncio.to_thread(store.sweep)) for _ in range(3)]
        await asyncio.sleep(BUSY / 3)
        store._rests_until = time.monotonic() + 30
        store._lock.release()
        for refusal in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(refusal, LedgerUnavailable)
            assert "at the moment" in str(refusal)

    run(test())


def test_a_ledger_that_was_closed_takes_no_vote(store: Store) -> None:
    battle = make_ready(store)
    store.close()
    with pytest.raises(LedgerUnavailable):
        store.vote(battle.id, "ann", Outcome.TIE)
    with pytest.raises(LedgerUnavailable):
        store.battle(battle.id)


def test_battles_can_be_read_while_another_process_writes(store: Store) -> None:
    stage = Stage(store)
    battle = make_ready(store)

    async def test() -> None:
        with locked(store):
            found = await stage.service.open_battle("ann")
            assert found is not None
            assert found.id == battle.id

    run(test())


def test_a_battle_that_cannot_be_read_is_reported_without_a_path(store: Store) -> None:
    stage = Stage(store)
    battle = make_ready(store)

    async def test() -> None:
        with store._lock:
            service = stage.service
            for ask in (service.find(battle.id), service.open_battle("ann"), service.skip("ann", battle.id),
                        service.vote("ann", battle.id, Outcome.TIE)):  # fmt: skip
                with pytest.raises(BattleError, match="ledger") as refusal:
                    await ask
                assert str(store.path.parent) not in str(refusal.value)
        found = await stage.service.open_battle("ann")
        assert found is not None

    run(test())


def test_a_ledger_that_is_locked_at_the_start_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "arena.db"
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *words, **options: connect(*words, **options | {"timeout": BUSY}))
    with closing(Store(path)) as store, locked(store), pytest.raises(StoreError, match=r"arena\.db cannot be used"):
        Store(path)
