"""One request in a batch: the reply so far, and the queue by which its reader receives it."""

import asyncio
import time
from dataclasses import dataclass, field

from arena.backends.base import BackendError, Finish, Reply, Request


@dataclass
class Row:
    """One request in a batch. The worker thread writes it, the event loop reads its events."""

    request: Request
    loop: asyncio.AbstractEventLoop
    prompt_ids: list[int]
    events: "asyncio.Queue[str | Reply | Exception]" = field(default_factory=asyncio.Queue)
    began: float = field(default_factory=time.monotonic)
    first_seconds: float = 0.0
    ids: list[int] = field(default_factory=list)
    shown: str = ""
    finish: Finish | None = None
    is_abandoned: bool = False

    @property
    def is_done(self) -> bool:
        """Return whether no more tokens are wanted."""
        return self.finish is not None or self.is_abandoned

    @property
    def is_overdue(self) -> bool:
        """Return whether it has used up its seconds."""
        return time.monotonic() - self.began > self.request.sampling.max_seconds

    def fail(self, reason: str) -> None:
        """Abandon the row and report why."""
        self.send(BackendError(reason))
        self.is_abandoned = True

    def send(self, event: "str | Reply | Exception") -> None:
        """Hand an event to the reader; a closed loop has no readers left."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)
