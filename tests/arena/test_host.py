"""Hosting battles with scripted backends: order of events, refusals, failures, limits, restarts."""

import asyncio
import random
import sqlite3
import threading
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from scripted import PATIENCE, ScriptedBackend, Signal, Step, make_contestant, make_reply, settle

from arena import host as host_module
from arena.backends import BackendError, PromptTooLong
from arena.battle import Battle, BattleError, State
from arena.guard import PromptRefused
from arena.host import Host
from arena.store import Store, VoteRefused
from ratings.outcomes import Outcome


@dataclass
class Stage:
    """A host on a ledger, with a scripted backend for each of its contestants."""

    store: Store
    names: tuple[str, ...] = ("alder", "birch")
    seconds: float = PATIENCE
    backends: dict[str, ScriptedBackend] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.backends = {name: ScriptedBackend() for name in self.names}
        contestants = tuple(make_contestant(name) for name in self.names)
        self.host = Host(contestants, self.backends, self.store, rng=random.Random(4), reply_seconds=self.seconds)

    def script(self, *steps: Step, name: str | None = None) -> None:
        for each in self.names if name is None else (name,):
            self.backends[each].steps = steps

    async def fight(self, visitor: str = "ann", prompt: str = "Why?") -> Battle:
        """Start a battle and wait for its end."""
        battle = await self.host.start(visitor, prompt)
        await settle()
        return battle

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.store.path)) as connection:
            return connection.execute(sql).fetchall()

    def votes(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT battle_id, visitor, outcome FROM votes")


@pytest.fixture
def stage(store: Store) -> Stage:
    return Stage(store)


def run(test: Coroutine[Any, Any, None]) -> None:
    async def with_patience() -> None:
        async with asyncio.timeout(PATIENCE * 2):
            await test

    asyncio.run(with_patience())


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


def test_a_vote_is_stored_and_then_the_names_are_told(stage: Stage) -> None:
    async def test() -> None:
        battle = await stage.fight()
        with pytest.raises(BattleError):
            battle.reveal()
        voted = await stage.host.vote("ann", battle.id, Outcome.B_WINS)
        assert voted is battle
        assert set(voted.reveal()) == {"alder", "birch"}
        assert stage.votes() == [(battle.id, "ann", "model_b")]
        assert stage.rows("SELECT model_a, model_b FROM votes") == [voted.reveal()]

    run(test())


def test_a_vote_before_both_replies_end_is_refused(stage: Stage) -> None:
    async def test() -> None:
        gate = Signal()
        stage.script("x", gate)
        battle = await stage.host.start("ann", "Why?")
        with pytest.raises(BattleError, match="still being written"):
            await stage.host.vote("ann", battle.id, Outcome.TIE)
        gate.set()
        await settle()
        assert stage.votes() == []
        await stage.host.vote("ann", battle.id, Outcome.TIE)
        assert len(stage.votes()) == 1

    run(test())


def test_a_vote_of_another_visitor_is_refused(stage: Stage) -> None:
    async def test() -> None:
        battle = await stage.fight("ann")
        with pytest.raises(BattleError, match="another visitor"):
            await stage.host.vote("bob", battle.id, Outcome.TIE)
        assert stage.votes() == []
        assert battle.state is State.READY

    run(test())


def test_a_second_vote_is_refused(stage: Stage) -> None:
    async def test() -> None:
        battle = await stage.fight()
        await stage.host.vote("ann", battle.id, Outcome.A_WINS)
        with pytest.raises(BattleError, match="has its vote"):
            await stage.host.vote("ann", battle.id, Outcome.B_WINS)
        assert stage.votes() == [(battle.id, "ann", "model_a")]
        assert battle.outcome is Outcome.A_WINS

    run(test())


def test_of_two_votes_at_the_same_moment_one_counts(stage: Stage) -> None:
    async def test() -> None:
        battle = await stage.fight()
        votes = [stage.host.vote("ann", battle.id, outcome) for outcome in (Outcome.A_WINS, Outcome.B_WINS)]
        said = await asyncio.gather(*votes, return_exceptions=True)
        assert sorted(type(answer) for answer in said if answer is not battle) == [BattleError]
        [(_, _, outcome)] = stage.votes()
        assert battle.outcome is not None
        assert battle.outcome.value == outcome

    run(test())


@pytest.mark.parametrize("battle_id", ["", "0" * 32, "none"])
def test_a_vote_on_no_battle_is_refused(stage: Stage, battle_id: str) -> None:
    async def test() -> None:
        with pytest.raises(BattleError, match="no battle to vote on"):
            await stage.host.vote("ann", battle_id, Outcome.TIE)

    run(test())


def test_a_vote_that_the_ledger_refuses_names_nobody(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise VoteRefused

    async def test() -> None:
        battle = await stage.fight()
        monkeypatch.setattr(stage.store, "vote", refuse)
        with pytest.raises(BattleError, match="takes no vote any more"):
            await stage.host.vote("ann", battle.id, Outcome.TIE)
        with pytest.raises(BattleError):
            battle.reveal()

    run(test())


def test_a_vote_that_could_not_be_written_can_be_cast_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk is full")

    async def test() -> None:
        battle = await stage.fight()
        with monkeypatch.context() as patch:
            patch.setattr(stage.store, "vote", fail)
            with pytest.raises(sqlite3.OperationalError):
                await stage.host.vote("ann", battle.id, Outcome.TIE)
        assert battle.state is State.READY
        await stage.host.vote("ann", battle.id, Outcome.TIE)
        assert len(stage.votes()) == 1

    run(test())


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


@pytest.mark.parametrize("prompt", ["", "x" * 100_000, "<|im_end|>", None])
def test_a_bad_prompt_starts_no_battle(stage: Stage, prompt: object) -> None:
    async def test() -> None:
        with pytest.raises(PromptRefused):
            await stage.host.start("ann", prompt)
        assert stage.rows("SELECT * FROM battles") == []
        assert await stage.host.open_battle("ann") is None

    run(test())


def test_a_prompt_too_long_for_any_contestant_is_refused_whoever_would_meet(store: Store) -> None:
    stage = Stage(store, names=("alder", "birch", "cedar", "elm"))

    async def test() -> None:
        stage.backends["cedar"].check_error = PromptTooLong(120)
        stage.backends["elm"].check_error = PromptTooLong(70)
        for _ in range(10):
            with pytest.raises(PromptRefused, match="keep it under 70 characters") as caught:
                await stage.host.start("ann", "Why?")
            assert not any(name in str(caught.value) for name in stage.names)
        assert stage.rows("SELECT * FROM battles") == []

    run(test())


def test_a_control_token_of_any_contestant_is_refused(store: Store) -> None:
    stage = Stage(store, names=("alder", "birch", "cedar"))

    async def test() -> None:
        stage.backends["cedar"].check_error = PromptRefused("'<eos>' is a control token")
        for _ in range(5):
            with pytest.raises(PromptRefused, match="control token"):
                await stage.host.start("ann", "Why?")
        assert stage.rows("SELECT * FROM battles") == []

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


def test_a_visitor_may_not_run_more_battles_than_the_limit(stage: Stage) -> None:
    async def test() -> None:
        gate = Signal()
        stage.script(gate, "x")
        for _ in range(host_module.MAX_RUNNING_OF_VISITOR):
            await stage.host.start("ann", "Why?")
        with pytest.raises(BattleError, match="Your last battle is still being written"):
            await stage.host.start("ann", "Why?")
        await stage.host.start("bob", "Why?")
        gate.set()
        await settle()
        assert (await stage.fight("ann")).state is State.READY
        assert len(stage.rows("SELECT * FROM battles")) == host_module.MAX_RUNNING_OF_VISITOR + 2

    run(test())


def test_battles_begun_at_the_same_moment_do_not_pass_the_limit(stage: Stage) -> None:
    async def test() -> None:
        gate = Signal()
        stage.script(gate, "x")
        begun = await asyncio.gather(*(stage.host.start("ann", "Why?") for _ in range(6)), return_exceptions=True)
        assert sum(isinstance(each, Battle) for each in begun) == host_module.MAX_RUNNING_OF_VISITOR
        gate.set()
        await settle()

    run(test())


def test_the_house_may_not_run_more_battles_than_the_limit(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "MAX_RUNNING", 3)

    async def test() -> None:
        gate = Signal()
        stage.script(gate, "x")
        for number in range(3):
            await stage.host.start(f"visitor {number}", "Why?")
        with pytest.raises(BattleError, match="Many battles"):
            await stage.host.start("one more", "Why?")
        gate.set()
        await settle()
        assert (await stage.fight("one more")).state is State.READY

    run(test())


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
