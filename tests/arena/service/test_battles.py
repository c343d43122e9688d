"""Battles with scripted backends: the order of events, from the prompt to the open vote."""

import asyncio
import math
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from arena import fight as fight_module
from arena.battle import SAME_REPLIES, SIDES, Battle, BattleError, State
from arena.ledger.store import Store
from arena.pace import HELD, KEPT_REPLIES, MARGIN, Pace
from arena.pairing import Draw
from arena.service import Service
from ratings.outcomes import Outcome
from tests.arena.helpers.played import PlayedBackend, Signal, make_contestant, make_reply, settle
from tests.arena.helpers.stage import Slowly, Stage, run


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


def test_text_can_be_looked_at_while_it_is_written(store: Store) -> None:
    stage = Stage(store, is_paced=True)

    async def test() -> None:
        gate = Signal()
        stage.script("So far, so good.", gate, " And on.")
        battle = await stage.service.start("ann", "Why?")
        battle.pace.wait = None  # which is shown while it is written
        shown = len("So far, so good.") - HELD
        while battle.pace.characters < shown:
            await asyncio.sleep(0.01)
        assert battle.state is State.GENERATING
        assert set(battle.texts.values()) == {"So far, so good."}
        assert {battle.shown(side) for side in SIDES} == {"So far, so good."[:shown]}
        gate.set()
        await settle()
        assert {battle.shown(side).replace(" &nbsp;", "") for side in SIDES} == {"So far, so good. And on."}

    run(test())


def test_the_vote_opens_when_both_replies_are_written_stored_and_shown(store: Store) -> None:
    stage = Stage(store, is_paced=True)

    async def test() -> None:
        gate = Signal()
        stage.script("x", gate)
        battle = await stage.service.start("ann", "Why?")
        battle.pace.wait = 3600.0
        gate.set()
        while stage.stored(battle)[0] == "generating":
            await asyncio.sleep(0.01)
        assert set(battle.replies) == set(SIDES)
        for _ in range(3):
            await asyncio.sleep(fight_module.LOOK_SECONDS)
            assert battle.state is State.GENERATING
            with pytest.raises(BattleError, match="still being written"):
                await stage.service.vote("ann", battle.id, Outcome.TIE)
        battle.pace.wait = 0.0
        await settle()
        assert battle.state is State.READY

    run(test())


def test_the_vote_does_not_open_before_the_replies_are_stored(store: Store) -> None:
    stage = Stage(store, is_paced=True)

    async def test() -> None:
        with Slowly(stage.store, "finish", is_done_first=True) as storing:
            battle = await stage.service.start("ann", "Why?")
            await storing.began.wait()
            while not battle.pace.is_done:
                await asyncio.sleep(fight_module.LOOK_SECONDS)
            for _ in range(3):
                await asyncio.sleep(fight_module.LOOK_SECONDS)
                assert battle.state is State.GENERATING
        await settle()
        assert battle.state is State.READY

    run(test())


def test_both_sides_are_shown_at_the_pace_of_the_slower_contestant(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fight_module, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(Pace, "is_done", True)  # so that nobody waits until it is shown
    for n in range(4):
        timed = Battle(f"visitor {n}", "Why?", Draw("alder", "birch", 1.0))
        store.begin(timed)
        timed.finish("a", make_reply("x" * 100, seconds=2.0, first_seconds=1.0))  # 100 letters a second
        timed.finish("b", make_reply("y" * 100, seconds=6.0, first_seconds=1.0))  # 20
        store.finish(timed)

    async def test() -> None:
        stage = Stage(store, is_paced=True)
        battle = await stage.fight()
        assert (battle.pace.rate, battle.pace.wait) == (pytest.approx(20 * MARGIN), None)
        stage.script(make_reply("x" * 100, seconds=2.0, first_seconds=1.0), name="alder")  # 100, as before
        stage.script(make_reply("z" * 100, seconds=1.5, first_seconds=1.0), name="birch")  # 200
        for _ in range(KEPT_REPLIES):
            await stage.fight()
        battle = await stage.fight()
        assert (battle.pace.rate, battle.pace.wait) == (pytest.approx(100 * MARGIN), 2.0)
        unpaced = await Stage(store, is_paced=False).fight("bob")
        assert (unpaced.pace.rate, unpaced.pace.wait) == (math.inf, None)

    run(test())


def test_replies_that_are_the_same_end_the_battle_without_a_vote(stage: Stage) -> None:
    async def test() -> None:
        stage.script(make_reply("It is  cold."), name="alder")
        stage.script(make_reply("It is\ncold. "), name="birch")
        battle = await stage.fight()
        assert (battle.state, battle.void_reason) == (State.VOID, SAME_REPLIES)
        assert stage.rows("SELECT state, void_reason, length(reply_a) > 0, length(reply_b) > 0 FROM battles") == [
            ("void", SAME_REPLIES, 1, 1)
        ]
        with pytest.raises(BattleError, match="void"):
            await stage.service.vote("ann", battle.id, Outcome.TIE)
        with pytest.raises(BattleError):
            battle.reveal()
        assert stage.service.bench.absent() == {}
        assert await stage.service.open_battle("ann") is None

    run(test())


def test_a_battle_is_in_the_ledger_before_anybody_is_asked(store: Store) -> None:
    seen: list[Any] = []

    class Looking(PlayedBackend):
        async def stream(self, request: Any) -> Any:
            with closing(sqlite3.connect(store.path)) as connection:
                seen.append(connection.execute("SELECT state FROM battles").fetchall())
            async for event in super().stream(request):
                yield event

    async def test() -> None:
        stage = Stage(store)
        looking = {name: Looking() for name in stage.names}
        service = Service(tuple(map(make_contestant, stage.names)), looking, store)
        await service.start("ann", "Why?")
        await settle()

    run(test())
    assert seen == [[("generating",)]] * 2


def test_each_side_gets_the_prompt_and_a_seed_of_its_own(stage: Stage) -> None:
    async def test() -> None:
        for _ in range(5):
            await stage.fight()

    run(test())
    requests = [request for backend in stage.backends.values() for request in backend.requests]
    assert {request.conversation.prompt for request in requests} == {"Why?"}
    assert len({request.seed for request in requests}) == len(requests) == 10


def test_the_system_message_stands_in_the_recipe(store: Store) -> None:
    stage = Stage(store)
    service = stage.service
    told = stage.service._contestants["alder"].model_copy(update={"system": "Be brief."})
    service._contestants["alder"] = told

    async def test() -> None:
        battle = await stage.fight()
        recipes = {battle.contestant(side): battle.replies[side].recipe for side in battle.replies}
        assert recipes["alder"]["system"] == "Be brief."
        assert "system" not in recipes["birch"]
        assert stage.backends["alder"].requests[0].conversation.system == "Be brief."
        [row] = stage.rows("SELECT record_a, record_b FROM battles")
        assert sum("Be brief." in record for record in row) == 1

    run(test())
