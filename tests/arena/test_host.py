"""Hosting battles with scripted backends: order of events, skips, open battles, restarts."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from scripted import PATIENCE, ScriptedBackend, Signal, make_contestant, make_reply, settle
from stage import Stage, run

from arena import host as host_module
from arena.battle import Battle, BattleError, State
from arena.host import Host
from arena.store import Store
from ratings.outcomes import Outcome


def test_a_battle_ends_ready_with_both_replies_in_the_ledger(stage: Stage) -> None:
    async def test() -> None:
        stage.script("Hel", "lo.", name="alder")
        stage.script(make_reply("Bye.", recipe={"seed": 77}), name="birch")
        battle = await stage.fight(prompt="  Why?\r\n ")
        assert battle.state is State.READY
        texts = {battle.contestant(side): battle.texts[side] for side in ("a", "b")}
        assert texts == {"alder": "Hello.", "birch": "Bye."}
        [row] = stage.rows("SELECT id, visitor, prompt, model_a, model_b, state, reply_a, reply_b FROM battles")
        expected = (
            battle.id,
            "ann",
            "Why?",
            *(battle.contestant(s) for s in ("a", "b")),
            "ready",
            *battle.texts.values(),
        )
        assert row == expected
        assert stage.votes() == []

    run(test())


def test_both_sides_write_at_once(stage: Stage) -> None:
    async def test() -> None:
        alder, birch = stage.backends["alder"], stage.backends["birch"]
        # Each waits until the other has begun: one after the other would never end.
        stage.script("x", birch.started, "y", name="alder")
        stage.script("x", alder.started, "y", name="birch")
        assert (await stage.fight()).state is State.READY

    run(test())


def test_text_can_be_looked_at_while_it_is_written(stage: Stage) -> None:
    async def test() -> None:
        gate, reached = Signal(), Signal()

        class Telling(Signal):
            async def wait(self) -> None:
                reached.set()
                await gate.wait()

        stage.script("So ", "far", Telling(), " and on.")
        battle = await stage.host.start("ann", "Why?")
        await reached.wait()
        assert battle.state is State.GENERATING
        assert "So far" in battle.texts.values()
        gate.set()
        await settle()
        assert set(battle.texts.values()) == {"So far and on."}

    run(test())


def test_a_battle_is_in_the_ledger_before_anybody_is_asked(store: Store) -> None:
    seen: list[Any] = []

    class Looking(ScriptedBackend):
        async def stream(self, request: Any) -> Any:
            with closing(sqlite3.connect(store.path)) as connection:
                seen.append(connection.execute("SELECT state FROM battles").fetchall())
            async for event in super().stream(request):
                yield event

    async def test() -> None:
        stage = Stage(store)
        looking = {name: Looking() for name in stage.names}
        host = Host(tuple(map(make_contestant, stage.names)), looking, store)
        await host.start("ann", "Why?")
        await settle()

    run(test())
    assert seen == [[("generating",)]] * 2


def test_each_side_gets_the_prompt_and_a_seed_of_its_own(stage: Stage) -> None:
    async def test() -> None:
        for _ in range(5):
            await stage.fight()

    run(test())
    requests = [request for backend in stage.backends.values() for request in backend.requests]
    assert {request.prompt for request in requests} == {"Why?"}
    assert len({request.seed for request in requests}) == len(requests) == 10


def test_a_skipped_battle_takes_no_vote(stage: Stage) -> None:
    async def test() -> None:
        battle = await stage.fight()
        await stage.host.skip("ann", battle.id)
        assert (battle.state, battle.void_reason) == (State.VOID, "skipped by the visitor")
        assert stage.rows("SELECT state FROM battles") == [("void",)]
        with pytest.raises(BattleError):
            await stage.host.vote("ann", battle.id, Outcome.TIE)
        assert await stage.host.open_battle("ann") is None

    run(test())


def test_a_skip_changes_no_battle_of_another_visitor_none_that_runs_and_none_that_ended(stage: Stage) -> None:
    async def test() -> None:
        ready, voted = await stage.fight(), await stage.fight()
        await stage.host.vote("ann", voted.id, Outcome.TIE)
        gate = Signal()
        stage.script(gate, "x")
        running = await stage.host.start("ann", "Why?")
        await stage.host.skip("bob", ready.id)
        await stage.host.skip("ann", voted.id)
        await stage.host.skip("ann", running.id)
        await stage.host.skip("ann", "no such battle")
        assert [b.state for b in (ready, voted, running)] == [State.READY, State.VOTED, State.GENERATING]
        gate.set()
        await settle()
        assert running.state is State.READY

    run(test())


def test_the_open_battle_is_the_running_one_or_the_newest_that_waits(stage: Stage) -> None:
    async def test() -> None:
        older = await stage.fight()
        gate = Signal()
        stage.script(gate, "x")
        running = await stage.host.start("ann", "Why?")
        assert await stage.host.open_battle("ann") is running
        assert await stage.host.open_battle("bob") is None
        gate.set()
        await settle()
        await stage.host.vote("ann", running.id, Outcome.TIE)
        assert await stage.host.open_battle("ann") is older

    run(test())


def test_after_a_restart_the_open_battle_comes_back_and_takes_its_vote(store: Store) -> None:
    async def first() -> Battle:
        stage = Stage(store)
        stage.script("From before.")
        return await stage.fight()

    before = asyncio.run(first())

    async def second() -> None:
        stage = Stage(store)
        store.sweep()
        with pytest.raises(BattleError, match="no battle to vote on"):
            await stage.host.vote("ann", before.id, Outcome.TIE)
        battle = await stage.host.open_battle("ann")
        assert battle is not None
        assert battle is not before
        assert (battle.id, battle.texts, battle.state) == (before.id, before.texts, State.READY)
        assert await stage.host.open_battle("ann") is battle
        await stage.host.vote("ann", battle.id, Outcome.A_WINS)
        assert battle.reveal() == (before.draw.a, before.draw.b)
        assert stage.votes() == [(before.id, "ann", "model_a")]
        assert await stage.host.open_battle("ann") is None

    run(second())


def test_two_tabs_that_come_back_at_the_same_moment_share_one_battle(store: Store) -> None:
    async def first() -> None:
        await Stage(store).fight()

    asyncio.run(first())

    async def second() -> None:
        stage = Stage(store)
        one, other = await asyncio.gather(stage.host.open_battle("ann"), stage.host.open_battle("ann"))
        assert one is other is not None

    run(second())


def test_memory_keeps_the_newest_battles_and_every_one_that_runs(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "KEPT_BATTLES", 3)

    async def test() -> None:
        gate = Signal()
        stage.script(gate, "x")
        running = await stage.host.start("slow", "Why?")
        for backend in stage.backends.values():
            await backend.started.wait()
        stage.script("quick")  # the running one goes on with its old script
        quick = []
        for number in range(5):
            battle = await stage.host.start(f"visitor {number}", "Why?")
            while battle.state is State.GENERATING:
                await asyncio.sleep(0)
            quick.append(battle)
        assert stage.host.find(running.id) is running
        assert stage.host.find(quick[0].id) is None
        assert stage.host.find(quick[-1].id) is quick[-1]
        # An older one that waits for its vote is still there in the ledger.
        again = await stage.host.open_battle("visitor 0")
        assert again is not None
        assert again.id == quick[0].id
        gate.set()
        await settle()
        assert running.state is State.READY

    run(test())


def test_the_ledger_of_a_host_can_be_read_back_by_a_new_store(tmp_path: Path) -> None:
    path = tmp_path / "arena.db"

    async def test() -> None:
        with closing(Store(path)) as store:
            stage = Stage(store)
            battle = await stage.fight()
            await stage.host.vote("ann", battle.id, Outcome.BOTH_BAD)
        with closing(Store(path)) as store:
            assert store.sweep() == 0
            assert store.open_battle("ann") is None

    run(test())


def test_a_battle_whose_visitor_left_while_it_began_goes_on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.script("Because.")
    may_go_on, begin = threading.Event(), stage.store.begin

    def slow_begin(battle: Battle) -> None:
        may_go_on.wait(PATIENCE)
        begin(battle)

    async def leave_and_come_back() -> None:
        monkeypatch.setattr(stage.store, "begin", slow_begin)
        for _ in range(2):
            request = asyncio.create_task(stage.host.start("ann", "Why?"))
            while not stage.host._tasks:
                await asyncio.sleep(0)
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
        may_go_on.set()
        await asyncio.gather(*stage.host._tasks)
        assert (await stage.fight()).state is State.READY

    asyncio.run(leave_and_come_back())
    assert {state for (state,) in stage.rows("SELECT state FROM battles")} == {"ready"}


def test_a_battle_cannot_be_skipped_while_its_vote_is_stored(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.script("Because.")
    stored, may_return, vote = threading.Event(), threading.Event(), stage.store.vote

    def slow_vote(*words: Any) -> None:
        vote(*words)
        stored.set()
        may_return.wait(PATIENCE)

    async def vote_and_skip() -> None:
        battle = await stage.fight()
        monkeypatch.setattr(stage.store, "vote", slow_vote)
        voting = asyncio.create_task(stage.host.vote("ann", battle.id, Outcome.TIE))
        await asyncio.to_thread(stored.wait, PATIENCE)
        await stage.host.skip("ann", battle.id)
        with pytest.raises(BattleError, match="being stored"):
            await stage.host.vote("ann", battle.id, Outcome.A_WINS)
        may_return.set()
        assert set((await voting).reveal()) == {"alder", "birch"}

    asyncio.run(vote_and_skip())
    assert [outcome for *_, outcome in stage.votes()] == ["tie"]
