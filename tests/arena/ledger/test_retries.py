"""Replies and ends of battles that cannot be stored at the moment are stored later."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena import fight as fight_module
from arena import service as service_module
from arena.backends.base import BackendError
from arena.battle import BattleError, State
from arena.ledger.store import Store
from ratings.outcomes import Outcome
from tests.arena.helpers.played import Signal, settle
from tests.arena.helpers.stage import Stage, run
from tests.arena.helpers.troubles import REST, Trouble, count_failures, hasty_store, in_trouble, locked


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with hasty_store(tmp_path, monkeypatch) as ledger:
        yield ledger


@in_trouble
def test_replies_that_cannot_be_stored_wait_until_they_can(store: Store, trouble: Trouble) -> None:
    stage = Stage(store)

    async def test() -> None:
        gate = Signal()
        stage.script("x", gate)
        battle = await stage.service.start("ann", "Why?")
        failures = count_failures(store, "finish")
        with trouble(store):
            gate.set()
            while not failures:
                await asyncio.sleep(0.01)
            assert battle.state is State.GENERATING
        await settle()
        assert (battle.state, stage.stored(battle)[0]) == (State.READY, "ready")
        await stage.service.vote("ann", battle.id, Outcome.TIE)
        assert len(stage.votes()) == 1

    run(test())


def test_replies_that_cannot_be_stored_for_long_void_the_battle_and_nobody_waits_for_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fight_module, "STORE_TRIES", 3)
    stage = Stage(store)

    async def test() -> None:
        gate = Signal()
        stage.script("x", gate)
        battle = await stage.service.start("ann", "Why?")
        failures = count_failures(store, "finish")
        with locked(store):
            gate.set()
            while stage.service._fights.tasks:
                await settle()
            assert len(failures) == 3
            assert (battle.state, battle.void_reason) == (State.VOID, "its replies could not be stored")
            assert stage.taken_places == 0
            assert stage.service.bench.absent() == {}
        assert stage.stored(battle) == ("generating", "")  # which the next start mends
        found = await stage.service.find(battle.id)
        assert found is battle
        await asyncio.sleep(REST)
        assert (await stage.fight("ann", "How?")).state is State.READY
        assert store.sweep() == 1

    run(test())


@pytest.mark.parametrize("how", ["skip", "failure"])
def test_the_end_of_a_battle_reaches_the_ledger_when_it_can_be_written_again(
    store: Store, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fight_module, "STORE_PAUSE", 0.3)
    monkeypatch.setattr(service_module, "LEDGER_SECONDS", 0.01)
    stage = Stage(store)

    async def test() -> None:
        gate = Signal()
        if how == "failure":
            stage.script("x", gate, BackendError("broken"), name="birch")
        battle = await stage.service.start("ann", "Why?")
        failures = count_failures(store, "void")
        if how == "skip":
            await settle()
        with locked(store):
            gate.set()
            if how == "skip":
                await stage.service.skip("ann", battle.id)
                assert await stage.service.open_battle("ann") is None
            while not failures:
                await asyncio.sleep(0.01)
            assert battle.state is State.VOID
            with pytest.raises(BattleError, match="void"):
                await stage.service.vote("ann", battle.id, Outcome.TIE)
        while stage.service._fights.tasks:
            await settle()
        assert stage.stored(battle) == ("void", battle.void_reason)

    run(test())


def test_a_skip_waits_for_the_ledger_no_longer_than_a_moment(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "LEDGER_SECONDS", 0.05)
    monkeypatch.setattr(fight_module, "STORE_PAUSE", 60.0)
    stage = Stage(store)

    async def test() -> None:
        battle = await stage.fight()
        with locked(store):
            await asyncio.wait_for(stage.service.skip("ann", battle.id), 5)
        assert battle.state is State.VOID
        for task in stage.service._fights.tasks:
            task.cancel()
        await settle()

    run(test())
