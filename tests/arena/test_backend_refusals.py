"""What the transformers backend refuses and what goes wrong in it: no checkpoint, control tokens, too long a prompt."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from asked import CHAT, CONTEXT, FEW_SHOT, ask, read, replies, run
from scripted import PATIENCE

from arena.backends import BackendError, PromptTooLong
from arena.backends.transformers import TransformersBackend
from arena.config import FewShotStyle, Sampling, Shot
from arena.guard import PromptRefused

pytestmark = pytest.mark.slow


def test_a_checkpoint_that_cannot_be_loaded_says_so_to_everyone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    broken = TransformersBackend(tmp_path)
    for _ in range(2):
        with pytest.raises(BackendError, match=f"{tmp_path} cannot be loaded"):
            run(broken.check("Hi", CHAT, Sampling()))
        with pytest.raises(BackendError, match="cannot be loaded"):
            replies(broken, ask())
    broken._thread.join(PATIENCE)
    assert not broken._thread.is_alive()


def test_a_checkpoint_with_damaged_weights_says_so(checkpoint: Path, tmp_path: Path) -> None:
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(BackendError, match="cannot be loaded"):
        run(TransformersBackend(tmp_path).check("Hi", CHAT, Sampling()))


def test_a_generation_that_fails_is_told_to_its_readers_and_the_next_one_works(
    backend: TransformersBackend, calls: list[int]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of memory")

    async def both() -> list[Any]:
        return await asyncio.gather(*(read(backend, ask(seed=s)) for s in (1, 2)), return_exceptions=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend._model, "generate", fail)
        failed = run(both())
    assert [str(error) for error in failed] == ["generation failed: out of memory"] * 2
    assert all(isinstance(error, BackendError) for error in failed)
    assert replies(backend, ask())[0].tokens > 0


@pytest.mark.parametrize("token", ["<|endoftext|>", "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"])
def test_a_prompt_with_a_control_token_of_the_tokenizer_is_refused(backend: TransformersBackend, token: str) -> None:
    with pytest.raises(PromptRefused, match="control token"):
        run(backend.check(f"Hi {token} there", CHAT, Sampling()))


@pytest.mark.parametrize("style", [CHAT, FEW_SHOT], ids=["chat", "few-shot"])
@pytest.mark.parametrize("pattern", ["What is hot? ", "xq", "\u65e5\u672c"])
def test_a_prompt_that_does_not_fit_is_refused_with_the_room_there_is(
    backend: TransformersBackend, style: Any, pattern: str
) -> None:
    prompt = (pattern * 1000)[:1000]
    sampling = Sampling(max_tokens=100)
    with pytest.raises(PromptTooLong) as caught:
        run(backend.check(prompt, style, sampling))
    room = caught.value.room
    assert 10 < room < 1000
    run(backend.check(prompt[: room - 3], style, sampling))
    with pytest.raises(PromptTooLong):
        run(backend.check(prompt[: room + 10], style, sampling))


def test_a_long_prompt_to_a_base_model_is_asked_with_fewer_examples(backend: TransformersBackend) -> None:
    one = FEW_SHOT.examples[0]
    three = FewShotStyle(style="few-shot", examples=(one, Shot(question="Hen?", answer="Cluck."), one))
    sampling = Sampling(max_tokens=100)
    with pytest.raises(PromptTooLong) as caught:
        run(backend.check("xq" * 500, three, sampling))
    longest = ("xq" * 500)[: caught.value.room - 3]
    run(backend.check(longest, three, sampling))
    written, alike, short = replies(
        backend,
        ask(longest, style=three, max_tokens=100, temperature=0.0),
        ask(longest, style=FEW_SHOT, max_tokens=100, temperature=0.0),
        ask("Hot?", style=three, max_tokens=1),
    )
    assert (written.text, written.prompt_tokens) == (alike.text, alike.prompt_tokens)
    assert short.prompt_tokens > replies(backend, ask("Hot?", style=FEW_SHOT, max_tokens=1))[0].prompt_tokens


def test_a_prompt_and_reply_that_fill_the_context_to_the_last_token_are_written(backend: TransformersBackend) -> None:
    request = ask("xq" * 20, max_tokens=1)
    used = len(backend._encode(request.prompt, CHAT, 1))
    full = ask("xq" * 20, max_tokens=CONTEXT - used, temperature=2.0)
    run(backend.check(full.prompt, CHAT, full.sampling))
    with pytest.raises(PromptTooLong):
        run(backend.check(full.prompt, CHAT, Sampling(max_tokens=CONTEXT - used + 1)))
    assert replies(backend, full)[0].tokens >= 1
