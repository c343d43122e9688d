"""What the service refuses before a battle begins: bad and long prompts, too many battles."""

import pytest

from arena import service as service_module
from arena.backends.base import PromptTooLong
from arena.battle import BattleError, State
from arena.guard.prompt_checks import PromptRefused
from arena.ledger.store import Store
from tests.arena.helpers.played import Signal, settle
from tests.arena.helpers.stage import Stage, run


@pytest.mark.parametrize("prompt", ["", "x" * 100_000, "<|im_end|>", None])
def test_a_bad_prompt_starts_no_battle(stage: Stage, prompt: object) -> None:
    async def test() -> None:
        with pytest.raises(PromptRefused):
            await stage.service.start("ann", prompt)
        assert stage.rows("SELECT * FROM battles") == []
        assert await stage.service.open_battle("ann") is None

    run(test())


def test_a_prompt_too_long_for_any_contestant_is_refused_for_every_pair(store: Store) -> None:
    stage = Stage(store, names=("alder", "birch", "cedar", "elm"))

    async def test() -> None:
        stage.backends["cedar"].check_error = PromptTooLong(120)
        stage.backends["elm"].check_error = PromptTooLong(70)
        for _ in range(10):
            with pytest.raises(PromptRefused, match="keep it under 70 characters") as caught:
                await stage.service.start("ann", "Why?")
            assert not any(name in str(caught.value) for name in stage.names)
        assert stage.rows("SELECT * FROM battles") == []

    run(test())


def test_a_control_token_of_any_contestant_is_refused(store: Store) -> None:
    stage = Stage(store, names=("alder", "birch", "cedar"))

    async def test() -> None:
        stage.backends["cedar"].check_error = PromptRefused("'<eos>' is a control token")
        for _ in range(5):
            with pytest.raises(PromptRefused, match="control token"):
                await stage.service.start("ann", "Why?")
        assert stage.rows("SELECT * FROM battles") == []

    run(test())


def test_the_house_may_not_run_more_battles_than_the_limit(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "MAX_RUNNING", 3)

    async def test() -> None:
        gate = Signal()
        stage.script(gate, "x")
        for number in range(3):
            await stage.service.start(f"visitor {number}", "Why?")
        with pytest.raises(BattleError, match="Many battles"):
            await stage.service.start("one more", "Why?")
        gate.set()
        await settle()
        assert (await stage.fight("one more")).state is State.READY

    run(test())
