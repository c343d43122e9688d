"""Battles that fail by a side, the ledger or a timeout become void, and nothing is left behind."""

from typing import Any

import pytest

from arena import fight as fight_module
from arena.backends.base import BackendError, PromptTooLong
from arena.battle import SIDES, Battle, BattleError, State
from arena.ledger.store import Store
from arena.service import Service
from ratings.outcomes import Outcome
from tests.arena.helpers.played import PlayedBackend, Signal, make_contestant, make_reply, settle
from tests.arena.helpers.stage import Stage, run

FAILURES = [BackendError("CUDA out of memory"), RuntimeError("a bug"), TimeoutError("its own"), ConnectionError("gone")]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_a_failing_side_voids_the_battle_and_the_other_side_is_stopped(stage: Stage, error: Exception) -> None:
    async def test() -> None:
        stage.script("x", Signal(), name="alder")
        stage.script(stage.backends["alder"].started, error, name="birch")
        battle = await stage.fight()
        reason = f"birch: {error}"
        assert (battle.state, battle.void_reason) == (State.VOID, reason)
        assert stage.backends["alder"].abandoned.is_set()
        assert stage.rows("SELECT state, void_reason FROM battles") == [("void", reason)]
        with pytest.raises(BattleError, match="void"):
            await stage.service.vote("ann", battle.id, Outcome.TIE)
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
    class Cut(PlayedBackend):
        async def stream(self, request: Any) -> Any:
            yield "no end"

    async def test() -> None:
        service = Service(tuple(map(make_contestant, stage.names)), {name: Cut() for name in stage.names}, stage.store)
        battle = await service.start("ann", "Why?")
        await settle()
        assert battle.state is State.VOID
        assert stage.rows("SELECT state FROM battles") == [("void",)]

    run(test())


def test_a_prompt_that_only_the_endpoint_finds_too_long_voids_the_battle_and_benches_nobody(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        stage.script("x", Signal(), name="alder")
        stage.script(stage.backends["alder"].started, PromptTooLong(40), name="birch")
        battle = await stage.fight()
        assert battle.state is State.VOID
        assert battle.void_reason == "the prompt does not fit the context: at most about 40 characters would"
        assert stage.service.bench.absent() == {}
        assert not [record for record in caplog.records if record.levelname == "ERROR"]

    run(test())


def test_a_reply_that_takes_too_long_voids_the_battle(store: Store) -> None:
    stage = Stage(store, seconds=0.05)

    async def test() -> None:
        stage.script("x", Signal())
        battle = await stage.fight()
        assert battle.state is State.VOID
        assert battle.void_reason in {f"{name}: no reply within 0.05 s" for name in stage.names}
        assert all(backend.abandoned.is_set() for backend in stage.backends.values())
        assert stage.stored(battle) == ("void", battle.void_reason)

    run(test())


def test_each_contestant_has_the_seconds_of_its_own_and_some_grace(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fight_module, "GRACE_SECONDS", 0.05)
    stage = Stage(store, seconds=None)
    birch = make_contestant("birch")
    quick = birch.model_copy(update={"sampling": birch.sampling.model_copy(update={"max_seconds": 0.05})})
    stage.service._contestants["birch"] = quick

    async def test() -> None:
        stage.script("x", Signal())
        battle = await stage.fight()
        assert stage.stored(battle) == ("void", "birch: no reply within 0.1 s")
        assert list(stage.service.bench.absent()) == ["birch"]

    run(test())


def test_what_comes_after_a_record_is_no_part_of_the_reply(stage: Stage) -> None:
    class Chatty(PlayedBackend):
        async def stream(self, request: Any) -> Any:
            yield make_reply("Done.")
            yield " And another thing."
            raise BackendError("late")

    async def test() -> None:
        stage.backends["birch"] = stage.service._backends["birch"] = Chatty()  # type: ignore[index]
        battle = await stage.fight()
        assert battle.state is State.READY
        assert {battle.contestant(side): battle.texts[side] for side in SIDES}["birch"] == "Done."
        assert stage.service.bench.absent() == {}

    run(test())


def test_replies_whose_battle_another_process_swept_away_void_it(stage: Stage) -> None:
    async def test() -> None:
        gate = Signal()
        stage.script("x", gate)
        battle = await stage.service.start("ann", "Why?")
        stage.store.sweep()
        gate.set()
        await settle()
        assert battle.state is State.VOID
        assert stage.stored(battle) == ("void", "the server restarted")

    run(test())


def test_replies_that_cannot_be_stored_for_a_reason_of_their_own_void_the_battle(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Battle) -> None:
        raise UnicodeError("surrogates not allowed")

    async def test() -> None:
        monkeypatch.setattr(stage.store, "finish", fail)
        battle = await stage.fight()
        assert stage.stored(battle) == (battle.state.value, battle.void_reason) == ("void", "surrogates not allowed")

    run(test())


def test_a_battle_that_could_not_be_begun_leaves_nothing_behind(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Battle) -> None:
        raise RuntimeError("a bug")

    async def test() -> None:
        older = await stage.fight()
        asked = [len(backend.requests) for backend in stage.backends.values()]
        with monkeypatch.context() as patch:
            patch.setattr(stage.store, "begin", fail)
            for _ in range(5):
                with pytest.raises(RuntimeError, match="a bug"):
                    await stage.service.start("ann", "Why?")
        assert stage.rows("SELECT count(*) FROM battles") == [(1,)]
        assert await stage.service.open_battle("ann") is older
        assert [len(backend.requests) for backend in stage.backends.values()] == asked
        assert stage.taken_places == 0
        assert (await stage.fight()).state is State.READY

    run(test())
