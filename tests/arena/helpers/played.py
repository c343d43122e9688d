"""A backend whose replies, failures and pauses a test writes down, and small helpers around it.

A script is a list of steps: text is streamed, a Signal is waited for, an exception is raised, a Reply ends it. A
script that ends without a Reply gets one that holds what was streamed.
"""

import asyncio
import concurrent.futures
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from arena.backends.base import Reply, Request
from arena.contestants import ChatStyle, Sampling, Style, TransformersContestant
from common.conversation import Conversation

PATIENCE = 20.0  # seconds until a test that waits for something gives up


class Signal:
    """Something that happens once: set from any thread, awaited in any event loop, waited for in any thread."""

    def __init__(self) -> None:
        self._future: concurrent.futures.Future[None] = concurrent.futures.Future()

    def set(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    def is_set(self) -> bool:
        return self._future.done()

    async def wait(self) -> None:
        # Shielded: one that stops waiting must not cancel the signal for the others.
        await asyncio.shield(asyncio.wrap_future(self._future))

    def wait_here(self) -> None:
        self._future.result(PATIENCE)


Step = str | Signal | Exception | Reply


class PlayedBackend:
    """Plays its script to every request, and records requests and their ends for the test.

    ending is added to a reply whose script ends without one: Markdown makes white space of it, so that two backends
    with one script write two different replies that look alike.
    """

    def __init__(self, *steps: Step, ending: str = "") -> None:
        self.ending = ending
        self.check_error: Exception | None = None
        self.load_error: Exception | None = None
        self.is_closed = False
        self.is_loading = False
        self.failure = ""
        self.play(*steps or ("A reply.",))

    def play(self, *steps: Step) -> None:
        """Play these steps to the requests that come from now on, and forget the earlier ones."""
        self.steps = steps
        self.requests: list[Request] = []
        self.started = Signal()
        self.abandoned = Signal()

    async def check(self, conversation: Conversation, style: Style, sampling: Sampling) -> None:
        if self.check_error is not None:
            raise self.check_error

    async def load(self) -> None:
        if self.load_error is not None:
            raise self.load_error

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        self.requests.append(request)
        self.started.set()
        text, has_ended = "", False
        try:
            for step in self.steps:
                if isinstance(step, Signal):
                    await step.wait()
                elif isinstance(step, Exception):
                    has_ended = True
                    raise step
                elif isinstance(step, Reply):
                    has_ended = True
                    yield step
                    return
                else:
                    text += step
                    yield step
            has_ended = True
            yield make_reply(text + self.ending if text else text)
        finally:
            if not has_ended:
                self.abandoned.set()

    def close(self) -> None:
        self.is_closed = True


def make_backends(names: Iterable[str]) -> dict[str, PlayedBackend]:
    """Return a backend for each name; their replies to one script differ, though not in what is shown."""
    return {name: PlayedBackend(ending=" &nbsp;" * n) for n, name in enumerate(names)}


def make_reply(text: str = "A reply.", **changes: Any) -> Reply:
    """Return a final record, as a backend writes it."""
    record: dict[str, Any] = {
        "finish": "end",
        "prompt_tokens": 7,
        "tokens": 3,
        "seconds": 0.25,
        "first_seconds": 0.125,
        "recipe": {"backend": "scripted", "weights": "sha256:00", "seed": 5, "sampling": {"temperature": 0.8}},
    }
    return Reply(text=text, **(record | changes))


def make_contestant(name: str, *, stage: str = "sft", path: Path | None = None) -> TransformersContestant:
    """Return a contestant that is asked in chat format."""
    return TransformersContestant(
        name=name, stage=stage, path=str(path or Path("weights") / name), prompt=ChatStyle(style="chat")
    )


async def settle() -> None:
    """Wait until everything that was started in this event loop has ended."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), PATIENCE)
