"""One reply as one endpoint sends it: piece by piece, within deadlines and limits, until its finish_reason.

Only tokens count as life. Comments and empty events, which some servers send for ever, do not.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable

from arena.backends.base import BackendError
from arena.backends.openai.chunks import Chunk, Usage
from arena.backends.openai.dialects import is_same_model
from arena.backends.openai.keys import Keys
from arena.backends.openai.outcomes import ContextExceeded, Silent
from arena.contestants import Dialect
from common.words import one_line

USAGE_SECONDS = 2.0  # for the token counts, which come after the reply
SPARE_CHARACTERS = 4096
CHARACTERS_PER_TOKEN = 128  # the longest tokens are runs of as many spaces


class OutOfTime(Exception):
    """The reply's seconds are over."""


class Reading:
    """A reply that is being read. model, fingerprint, usage and finish: what the endpoint has said so far.

    pieces: events that held a token. characters: the length of what was read.
    """

    def __init__(
        self,
        chunks: AsyncGenerator[Chunk, None],
        *,
        asked: str,
        dialect: Dialect,
        keys: Keys,
        max_tokens: int,
        token_seconds: float,
        until: float,
        clock: Callable[[], float],
    ) -> None:
        self._chunks, self._asked, self._dialect = chunks, asked, dialect
        self._keys, self._tail = keys, ""
        self._most_characters = CHARACTERS_PER_TOKEN * max_tokens + SPARE_CHARACTERS
        self._token_seconds, self._until, self._clock = token_seconds, until, clock
        self._kept: list[str] = []
        self.model: str | None = None
        self.fingerprint: str | None = None
        self.usage: Usage | None = None
        self.finish: str | None = None
        self.stop_reason: str | int | None = None
        self.logprobs: list[float] = []
        self._most_tokens = max_tokens
        self.pieces = self.characters = 0

    async def begin(self) -> None:
        """Wait for the first token, which next() then returns; raises as it does."""
        piece = await self._next_piece()
        if piece is not None:
            self._kept.append(piece)

    async def next(self) -> str | None:
        """Return the text of the next token, "" if it is not shown; None once the reply has ended.

        Raises:
            OutOfTime: the reply's seconds are over.
            Silent: no token has arrived for too long.
            BackendError, ContextExceeded: as Endpoint.stream, or the stream is not this model's whole reply.
        """
        return self._kept.pop() if self._kept else await self._next_piece()

    async def wait_for_usage(self) -> None:
        """Read on for the token counts. The reply is whole, so nothing that happens now can harm it."""
        try:
            async with asyncio.timeout(USAGE_SECONDS):
                async for chunk in self._chunks:
                    self.usage = chunk.usage
                    if self.usage:
                        return
        except (BackendError, ContextExceeded, TimeoutError):
            return

    async def close(self) -> None:
        """Hang up."""
        await self._chunks.aclose()

    async def _next_piece(self) -> str | None:
        if self.finish:
            return None
        silent_from = self._clock() + self._token_seconds
        while True:
            chunk = await self._next_chunk(silent_from)
            if chunk is None:
                raise BackendError("ended the stream without a finish_reason: the reply is not whole")
            self._note(chunk)
            if chunk.is_token:
                self.pieces += 1
                return chunk.text
            if self.finish:
                return None

    async def _next_chunk(self, silent_from: float) -> Chunk | None:
        wait = min(silent_from, self._until) - self._clock()
        try:
            async with asyncio.timeout(max(wait, 0.0)):
                return await anext(self._chunks, None)
        except TimeoutError:
            pass
        if self._until <= silent_from:
            raise OutOfTime
        raise Silent(f"sent no token for {self._token_seconds:g} s (token_seconds)")

    def _require_no_key(self, chunk: Chunk) -> None:
        """Require that an endpoint does not send its key back, which would end on the page or in the ledger."""
        if not self._keys.longest:
            return
        self._tail = (self._tail + chunk.text)[-self._keys.longest - len(chunk.text) :]
        if any(self._keys.stand_in(text) for text in (self._tail, chunk.model or "", chunk.fingerprint or "")):
            raise BackendError(f"sent its own key back: see {self._keys.names}")

    def _note(self, chunk: Chunk) -> None:
        self._require_no_key(chunk)
        if chunk.model and not is_same_model(self._asked, chunk.model, self._dialect):
            told = f" ({one_line(chunk.model, 80)!r})"
            raise BackendError(f"answered as another model{told} than {self._asked!r}: correct model or base_url")
        self.model = chunk.model or self.model
        self.fingerprint = chunk.fingerprint or self.fingerprint
        self.usage = chunk.usage or self.usage
        self.finish, self.stop_reason = chunk.finish, chunk.stop_reason
        self.logprobs += chunk.logprobs[: self._most_tokens - len(self.logprobs)]
        self.characters += len(chunk.text)
        if self.characters > self._most_characters:
            raise BackendError(f"wrote more than {self._most_characters:,} characters: it does not keep to max_tokens")
