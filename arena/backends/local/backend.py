"""Replies from weights in this process: what a contestant sees of an engine, which others may share."""

import asyncio
import copy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

from arena.backends.base import BackendError, PromptTooLong, Reply, Request
from arena.backends.local.engine import Engine
from arena.backends.local.rows import Row
from arena.backends.memory import Memory
from arena.backends.prompting import one_line
from arena.contestants import Sampling, Style
from arena.guard.prompt_checks import PromptRefused
from common.conversation import Conversation


class TransformersBackend:
    """Serves a checkpoint folder or a GGUF file, and by ``for_adapter`` the same weights with a LoRA adapter."""

    def __init__(
        self,
        path: Path,
        names: tuple[str, ...] = (),
        *,
        share_of_cores: int = 1,
        dtype: str = "auto",
        quantization: str | None = None,
        memory: Memory | None = None,
        preload: bool = True,
    ) -> None:
        """Load a folder or file for the contestants with these names, which appear in the log."""
        whose = ", ".join(names) or str(path)
        self._engine = Engine(
            path,
            whose,
            share_of_cores=share_of_cores,
            dtype=dtype,
            quantization=quantization,
            memory=memory,
            preload=preload,
        )
        self._voice = self._engine.base

    def for_adapter(self, folder: Path) -> Self:
        """Return a backend for the same weights with an adapter; both share memory and batches."""
        view = copy.copy(self)
        view._voice = self._engine.adapt(folder)
        return view

    @property
    def is_loading(self) -> bool:
        """Return whether tokenizer, or with preload the weights, are still being loaded for the first time."""
        return self._engine.is_starting and not self.failure

    @property
    def failure(self) -> str:
        """Return why no reply can ever be written, or "" if one can."""
        return str(self._engine.base.failure or self._voice.failure or "")

    async def check(self, conversation: Conversation, style: Style, sampling: Sampling) -> None:
        """Wait for the tokenizer; raise as the Backend protocol describes."""
        asker = await self._engine.ready(self._voice, style)
        try:
            asker.check(conversation, style, sampling)
        except (PromptTooLong, PromptRefused):
            raise
        except Exception as error:  # a checkpoint's own template or tokenizer may raise anything
            raise BackendError(f"{self._voice.path} cannot be asked this prompt: {one_line(error)}") from error

    async def load(self) -> None:
        """Wait for the weights; raise as the Backend protocol describes."""
        await self._engine.loaded(self._voice)

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """Yield deltas, then the Reply.

        Raises:
            BackendError: the checkpoint did not load, the prompt cannot be asked, generation failed, or the reply took
                too long.
        """
        asker = await self._engine.ready(self._voice, request.style)
        try:
            ids = asker.encode(request.conversation, request.style, request.sampling.max_tokens)
        except Exception as error:
            raise BackendError(f"{self._voice.path} cannot be asked this prompt: {one_line(error)}") from error
        row = Row(request, asyncio.get_running_loop(), ids, self._voice.name)
        self._engine.put(row)
        try:
            while True:
                event = await row.events.get()
                if isinstance(event, Exception):
                    raise event
                yield event
                if isinstance(event, Reply):
                    return
        finally:
            row.is_abandoned = True

    def close(self) -> None:
        """Let the engine end after its current batch, and with it every backend that shares it."""
        self._engine.close()
