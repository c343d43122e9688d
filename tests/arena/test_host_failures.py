"""Hosted battles that fail: a side, the ledger or the clock voids them and nothing stays behind."""

import sqlite3
from typing import Any

import pytest
from scripted import ScriptedBackend, Signal, make_contestant, make_reply, settle
from stage import Stage, run

from arena.backends import BackendError
from arena.battle import Battle, BattleError, State
from arena.host import Host
from arena.store import Store
from ratings.outcomes import Outcome

FAILURES = [BackendError("CUDA out of memory"), RuntimeError("a bug"), TimeoutError("its own"), ConnectionError("gone")]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_a_failing_side_voids_the_battle_and_the_other_side_is_told_to_stop(stage: Stage, error: Exception) -> None:
    async def test() -> None:
        stage.script("x", Signal(), name="alder")
        stage.script(stage.backends["alder"].started, error, name="birch")
        battle = await stage.fight()
        assert (battle.state, battle.void_reason) == (State.VOID, str(error))
        assert stage.backends["alder"].abandoned.is_set()
        assert stage.rows("SELECT state, void_reason FROM battles") == [("void", str(error))]
        with pytest.raises(BattleError, match="void"):
            await stage.host.vote("ann", battle.id, Outcome.TIE)
        with pytest.raises(BattleError):
            battle.reveal()
        assert stage.votes() == []

    run(test())


def test_a_side_that_failed_after_the_other_had_ended_voids_the_battle(stage: Stage) -> None:
    async def test() -> None:
        stage.script(make_reply("Done."), name="alder")
        stage.script("x", stage.backends["alder"].started, BackendError("late"), name="birch")
        assert (await stage.fight()).state is State.VOID

    run(test())


def test_a_stream_that_ends_without_a_record_voids_the_battle(stage: Stage) -> None:
    class Cut(ScriptedBackend):
        async def stream(self, request: Any) -> Any:
            yield "no end"

    async def test() -> None:
        host = Host(tuple(map(make_contestant, stage.names)), {name: Cut() for name in stage.names}, stage.store)
        battle = await host.start("ann", "Why?")
        await settle()
        assert battle.state is State.VOID
        assert stage.rows("SELECT state FROM battles") == [("void",)]

    run(test())


def test_a_reply_that_takes_too_long_voids_the_battle(store: Store) -> None:
    stage = Stage(store, seconds=0.05)

    async def test() -> None:
        stage.script("x", Signal())
        battle = await stage.fight()
        assert (battle.state, battle.void_reason) == (State.VOID, "no reply within 0.05 s")
        assert all(backend.abandoned.is_set() for backend in stage.backends.values())
        assert stage.rows("SELECT state, void_reason FROM battles") == [("void", "no reply within 0.05 s")]

    run(test())


def test_replies_that_could_not_be_stored_void_the_battle(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Battle) -> None:
        raise sqlite3.OperationalError("disk is full")

    async def test() -> None:
        monkeypatch.setattr(stage.store, "finish", fail)
        battle = await stage.fight()
        assert (battle.state, battle.void_reason) == (State.VOID, "disk is full")
        assert stage.rows("SELECT state FROM battles") == [("void",)]

    run(test())


def test_a_battle_that_could_not_be_begun_leaves_nothing_behind(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Battle) -> None:
        raise sqlite3.OperationalError("disk is full")

    async def test() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(stage.store, "begin", fail)
            for _ in range(5):  # more often than a visitor may have battles running
                with pytest.raises(sqlite3.OperationalError):
                    await stage.host.start("ann", "Why?")
        await settle()
        assert stage.rows("SELECT * FROM battles") == []
        assert await stage.host.open_battle("ann") is None
        assert all(backend.requests == [] for backend in stage.backends.values())
        assert (await stage.fight()).state is State.READY

    run(test())


def test_a_contestant_that_did_not_load_voids_its_own_battles_only(store: Store) -> None:
    stage = Stage(store, names=("alder", "birch", "cedar"))

    async def test() -> None:
        stage.backends["cedar"].check_error = BackendError("no weights")
        stage.script(BackendError("no weights"), name="cedar")
        battles = [await stage.fight() for _ in range(12)]
        for battle in battles:
            has_cedar = "cedar" in (battle.draw.a, battle.draw.b)
            assert battle.state is (State.VOID if has_cedar else State.READY)
        assert {battle.state for battle in battles} == {State.VOID, State.READY}

    run(test())
