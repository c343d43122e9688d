"""Weights come into memory when they are asked for, and leave it for others."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arena.backends.base import BackendError
from arena.backends.local import TransformersBackend, engine
from arena.backends.memory import Memory
from arena.checkpoints.size import count_parameters, estimate_size
from arena.contestants import Sampling
from common.conversation import Conversation
from tests.arena.backends.asked import CHAT, ask, copy_checkpoint, read, replies, run
from tests.arena.helpers.played import PATIENCE

Open = Callable[..., TransformersBackend]


@pytest.fixture
def opened() -> Iterator[Open]:
    made: list[TransformersBackend] = []

    def open_one(path: Path, **options: object) -> TransformersBackend:
        made.append(TransformersBackend(path, (path.name,), **options))  # type: ignore[arg-type]
        return made[-1]

    yield open_one
    for backend in made:
        backend.close()


def is_loaded(backend: TransformersBackend) -> bool:
    return backend._engine.base.is_loaded


def wait(backend: TransformersBackend) -> None:
    deadline = time.monotonic() + PATIENCE
    while backend.is_loading:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_with_preload_weights_are_loaded_at_once_as_far_as_they_fit(
    checkpoint: Path, tmp_path: Path, opened: Open
) -> None:
    memory = Memory(round(estimate_size(checkpoint) * 1.5))
    first = opened(checkpoint, memory=memory)
    wait(first)
    second = opened(copy_checkpoint(checkpoint, tmp_path / "other"), memory=memory)
    wait(second)
    assert (is_loaded(first), is_loaded(second)) == (True, False)
    assert replies(second, ask())[0].text == replies(first, ask())[0].text


def test_without_preload_a_prompt_is_checked_before_any_weights_are_there(checkpoint: Path, opened: Open) -> None:
    backend = opened(checkpoint, preload=False)
    run(backend.check(Conversation.ask("Hi"), CHAT, Sampling()))
    wait(backend)
    assert not is_loaded(backend)
    run(backend.load())
    assert is_loaded(backend)


def test_two_that_do_not_fit_together_take_turns_and_write_what_they_write_alone(
    checkpoint: Path, tmp_path: Path, opened: Open
) -> None:
    memory = Memory(round(estimate_size(checkpoint) * 1.5))
    one = opened(checkpoint, memory=memory, preload=False)
    two = opened(copy_checkpoint(checkpoint, tmp_path / "other"), memory=memory, preload=False)
    texts = [replies(backend, ask(seed=4))[0].text for backend in (one, two, one, two)]
    assert len(set(texts)) == 1
    assert (is_loaded(one), is_loaded(two)) == (False, True)


def test_what_never_fits_is_a_failure_that_names_both_figures(checkpoint: Path, opened: Open) -> None:
    backend = opened(checkpoint, memory=Memory(10), preload=False)
    with pytest.raises(BackendError, match=r"tiny needs about 0\.0\d+ GB, and --memory allows 1e-08 GB"):
        run(backend.load())
    assert "needs about" in backend.failure


def test_weights_that_cannot_be_loaded_give_their_room_back(checkpoint: Path, tmp_path: Path, opened: Open) -> None:
    memory = Memory(round(estimate_size(checkpoint) * 1.5))
    folder = copy_checkpoint(checkpoint, tmp_path / "broken", hidden_size=16)
    broken = opened(folder, memory=memory)
    wait(broken)
    assert broken.failure
    well = opened(checkpoint, memory=memory)
    wait(well)
    assert is_loaded(well)


def test_the_size_is_that_of_the_tensors(checkpoint: Path, backend: TransformersBackend) -> None:
    run(backend.load())
    parameters = sum(each.numel() for each in backend._engine.writer.model.parameters())
    # Tied weights are stored once, and not all of them are in the file.
    assert 0.5 * parameters <= count_parameters(checkpoint) <= parameters
    assert estimate_size(checkpoint, dtype="bfloat16") * 2 == pytest.approx(estimate_size(checkpoint), abs=2)
    assert estimate_size(checkpoint.parent) == 0


def test_who_waits_for_weights_is_answered_though_others_take_their_room_at_once(
    checkpoint: Path, tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LOOK_SECONDS", 0.1)  # long enough to be evicted before anybody looks
    memory = Memory(round(estimate_size(checkpoint) * 1.5))
    folders = [copy_checkpoint(checkpoint, tmp_path / name) for name in "abcd"]
    backends = [opened(folder, memory=memory, preload=False) for folder in folders]

    async def load_all() -> None:
        for _ in range(3):
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(backend.load() for backend in backends))

    run(load_all())


def test_weights_that_two_wait_for_and_that_fail_cost_nobody_else_their_thread(
    checkpoint: Path, tmp_path: Path, opened: Open
) -> None:
    memory = Memory(round(estimate_size(checkpoint) * 1.5))
    broken = opened(copy_checkpoint(checkpoint, tmp_path / "broken"), memory=memory, preload=False)
    run(broken.check(Conversation.ask("Hi"), CHAT, Sampling()))
    weights = tmp_path / "broken" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])

    async def load_twice() -> list[object]:
        return list(await asyncio.gather(broken.load(), broken.load(), return_exceptions=True))

    assert all(isinstance(each, BackendError) for each in run(load_twice()))
    for name in ("well", "other"):
        well = opened(copy_checkpoint(checkpoint, tmp_path / name), memory=memory, preload=False)
        assert replies(well, ask(max_tokens=4))[0].tokens == 4
        assert well._engine._thread.is_alive()


def test_requests_that_wait_behind_weights_that_fail_are_answered_too(
    checkpoint: Path, tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MAX_BATCH", 1)
    broken = opened(copy_checkpoint(checkpoint, tmp_path / "broken"), preload=False)
    run(broken.check(Conversation.ask("Hi"), CHAT, Sampling()))
    weights = tmp_path / "broken" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])

    async def ask_at_once() -> list[object]:
        return list(await asyncio.gather(*(read(broken, ask()) for _ in range(4)), return_exceptions=True))

    answers = run(ask_at_once())
    assert [type(answer) for answer in answers] == [BackendError] * 4
    assert all("cannot be loaded" in str(answer) for answer in answers)
