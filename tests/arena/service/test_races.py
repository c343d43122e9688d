"""Simultaneous actions and cancelled requests: memory and ledger stay consistent."""

import asyncio

import pytest

from arena import service as service_module
from arena.battle import LEFT, Battle, BattleError, State
from arena.guard.prompt_checks import PromptRefused
from arena.ledger.store import Store
from ratings.outcomes import Outcome
from tests.arena.helpers.played import PlayedBackend, Signal, make_backends, settle
from tests.arena.helpers.stage import Dim, Slowly, Stage, run


async def give_up(request: "asyncio.Task[object]") -> None:
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request


def test_a_vote_whose_request_was_given_up_while_it_was_stored_counts_and_is_known(stage: Stage) -> None:
    async def test() -> None:
        battle = await stage.fight()
        with Slowly(stage.store, "vote") as storing:
            voting = asyncio.create_task(stage.service.vote("ann", battle.id, Outcome.A_WINS))
            await storing.began.wait()
            await give_up(voting)
            await stage.service.skip("ann", battle.id)
            with pytest.raises(BattleError, match="being stored"):
                await stage.service.vote("ann", battle.id, Outcome.TIE)
        await settle()
        assert (battle.state, battle.outcome) == (State.VOTED, Outcome.A_WINS)
        assert stage.votes() == [(battle.id, "ann", "model_a")]
        with pytest.raises(BattleError, match="has its vote"):
            await stage.service.vote("ann", battle.id, Outcome.TIE)

    run(test())


def test_a_skip_whose_request_was_given_up_reaches_the_ledger(stage: Stage) -> None:
    async def test() -> None:
        battle = await stage.fight()
        busy = Signal()
        # More jobs than there are threads: the skip's own has not begun when its request is given up.
        jobs = [asyncio.create_task(asyncio.to_thread(busy.wait_here)) for _ in range(40)]
        skipping = asyncio.create_task(stage.service.skip("ann", battle.id))
        while battle.state is State.READY:
            await asyncio.sleep(0)
        await give_up(skipping)
        busy.set()
        await asyncio.gather(*jobs)
        await settle()
        assert stage.stored(battle) == ("void", "skipped by the visitor")

    run(test())


def test_a_battle_whose_visitor_left_while_it_began_goes_on(stage: Stage) -> None:
    async def test() -> None:
        with Slowly(stage.store, "begin") as beginning:
            for _ in range(2):
                request = asyncio.create_task(stage.service.start("ann", "Why?"))
                await beginning.began.wait()
                await give_up(request)
        while stage.service._fights.tasks:
            await settle()
        assert stage.rows("SELECT state FROM battles") == [("ready",)]
        assert stage.taken_places == 0

    run(test())


@pytest.mark.parametrize("error", [PromptRefused("no"), RuntimeError("a bug")], ids=["refusal", "bug"])
def test_a_start_that_fails_after_its_visitor_left_frees_its_place_and_is_not_lost(
    store: Store, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        stage = Stage(store, backends={"alder": Dim(), "birch": Dim(ending=" ")})
        stage.backends["alder"].check_error = stage.backends["birch"].check_error = error
        request = asyncio.create_task(stage.service.start("ann", "Why?"))
        for backend in stage.backends.values():
            if isinstance(backend, Dim):
                backend.lit.set()
        while not stage.service._starting:
            await asyncio.sleep(0)
        await give_up(request)
        while stage.service._starting:
            await asyncio.sleep(0)
        assert stage.taken_places == 0

    run(test())


def test_the_same_prompt_sent_twice_at_once_is_one_battle(stage: Stage) -> None:
    async def test() -> None:
        begun = await asyncio.gather(*(stage.service.start("ann", prompt) for prompt in ("Why?", " Why? ", "Why?\r\n")))
        assert begun[0] is begun[1] is begun[2]
        assert await stage.service.start("ann", "Why?") is begun[0]
        await settle()
        assert stage.rows("SELECT count(*) FROM battles") == [(1,)]

    run(test())


def test_another_prompt_while_one_starts_or_runs_is_refused_and_changes_nothing(store: Store) -> None:
    stage = Stage(store, backends={"alder": Dim("x"), "birch": Dim("y")})
    alder, birch = stage.backends["alder"], stage.backends["birch"]
    assert isinstance(alder, Dim)
    assert isinstance(birch, Dim)

    async def test() -> None:
        gate = Signal()
        stage.script("x", gate)
        first = asyncio.create_task(stage.service.start("ann", "Why?"))
        await alder.asked.wait()
        with pytest.raises(BattleError, match="is just being sent"):
            await stage.service.start("ann", "How?")
        alder.lit.set()
        birch.lit.set()
        battle = await first
        with pytest.raises(BattleError, match="still being written"):
            await stage.service.start("ann", "How?")
        gate.set()
        await settle()
        assert stage.rows("SELECT id, prompt FROM battles") == [(battle.id, "Why?")]

    run(test())


def test_a_battle_that_is_starting_can_be_waited_for_by_another_tab(store: Store) -> None:
    stage = Stage(store, backends={"alder": Dim("x"), "birch": Dim("y")})

    async def test() -> None:
        first = asyncio.create_task(stage.service.start("ann", "Why?"))
        while not stage.service._starting:
            await asyncio.sleep(0)
        other = asyncio.create_task(stage.service.open_battle("ann"))
        for backend in stage.backends.values():
            assert isinstance(backend, Dim)
            backend.lit.set()
        assert await other is await first
        await settle()

    run(test())


@pytest.mark.parametrize("is_done_first", [False, True], ids=["the prompt is first", "the vote is first"])
def test_a_vote_and_a_new_prompt_at_the_same_moment(stage: Stage, is_done_first: bool) -> None:
    """The ledger decides: the vote is there and the battle has it, or it was left and the vote is refused."""

    async def test() -> None:
        older = await stage.fight()
        with Slowly(stage.store, "vote", is_done_first=is_done_first) as storing:
            voting = asyncio.create_task(stage.service.vote("ann", older.id, Outcome.TIE))
            await storing.began.wait()
            newer = await stage.service.start("ann", "How?")
        if is_done_first:
            assert await voting is older
            assert older.state is State.VOTED
            assert older.outcome is Outcome.TIE
        else:
            with pytest.raises(BattleError, match="takes no vote any more"):
                await voting
        await settle()
        found = await stage.service.find(older.id)
        assert found is not None
        assert (found.state.value, found.void_reason) == stage.stored(older)
        assert stage.stored(older) == (("voted", "") if is_done_first else ("void", LEFT))
        assert len(stage.votes()) == is_done_first
        assert await stage.service.open_battle("ann") is newer

    run(test())


@pytest.mark.parametrize("is_done_first", [False, True], ids=["read late", "read early"])
def test_a_battle_read_back_while_a_new_one_begins_does_not_stand_before_it(store: Store, is_done_first: bool) -> None:
    asyncio.run(fight_in_an_earlier_run(store))

    async def test() -> None:
        stage = Stage(store)
        with Slowly(store, "open_battle", is_done_first=is_done_first) as reading:
            resuming = asyncio.create_task(stage.service.open_battle("ann"))
            await reading.began.wait()
            newer = await stage.service.start("ann", "How?")
        found = await resuming
        assert found is None or found is newer
        assert await stage.service.open_battle("ann") is newer
        await settle()
        assert [b.id for b in stage.service._battles.values() if b.state is State.READY] == [newer.id]

    run(test())


async def fight_in_an_earlier_run(store: Store) -> Battle:
    return await Stage(store).fight()


def test_a_battle_that_nobody_runs_any_more_is_void_and_stops_nobody(store: Store) -> None:
    left = Battle("ann", "Why?", service_module.draw_pair(("alder", "birch"), service_module.random.Random(0)))
    store.begin(left)

    async def test() -> None:
        stage = Stage(store)
        found = await stage.service.find(left.id)
        assert found is not None
        assert found.state is State.VOID
        await stage.service.skip("ann", left.id)
        with pytest.raises(BattleError, match="void"):
            await stage.service.vote("ann", left.id, Outcome.TIE)
        assert await stage.service.open_battle("ann") is None
        assert (await stage.fight("ann", "How?")).state is State.READY

    run(test())


def test_a_vote_that_another_process_stored_first_is_what_the_page_then_shows(stage: Stage) -> None:
    async def test() -> None:
        battle = await stage.fight()
        stage.store.vote(battle.id, "ann", Outcome.B_WINS)
        with pytest.raises(BattleError, match="takes no vote any more"):
            await stage.service.vote("ann", battle.id, Outcome.A_WINS)
        found = await stage.service.find(battle.id)
        assert found is not None
        assert (found.state, found.outcome) == (State.VOTED, Outcome.B_WINS)

    run(test())


def test_a_reply_that_cancels_itself_voids_its_battle(store: Store) -> None:
    class Cancelled(PlayedBackend):
        async def stream(self, request: object) -> object:  # type: ignore[override]
            yield "It "
            raise asyncio.CancelledError  # what a future says whose executor was shut down

    async def test() -> None:
        stage = Stage(store, backends=make_backends(("alder",)) | {"birch": Cancelled()})
        battle = await stage.fight()
        assert (battle.state, stage.stored(battle)[0]) == (State.VOID, "void")
        assert list(stage.service.bench.absent()) == ["birch"]
        assert stage.taken_places == 0

    run(test())
