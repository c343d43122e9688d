"""Votes: stored once, only from the battle's visitor, and the names only afterwards."""

import asyncio

import pytest

from arena.battle import BattleError, State
from arena.ledger.store import VoteRefused
from ratings.outcomes import Outcome
from tests.arena.helpers.played import Signal, settle
from tests.arena.helpers.stage import Slowly, Stage, run


def test_a_vote_is_stored_and_then_the_names_are_shown(stage: Stage) -> None:
    async def test() -> None:
        battle = await stage.fight()
        with pytest.raises(BattleError):
            battle.reveal()
        voted = await stage.service.vote("ann", battle.id, Outcome.B_WINS)
        assert voted is battle
        assert set(voted.reveal()) == {"alder", "birch"}
        assert stage.votes() == [(battle.id, "ann", "model_b")]
        assert stage.rows("SELECT model_a, model_b FROM votes") == [voted.reveal()]

    run(test())


def test_a_vote_before_both_replies_end_is_refused(stage: Stage) -> None:
    async def test() -> None:
        gate = Signal()
        stage.script("x", gate)
        battle = await stage.service.start("ann", "Why?")
        with pytest.raises(BattleError, match="still being written"):
            await stage.service.vote("ann", battle.id, Outcome.TIE)
        gate.set()
        await settle()
        assert stage.votes() == []
        await stage.service.vote("ann", battle.id, Outcome.TIE)
        assert len(stage.votes()) == 1

    run(test())


def test_a_vote_of_another_visitor_is_refused(stage: Stage) -> None:
    async def test() -> None:
        battle = await stage.fight("ann")
        with pytest.raises(BattleError, match="another visitor"):
            await stage.service.vote("bob", battle.id, Outcome.TIE)
        assert stage.votes() == []
        assert battle.state is State.READY

    run(test())


def test_a_second_vote_is_refused(stage: Stage) -> None:
    async def test() -> None:
        battle = await stage.fight()
        await stage.service.vote("ann", battle.id, Outcome.A_WINS)
        with pytest.raises(BattleError, match="has its vote"):
            await stage.service.vote("ann", battle.id, Outcome.B_WINS)
        assert stage.votes() == [(battle.id, "ann", "model_a")]
        assert battle.outcome is Outcome.A_WINS

    run(test())


def test_of_two_votes_at_the_same_moment_one_counts(stage: Stage) -> None:
    async def test() -> None:
        battle = await stage.fight()
        votes = [stage.service.vote("ann", battle.id, outcome) for outcome in (Outcome.A_WINS, Outcome.B_WINS)]
        answers = await asyncio.gather(*votes, return_exceptions=True)
        assert sorted(type(answer) for answer in answers if answer is not battle) == [BattleError]
        [(_, _, outcome)] = stage.votes()
        assert battle.outcome is not None
        assert battle.outcome.value == outcome

    run(test())


@pytest.mark.parametrize("battle_id", ["", "0" * 32, "none"])
def test_a_vote_on_no_battle_is_refused(stage: Stage, battle_id: str) -> None:
    async def test() -> None:
        with pytest.raises(BattleError, match="no battle to vote on"):
            await stage.service.vote("ann", battle_id, Outcome.TIE)

    run(test())


def test_a_vote_that_the_ledger_refuses_names_nobody(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise VoteRefused

    async def test() -> None:
        battle = await stage.fight()
        monkeypatch.setattr(stage.store, "vote", refuse)
        with pytest.raises(BattleError, match="takes no vote any more"):
            await stage.service.vote("ann", battle.id, Outcome.TIE)
        with pytest.raises(BattleError):
            battle.reveal()

    run(test())


def test_a_vote_that_failed_in_a_way_of_its_own_can_be_cast_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    async def test() -> None:
        battle = await stage.fight()
        with monkeypatch.context() as patch:
            patch.setattr(stage.store, "vote", fail)
            with pytest.raises(RuntimeError, match="a bug"):
                await stage.service.vote("ann", battle.id, Outcome.TIE)
        assert battle.state is State.READY
        with pytest.raises(BattleError):
            battle.reveal()
        await stage.service.vote("ann", battle.id, Outcome.TIE)
        assert len(stage.votes()) == 1

    run(test())
    assert "unexpected error" in caplog.text


def test_a_battle_can_be_neither_skipped_nor_voted_on_again_while_its_vote_is_stored(stage: Stage) -> None:
    async def test() -> None:
        battle = await stage.fight()
        with Slowly(stage.store, "vote", is_done_first=True) as storing:
            voting = asyncio.create_task(stage.service.vote("ann", battle.id, Outcome.TIE))
            await storing.began.wait()
            await stage.service.skip("ann", battle.id)
            with pytest.raises(BattleError, match="being stored"):
                await stage.service.vote("ann", battle.id, Outcome.A_WINS)
            with pytest.raises(BattleError):
                battle.reveal()  # the answer of the ledger is still on its way
        assert set((await voting).reveal()) == {"alder", "birch"}
        assert [outcome for *_, outcome in stage.votes()] == ["tie"]

    run(test())
