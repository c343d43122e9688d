"""One request in a batch: the reply so far, and the queue by which its reader receives it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from arena.backends.base import BackendError, Finish, Reply, Request

BASE = "__base__"  # peft's name for the model without an adapter
Event = str | Reply | Exception


@dataclass
class Row:
    """One request in a batch. The worker thread writes it, the event loop reads its events.

    adapter: peft's name for it. text: the reply decoded so far, without an unfinished character at its end.
    """

    request: Request
    loop: asyncio.AbstractEventLoop
    prompt_ids: list[int]
    adapter: str = BASE
    events: "asyncio.Queue[Event]" = field(default_factory=asyncio.Queue)
    began: float = field(default_factory=time.monotonic)
    first_seconds: float = 0.0
    ids: list[int] = field(default_factory=list)
    text: str = ""
    shown: str = ""
    finish: Finish | None = None
    is_abandoned: bool = False
    # Tokens from _before to _latest are decoded again together with those after it; _known is their text.
    _before: int = 0
    _latest: int = 0
    _known: str = ""

    @property
    def is_done(self) -> bool:
        """Return whether no more tokens are wanted."""
        return self.finish is not None or self.is_abandoned

    @property
    def is_overdue(self) -> bool:
        """Return whether it has used up its seconds."""
        return time.monotonic() - self.began > self.request.sampling.max_seconds

    def add(self, token: int, decode: Callable[[list[int]], str]) -> None:
        """Take the next token; text grows by what it adds, once its last character is whole.

        Decoding the whole reply for every token would take time that grows with the square of its length. What a token
        adds depends on those just before it (spaces, characters of several bytes), so these are decoded with it, as
        vLLM does.
        """
        self.ids.append(token)
        text = decode(self.ids[self._before :])
        if len(text) > len(self._known) and not text.endswith("\ufffd"):
            added = text[len(self._known) :]
            self.text += added if self.text else added.lstrip()
            self._before, self._latest = self._latest, len(self.ids)
            self._known = decode(self.ids[self._before :])

    def fail(self, reason: str) -> None:
        """Abandon the row and report why."""
        self.send(BackendError(reason))
        self.is_abandoned = True

    def send(self, event: Event) -> None:
        """Hand an event to the reader; a closed loop has no readers left."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)


def send_all(events: Sequence[tuple[Row, Event]]) -> None:
    """Hand each row's event to its reader, waking each event loop once."""
    for loop in {row.loop for row, _ in events}:
        if not loop.is_closed():
            loop.call_soon_threadsafe(_put, [(row, event) for row, event in events if row.loop is loop])


def _put(events: Sequence[tuple[Row, Event]]) -> None:
    for row, event in events:
        row.events.put_nowait(event)
