"""A visitor's battles: one at a time, left, skipped, restored after a restart or from the ledger."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from arena import fight as fight_module
from arena import service as service_module
from arena.battle import LEFT, Battle, BattleError, State
from arena.ledger.store import Store
from ratings.outcomes import Outcome
from tests.arena.helpers.played import Signal, settle
from tests.arena.helpers.stage import Slowly, Stage, run


def test_a_skipped_battle_takes_no_vote(stage: Stage) -> None:
    async def test() -> None:
        battle = await stage.fight()
        await stage.service.skip("ann", battle.id)
        assert (battle.state, battle.void_reason) == (State.VOID, "skipped by the visitor")
        assert stage.rows("SELECT state FROM battles") == [("void",)]
        with pytest.raises(BattleError):
            await stage.service.vote("ann", battle.id, Outcome.TIE)
        assert await stage.service.open_battle("ann") is None

    run(test())


def test_a_skip_changes_no_battle_of_another_visitor_none_that_runs_and_none_that_ended(stage: Stage) -> None:
    async def test() -> None:
        ready, voted = await stage.fight("bob"), await stage.fight("ann")
        await stage.service.vote("ann", voted.id, Outcome.TIE)
        gate = Signal()
        stage.script(gate, "x")
        running = await stage.service.start("ann", "Why?")
        for battle_id in (ready.id, voted.id, running.id, "no such battle", ""):
            await stage.service.skip("ann", battle_id)
        assert [b.state for b in (ready, voted, running)] == [State.READY, State.VOTED, State.GENERATING]
        gate.set()
        await settle()
        assert running.state is State.READY
        assert [stage.stored(b)[0] for b in (ready, voted, running)] == ["ready", "voted", "ready"]

    run(test())


def test_a_new_prompt_ends_the_visitors_battle_that_waits_and_nobody_elses(stage: Stage) -> None:
    async def test() -> None:
        voted = await stage.fight()
        await stage.service.vote("ann", voted.id, Outcome.TIE)
        older, bobs = await stage.fight(), await stage.fight("bob")
        newer = await stage.fight("ann", "How?")
        states = {"voted": voted, "void": older, "ready": newer}
        assert all(battle.state.value == stage.stored(battle)[0] == state for state, battle in states.items())
        assert (older.void_reason, stage.stored(older)[1]) == (LEFT, LEFT)
        assert (bobs.state, stage.stored(bobs)[0]) == (State.READY, "ready")
        with pytest.raises(BattleError, match="void"):
            await stage.service.vote("ann", older.id, Outcome.TIE)

    run(test())


def test_the_same_prompt_is_a_new_battle_once_the_last_one_has_ended(stage: Stage) -> None:
    async def test() -> None:
        older = await stage.fight()
        newer = await stage.fight()
        assert newer is not older
        assert (older.state, newer.state) == (State.VOID, State.READY)

    run(test())


def test_the_open_battle_is_the_one_that_runs_or_waits(stage: Stage) -> None:
    async def test() -> None:
        assert await stage.service.open_battle("ann") is None
        gate = Signal()
        stage.script("x", gate)
        running = await stage.service.start("ann", "Why?")
        assert await stage.service.open_battle("ann") is running
        assert await stage.service.open_battle("bob") is None
        gate.set()
        await settle()
        assert await stage.service.open_battle("ann") is running
        await stage.service.vote("ann", running.id, Outcome.TIE)
        assert await stage.service.open_battle("ann") is None

    run(test())


@pytest.mark.parametrize("is_looked_for", [False, True], ids=["at once", "after a look"])
def test_after_a_restart_the_open_battle_takes_its_vote(store: Store, is_looked_for: bool) -> None:
    before = asyncio.run(fight_in_an_earlier_run(store))

    async def test() -> None:
        stage = Stage(store)
        store.sweep()
        if is_looked_for:
            battle = await stage.service.open_battle("ann")
            assert battle is not None
            assert battle is not before
            assert (battle.id, battle.texts, battle.state) == (before.id, before.texts, State.READY)
            assert await stage.service.open_battle("ann") is battle
        with pytest.raises(BattleError, match="another visitor"):
            await stage.service.vote("bob", before.id, Outcome.TIE)
        voted = await stage.service.vote("ann", before.id, Outcome.A_WINS)
        assert voted.reveal() == (before.draw.a, before.draw.b)
        assert stage.votes() == [(before.id, "ann", "model_a")]
        assert await stage.service.open_battle("ann") is None

    run(test())


def test_after_a_restart_the_open_battle_can_be_skipped_or_left(store: Store) -> None:
    before = asyncio.run(fight_in_an_earlier_run(store))

    async def test() -> None:
        stage = Stage(store)
        await stage.service.skip("bob", before.id)
        assert stage.stored(before)[0] == "ready"
        await stage.service.skip("ann", before.id)
        assert stage.stored(before) == ("void", "skipped by the visitor")
        left = await stage.fight()
        newer = await Stage(store).fight("ann", "How?")
        assert stage.stored(left) == ("void", LEFT)
        assert stage.stored(newer)[0] == "ready"

    run(test())


async def fight_in_an_earlier_run(store: Store) -> Battle:
    stage = Stage(store)
    stage.script("From before.")
    return await stage.fight()


def test_two_tabs_that_come_back_at_the_same_moment_share_one_battle(store: Store) -> None:
    asyncio.run(fight_in_an_earlier_run(store))

    async def test() -> None:
        stage = Stage(store)
        one, other = await asyncio.gather(stage.service.open_battle("ann"), stage.service.open_battle("ann"))
        assert one is other is not None

    run(test())


def test_memory_keeps_the_newest_battles_and_every_one_that_runs(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "KEPT_BATTLES", 3)

    async def test() -> None:
        gate = Signal()
        stage.script(gate, "x")
        running = await stage.service.start("slow", "Why?")
        for backend in stage.backends.values():
            await backend.started.wait()
        stage.script("quick")  # the running one goes on with its old script
        quick = []
        for number in range(5):
            quick.append(await stage.service.start(f"visitor {number}", "Why?"))
            while quick[-1].state is State.GENERATING:
                await asyncio.sleep(0.01)
            assert list(stage.service._battles) == [running.id, *[battle.id for battle in quick[-3:]]][-4:]
        gate.set()
        await settle()
        assert running.state is State.READY
        # Older ones come back from the ledger, and take their votes.
        again = await stage.service.find(quick[0].id)
        assert again is not None
        assert again is not quick[0]
        assert (again.id, again.state) == (quick[0].id, State.READY)
        assert await stage.service.open_battle("visitor 0") is again
        assert set((await stage.service.vote("visitor 1", quick[1].id, Outcome.TIE)).reveal()) == {"alder", "birch"}

    run(test())


@pytest.mark.parametrize("kept", [0, 1, 5, 100])
def test_no_battle_is_forgotten_while_there_are_few(stage: Stage, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    monkeypatch.setattr(service_module, "KEPT_BATTLES", kept)
    monkeypatch.setattr(fight_module, "LOOK_SECONDS", 0.001)

    async def test() -> None:
        battles = [await stage.fight(f"visitor {number}") for number in range(4)]
        expected = [battle.id for battle in battles[-max(kept, 1) :]]  # the newest one still ran when it was added
        assert list(stage.service._battles) == expected

    run(test())


def test_a_battle_whose_vote_is_being_stored_is_not_forgotten(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "KEPT_BATTLES", 1)

    async def test() -> None:
        battle = await stage.fight()
        with Slowly(stage.store, "vote") as storing:
            voting = asyncio.create_task(stage.service.vote("ann", battle.id, Outcome.TIE))
            await storing.began.wait()
            for number in range(3):
                await stage.service.start(f"visitor {number}", "Why?")
            assert await stage.service.find(battle.id) is battle
        assert await voting is battle
        await settle()

    run(test())


def test_the_ledger_of_a_host_can_be_read_back_by_a_new_store(tmp_path: Path) -> None:
    path = tmp_path / "arena.db"

    async def test() -> None:
        with closing(Store(path)) as store:
            stage = Stage(store)
            battle = await stage.fight()
            await stage.service.vote("ann", battle.id, Outcome.BOTH_BAD)
        with closing(Store(path)) as store:
            assert store.sweep() == 0
            assert store.open_battle("ann") is None

    run(test())
