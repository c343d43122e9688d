"""A backend without a model: it writes replies from models.yaml, word by word."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence

from arena.backends.base import Reply, Request
from arena.contestants import Sampling, Style
from common.conversation import Conversation

SECONDS_PER_WORD = 0.02


class ScriptedBackend:
    """Answers every prompt with one of its replies, chosen by the request's seed."""

    is_loading = False
    failure = ""

    def __init__(self, replies: Sequence[str], *, seconds_per_word: float = SECONDS_PER_WORD) -> None:
        self._replies = tuple(replies)
        self._seconds_per_word = seconds_per_word

    async def check(self, conversation: Conversation, style: Style, sampling: Sampling) -> None:
        """Accept every prompt: there is no context to fill and no control token."""

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """Yield the reply word by word, then its record."""
        text = self._replies[request.seed % len(self._replies)]
        words = re.findall(r"\S+\s*|\s+", text)
        for word in words:
            await asyncio.sleep(self._seconds_per_word)
            yield word
        seconds = len(words) * self._seconds_per_word
        yield Reply(
            text=text,
            finish="end",
            prompt_tokens=sum(len(message.content.split()) for message in request.conversation.messages),
            tokens=len(words),
            seconds=seconds,
            first_seconds=min(seconds, self._seconds_per_word),
            recipe={"backend": "scripted", "replies": list(self._replies), "seed": request.seed},
        )

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
