"""How many battles may start and run at once, and that every place is freed however a battle ends."""

import asyncio
from collections.abc import Callable

import pytest

from arena import service as service_module
from arena.backends.base import BackendError, PromptTooLong
from arena.battle import Battle, BattleError, State
from arena.guard.limits import Limits
from arena.guard.prompt_checks import PromptRefused
from arena.ledger.store import LedgerUnavailable, Store
from tests.arena.helpers.played import PlayedBackend, Signal, settle
from tests.arena.helpers.stage import Dim, Stage, run

HOME, OFFICE = "203.0.113.7", "198.51.100.9"


def test_a_limit_refuses_battles_in_words_and_leaves_the_arena_to_the_others(store: Store) -> None:
    stage = Stage(store, limits=Limits("1/minute", "2/minute"))

    async def test() -> None:
        assert (await stage.fight("ann", address=HOME)).state is State.READY
        with pytest.raises(BattleError, match=r"You have started too many battles: try again in \d+ seconds"):
            await stage.service.start("ann", "How?", HOME)
        await stage.fight("bob", address=HOME)
        with pytest.raises(BattleError, match=r"Your network has started too many battles: try again in \d+ seconds"):
            await stage.service.start("cat", "How?", f"::ffff:{HOME}")
        assert (await stage.fight("cat", address=OFFICE)).state is State.READY
        assert stage.taken_places == 0
        assert stage.rows("SELECT count(*) FROM battles") == [(3,)]

    run(test())


def test_battles_of_one_address_leave_places_to_the_others(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "MAX_RUNNING_OF_ADDRESS", 3)

    async def test() -> None:
        gate = Signal()
        stage.script("x", gate)
        for n in range(3):
            await stage.service.start(f"home {n}", "Why?", f"2001:db8:1:2::{n + 1}")
        with pytest.raises(BattleError, match="Many battles"):
            await stage.service.start("home 3", "Why?", "2001:db8:1:2:f::")
        await stage.service.start("office", "Why?", "2001:db8:1:3::1")
        await stage.service.start("nowhere", "Why?")
        gate.set()
        await settle()
        assert (await stage.fight("home 3", address="2001:db8:1:2:f::")).state is State.READY

    run(test())


def test_battles_that_wait_for_models_to_load_take_places(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "MAX_RUNNING", 3)
    alder, birch = Dim(), Dim(ending=" &nbsp;")
    stage = Stage(store, backends={"alder": alder, "birch": birch})

    async def test() -> None:
        waiting = [asyncio.create_task(stage.service.start(f"visitor {n}", "Why?")) for n in range(3)]
        await alder.asked.wait()
        with pytest.raises(BattleError, match="Many battles"):
            await stage.service.start("one more", "Why?")
        alder.lit.set()
        birch.lit.set()
        battles = await asyncio.gather(*waiting)
        await settle()
        assert {battle.state for battle in battles} == {State.READY}
        assert stage.taken_places == 0

    run(test())


class Leaving(PlayedBackend):
    """Ends without a record."""

    async def stream(self, request: object) -> object:  # type: ignore[override]
        yield "no end"


def break_prompt(stage: Stage) -> None:
    stage.backends["alder"].check_error = PromptTooLong(3)


def break_check(stage: Stage) -> None:
    stage.backends["alder"].check_error = RuntimeError("a bug")


def break_begin(stage: Stage) -> None:
    def fail(_: Battle) -> None:
        raise LedgerUnavailable("locked")

    stage.store.begin = fail  # type: ignore[method-assign]


def break_begin_oddly(stage: Stage) -> None:
    def fail(_: Battle) -> None:
        raise RuntimeError("a bug")

    stage.store.begin = fail  # type: ignore[method-assign]


def break_draw(stage: Stage) -> None:
    stage.service._rng = None  # type: ignore[assignment]


def break_stream(stage: Stage) -> None:
    stage.script(BackendError("no weights"))


def break_end(stage: Stage) -> None:
    stage.backends.update(dict.fromkeys(stage.names, Leaving()))  # type: ignore[arg-type]


def break_finish(stage: Stage) -> None:
    def fail(_: Battle) -> None:
        raise RuntimeError("a bug")

    stage.store.finish = fail  # type: ignore[method-assign]


def break_void(stage: Stage) -> None:
    def fail(*_: str) -> None:
        raise RuntimeError("a bug")

    stage.script(BackendError("no weights"))
    stage.store.void = fail  # type: ignore[method-assign]


def break_names(stage: Stage) -> None:
    stage.service._fights._names = (None,)  # type: ignore[assignment]


FAULTS = [break_prompt, break_check, break_begin, break_begin_oddly, break_draw, break_stream, break_end, break_finish,
          break_void, break_names]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_whatever_goes_wrong_the_place_is_free_again(store: Store, fault: Callable[[Stage], None]) -> None:
    stage = Stage(store)
    fault(stage)

    async def test() -> None:
        try:
            battle = await stage.service.start("ann", "Why?", HOME)
        except (PromptRefused, BattleError, RuntimeError, AttributeError):
            pass
        else:
            while stage.service._fights.tasks:
                await settle()
            assert battle.state is State.VOID
        await asyncio.sleep(0)
        assert stage.taken_places == 0
        assert stage.service._starting == {}

    run(test())
