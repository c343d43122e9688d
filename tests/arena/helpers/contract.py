"""What every backend keeps: the protocol of arena/backends/base.py, as tests that a class for each backend inherits.

A class gives the fixture `backend`; the prompts, limits and abilities below are those of its model.
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from arena.backends.base import Backend, BackendError, PromptTooLong, Reply, Request
from arena.contestants import ChatStyle, FewShotStyle, Sampling, Shot, Style
from common.conversation import Conversation

CHAT = ChatStyle(style="chat")
FEW_SHOT = FewShotStyle(style="few-shot", examples=(Shot(question="Up?", answer="Down."),), stop=())
PATIENCE = 60.0
SOURCES = ("weights", "model", "replies")


def ask(prompt: str, style: Style = CHAT, *, seed: int = 7, **sampling: Any) -> Request:
    """Return a request; greedy, unless told otherwise."""
    return Request(
        Conversation.ask(prompt), style, Sampling(**({"temperature": 0.0, "max_tokens": 24} | sampling)), seed
    )


async def read(backend: Backend, request: Request) -> tuple[list[str], Reply]:
    """Return the pieces of a reply and its record, which is the last event and the only one."""
    await backend.load()
    events = [event async for event in backend.stream(request)]
    *pieces, reply = events
    assert isinstance(reply, Reply)
    assert all(isinstance(piece, str) and piece for piece in pieces)
    return [str(piece) for piece in pieces], reply


def run(work: Any) -> Any:
    """Run it to its end in an event loop of its own."""

    async def with_patience() -> Any:
        async with asyncio.timeout(PATIENCE):
            return await work

    return asyncio.run(with_patience())


class Contract:
    """The tests. A class for a backend sets what is different with it."""

    prompt = "What is hot?"
    long_reply = 24
    """Tokens that a greedy reply to the prompt has at least."""
    samples = True
    """Whether other seeds give other replies."""
    styles: tuple[Style, ...] = (CHAT, FEW_SHOT)
    too_long = "hot " * 5000
    """A prompt that does not fit its context."""

    def test_a_reply_is_streamed_and_then_recorded(self, backend: Backend) -> None:
        for style in self.styles:
            pieces, reply = run(read(backend, ask(self.prompt, style)))
            assert len(pieces) > 1
            assert reply.text.startswith("".join(pieces[:-1]))
            assert reply.text == reply.text.rstrip()
            assert reply.finish in ("end", "length")
            assert 0 < reply.tokens <= 24
            assert reply.prompt_tokens > 0
            assert 0 <= reply.first_seconds <= reply.seconds < PATIENCE

    def test_the_recipe_has_what_makes_the_reply_again(self, backend: Backend) -> None:
        sampling = {"temperature": 0.9, "top_p": 0.8, "top_k": 11, "min_p": 0.01, "repetition_penalty": 1.1}
        _, reply = run(read(backend, ask(self.prompt, seed=5, **sampling)))
        recipe = reply.recipe
        assert (recipe["seed"], recipe["prompt"]["style"]) == (5, "chat")
        assert {key: recipe["sampling"][key] for key in sampling} == sampling
        assert isinstance(recipe["backend"], str)
        assert any(recipe.get(source) for source in SOURCES)

    def test_a_reply_is_cut_at_its_last_token(self, backend: Backend) -> None:
        _, reply = run(read(backend, ask(self.prompt, max_tokens=5)))
        assert (reply.finish, reply.tokens) == ("length", 5)

    def test_a_stop_text_ends_a_reply_and_is_not_shown(self, backend: Backend) -> None:
        _, whole = run(read(backend, ask(self.prompt)))
        stop = whole.text[len(whole.text) // 2 :][:4]
        pieces, reply = run(read(backend, ask(self.prompt, ChatStyle(style="chat", stop=(stop,)))))
        assert reply.finish == "stop"
        assert reply.text == whole.text[: whole.text.index(stop)].rstrip()
        assert stop not in "".join(pieces)

    def test_the_same_seed_writes_the_same_reply(self, backend: Backend) -> None:
        request = ask(self.prompt, temperature=1.0, seed=3)
        texts = {run(read(backend, request))[1].text for _ in range(2)}
        assert len(texts) == 1
        if self.samples:
            others = {run(read(backend, replace(request, seed=seed)))[1].text for seed in range(10, 14)}
            assert len(texts | others) > 1

    def test_two_at_once_do_not_disturb_each_other(self, backend: Backend) -> None:
        requests = [ask(self.prompt), ask(self.prompt + " And why?"), ask(self.prompt, max_tokens=3)]
        alone = [run(read(backend, request))[1].text for request in requests]

        async def together() -> list[str]:
            return [reply.text for _, reply in await asyncio.gather(*(read(backend, each) for each in requests))]

        assert run(together()) == alone

    def test_a_reply_that_nobody_reads_any_more_is_given_up(self, backend: Backend) -> None:
        async def leave() -> str:
            await backend.load()
            events = backend.stream(ask(self.prompt, max_tokens=self.long_reply))
            first = await anext(events)
            await events.aclose()  # type: ignore[attr-defined]
            assert isinstance(first, str)
            return (await read(backend, ask(self.prompt, max_tokens=4)))[1].finish

        assert run(leave()) == "length"

    def test_a_reply_that_takes_too_long_is_void_or_cut(self, backend: Backend) -> None:
        with pytest.raises(BackendError, match="max_seconds"):
            run(read(backend, ask(self.prompt, max_seconds=0.001, at_limit="void")))

    def test_a_conversation_with_a_system_and_turns_is_answered(self, backend: Backend) -> None:
        talk = Conversation.of([self.prompt, "And what is cold?"], ["The sun."], "Be brief.")
        request = replace(ask(self.prompt), conversation=talk)
        run(backend.check(talk, CHAT, request.sampling))
        _, reply = run(read(backend, request))
        _, alone = run(read(backend, ask("And what is cold?")))
        assert reply.prompt_tokens > alone.prompt_tokens

    def test_a_prompt_that_does_not_fit_is_refused(self, backend: Backend) -> None:
        request = ask(self.too_long)
        with pytest.raises(PromptTooLong) as refusal:
            run(check_and_read(backend, request))
        assert 0 <= refusal.value.room < len(self.too_long)
        run(read(backend, ask(self.prompt)))  # and the next one is answered


async def check_and_read(backend: Backend, request: Request) -> None:
    """Ask as the service does: an endpoint may know only while it answers that a prompt is too long."""
    await backend.load()
    await backend.check(request.conversation, request.style, request.sampling)
    await read(backend, request)
