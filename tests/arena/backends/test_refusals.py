"""What the transformers backend refuses, and its failures: control tokens, prompts and replies without end."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from arena.backends.base import BackendError, PromptTooLong
from arena.backends.local import TransformersBackend
from arena.contestants import FewShotStyle, Sampling, Shot
from arena.guard.prompt_checks import PromptRefused
from common.conversation import Conversation
from tests.arena.backends.asked import CHAT, CONTEXT, FEW_SHOT, ask, read, replies, run

pytestmark = pytest.mark.slow


def test_a_generation_that_fails_is_reported_to_its_readers_and_the_next_one_works(
    backend: TransformersBackend, calls: list[int]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of memory")

    async def both() -> list[Any]:
        return await asyncio.gather(*(read(backend, ask(seed=s)) for s in (1, 2)), return_exceptions=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend._engine.writer.model, "generate", fail)
        failed = run(both())
    assert [str(error) for error in failed] == ["generation failed: out of memory"] * 2
    assert all(isinstance(error, BackendError) for error in failed)
    assert replies(backend, ask())[0].tokens > 0


@pytest.mark.parametrize("token", ["<|endoftext|>", "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"])
def test_a_prompt_with_a_control_token_of_the_tokenizer_is_refused(backend: TransformersBackend, token: str) -> None:
    with pytest.raises(PromptRefused, match="control token"):
        run(backend.check(Conversation.ask(f"Hi {token} there"), CHAT, Sampling()))


@pytest.mark.parametrize("style", [CHAT, FEW_SHOT], ids=["chat", "few-shot"])
@pytest.mark.parametrize("pattern", ["What is hot? ", "xq", "\u65e5\u672c"])
def test_a_prompt_that_does_not_fit_is_refused_with_the_room_there_is(
    backend: TransformersBackend, style: Any, pattern: str
) -> None:
    prompt = (pattern * 1000)[:1000]
    sampling = Sampling(max_tokens=100)
    with pytest.raises(PromptTooLong) as caught:
        run(backend.check(Conversation.ask(prompt), style, sampling))
    room = caught.value.room
    assert 10 < room < 1000
    run(backend.check(Conversation.ask(prompt[: room - 3]), style, sampling))
    with pytest.raises(PromptTooLong):
        run(backend.check(Conversation.ask(prompt[: room + 10]), style, sampling))


def test_a_long_prompt_to_a_base_model_is_asked_with_fewer_examples(backend: TransformersBackend) -> None:
    one = FEW_SHOT.examples[0]
    three = FewShotStyle(style="few-shot", examples=(one, Shot(question="Hen?", answer="Cluck."), one))
    sampling = Sampling(max_tokens=100)
    with pytest.raises(PromptTooLong) as caught:
        run(backend.check(Conversation.ask("xq" * 500), three, sampling))
    longest = ("xq" * 500)[: caught.value.room - 3]
    run(backend.check(Conversation.ask(longest), three, sampling))
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
    used = len(backend._engine.asker.encode(request.conversation, CHAT, 1))
    full = ask("xq" * 20, max_tokens=CONTEXT - used, temperature=2.0)
    run(backend.check(full.conversation, CHAT, full.sampling))
    with pytest.raises(PromptTooLong):
        run(backend.check(full.conversation, CHAT, Sampling(max_tokens=CONTEXT - used + 1)))
    assert replies(backend, full)[0].tokens >= 1


@pytest.fixture
def late(backend: TransformersBackend, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that lets an hour pass for the first row of a batch after so many tokens."""
    take = backend._engine.writer._take

    def after(tokens: int) -> None:
        steps = 0

        def taking(rows: Any, drawn: Any) -> None:
            nonlocal steps
            steps += 1
            if steps == tokens:
                rows[0].began -= 3600
            take(rows, drawn)

        monkeypatch.setattr(backend._engine.writer, "_take", taking)

    run(backend.check(Conversation.ask("Hi"), CHAT, Sampling()))
    return after


def test_a_reply_whose_seconds_are_over_is_cut_where_it_stands(
    backend: TransformersBackend, late: Callable[[int], None]
) -> None:
    [whole] = replies(backend, ask(seed=5, max_tokens=60))
    late(20)
    deltas, reply = run(read(backend, ask(seed=5, max_tokens=60)))
    assert (reply.finish, reply.tokens) == ("length", 20)
    assert 0 < len(reply.text) < len(whole.text)
    assert whole.text.startswith(reply.text)
    assert reply.text.startswith("".join(deltas).rstrip())


def test_a_reply_whose_seconds_are_over_voids_its_battle_where_that_is_wanted(
    backend: TransformersBackend, late: Callable[[int], None]
) -> None:
    late(20)
    with pytest.raises(BackendError, match=r"not ended after 60 s \(sampling.max_seconds\)"):
        replies(backend, ask(seed=5, max_tokens=60, at_limit="void"))


def test_a_reply_without_a_word_when_its_seconds_are_over_is_none(backend: TransformersBackend) -> None:
    with pytest.raises(BackendError, match="not ended after 1e-09 s"):
        replies(backend, ask(max_seconds=1e-9))


def test_the_others_of_a_batch_write_on_when_the_seconds_of_one_are_over(
    backend: TransformersBackend, calls: list[int], late: Callable[[int], None]
) -> None:
    [alone] = replies(backend, ask(seed=7, max_tokens=40))
    late(5)
    first, second = replies(backend, ask(seed=5, max_tokens=60), ask(seed=7, max_tokens=40))
    assert (first.finish, first.tokens) == ("length", 5)
    assert (second.text, second.tokens) == (alone.text, alone.tokens)
    assert calls == [1, 2]


def test_a_reply_that_ends_in_time_is_not_touched(backend: TransformersBackend) -> None:
    one, other = (replies(backend, ask(seed=3, max_seconds=seconds))[0] for seconds in (30, 60.0))
    assert (one.text, one.finish) == (other.text, other.finish)


def test_one_reply_that_cannot_be_decoded_does_not_end_the_others(
    backend: TransformersBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    extend = backend._engine.writer._extend

    def failing(row: Any, token: int) -> Any:
        if row.request.seed == 1:
            raise UnicodeError("no letter")
        return extend(row, token)

    monkeypatch.setattr(backend._engine.writer, "_extend", failing)

    async def both() -> list[Any]:
        return await asyncio.gather(*(read(backend, ask(seed=s)) for s in (1, 2)), return_exceptions=True)

    failed, (_, reply) = run(both())
    assert isinstance(failed, BackendError)
    assert "no letter" in str(failed)
    assert reply.tokens > 0


@pytest.mark.parametrize("error", [ValueError("no such word"), KeyError("x"), TypeError()])
def test_whatever_a_tokenizer_raises_is_the_backends_own_error(
    backend: TransformersBackend, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(backend._engine.asker, "_encode", fail)
    for attempt in (backend.check(Conversation.ask("Hi"), CHAT, Sampling()), read(backend, ask())):
        with pytest.raises(BackendError, match="cannot be asked this prompt: "):
            run(attempt)
