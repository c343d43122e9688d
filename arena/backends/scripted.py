"""A backend without a model: it writes replies from models.yaml, word by word."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence

from arena.backends.base import BackendError, Finish, Reply, Request
from arena.backends.stop_texts import visible_text
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

    async def load(self) -> None:
        """Be ready: there are no weights."""

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """Yield the reply word by word, then its record; stop texts and limits hold as for a model."""
        sampling, began = request.sampling, time.monotonic()
        said = self._replies[request.seed % len(self._replies)]
        words = re.findall(r"\S+\s*|\s+", said)
        text = shown = ""
        finish: Finish | None = None
        tokens = 0
        while finish is None:
            await asyncio.sleep(self._seconds_per_word)
            if time.monotonic() - began > sampling.max_seconds:
                if sampling.at_limit == "void" or not text:
                    limit = f"{sampling.max_seconds:g} s (sampling.max_seconds)"
                    raise BackendError(f"the reply had not ended after {limit}")
                finish = "length"
                break
            text, tokens = text + words[tokens], tokens + 1
            is_cut, is_end = tokens >= sampling.max_tokens, tokens == len(words)
            visible, is_stopped = visible_text(text, request.style.stop, is_final=is_cut or is_end)
            finish = "stop" if is_stopped else "end" if is_end else "length" if is_cut else None
            if len(visible) > len(shown):
                yield visible[len(shown) :]
                shown = visible
        yield Reply(
            text=shown.rstrip(),
            finish=finish,
            prompt_tokens=sum(len(message.content.split()) for message in request.conversation.messages),
            tokens=tokens,
            seconds=time.monotonic() - began,
            first_seconds=self._seconds_per_word,
            recipe={
                "backend": "scripted",
                "replies": list(self._replies),
                "prompt": request.style.model_dump(mode="json"),
                "sampling": sampling.model_dump(mode="json"),
                "seed": request.seed,
            },
        )

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
