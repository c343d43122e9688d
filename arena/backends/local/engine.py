"""One set of weights and its worker thread, which loads it and writes what waits together as one batch.

One thread per request does not scale on a CPU, and transformers' continuous batching is slow there, so requests that
arrive together share one ``generate``. Adapters of the weights are loaded onto them, and share memory and batches.
"""

import asyncio
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from arena.backends.base import BackendError
from arena.backends.local.loading import load_checkpoint
from arena.backends.local.rows import BASE, Row
from arena.backends.prompting import Asker, one_line
from arena.contestants import ChatStyle, Style

if TYPE_CHECKING:
    from arena.backends.local.adapters import Adapters
    from arena.backends.local.writing import Writer

MAX_BATCH = 32
UNBOUNDED = 1 << 30  # for models that name no context length
GATHER_SECONDS = 0.01  # how long the first request of a batch waits for others
# transformers imports its parts lazily, which is not safe in several threads at once: one loads at a time.
LOADING = threading.Lock()
log = logging.getLogger(__name__)


@dataclass
class Voice:
    """Weights as one contestant uses them: the base, or the base with an adapter. name: peft's for it."""

    name: str
    path: Path
    is_loaded: bool = False
    failure: BackendError | None = None


class Engine:
    """Loads at once, in its worker thread, so that the page need not wait for it."""

    def __init__(
        self, path: Path, whose: str, *, share_of_cores: int = 1, dtype: str = "auto", quantization: str | None = None
    ) -> None:
        self.path = path
        self.base = Voice(BASE, path)
        self.asker: Asker
        self.writer: Writer
        self._whose = whose
        self._threads = max(1, (os.cpu_count() or 1) // share_of_cores)
        self._dtype, self._quantization = dtype, quantization
        self._waiting: queue.Queue[Row | Callable[[], None] | None] = queue.Queue()
        self._chat_failure: BackendError | None = None
        self._voices: dict[Path, Voice] = {}
        self._adapters: Adapters
        self._thread = threading.Thread(target=self._work, name=f"backend {path.name}", daemon=True)
        self._thread.start()

    def adapt(self, folder: Path) -> Voice:
        """Return the voice of an adapter, which is loaded in the worker thread; asked twice, it is the same."""
        if folder not in self._voices:
            voice = self._voices[folder] = Voice(f"adapter{len(self._voices)}", folder)
            self._waiting.put(lambda: self._load_adapter(voice))
        return self._voices[folder]

    async def ready(self, voice: Voice, style: Style) -> Asker:
        """Wait until a voice is loaded; return what encodes prompts for it.

        Raises:
            BackendError: it cannot be loaded, or not be asked in this style.
        """
        await self.loaded(voice)
        if self._chat_failure and isinstance(style, ChatStyle):
            raise self._chat_failure
        return self.asker

    async def loaded(self, voice: Voice) -> None:
        """Wait until a voice is loaded.

        Raises:
            BackendError: it cannot be.
        """
        while not (self.base.failure or voice.is_loaded or voice.failure):
            await asyncio.sleep(0.02)
        if failure := self.base.failure or voice.failure:
            raise failure

    def put(self, row: Row) -> None:
        """Let a row be written."""
        self._waiting.put(row)

    def close(self) -> None:
        """Let the worker thread end after its current batch."""
        self.base.failure = self.base.failure or BackendError(f"{self.path} is closed")
        self._waiting.put(None)

    # Everything below runs in the worker thread.

    def _work(self) -> None:
        try:
            with LOADING:
                self._load()
            self.base.is_loaded = True
        except Exception as error:  # the edge of the thread: logged, and raised for every request
            log.error("%s: %s cannot be loaded: %s", self._whose, self.path, one_line(error))
            self.base.failure = BackendError(f"{self.path} cannot be loaded: {one_line(error)}")
        while self.base.failure is None:
            rows = self._gather()
            if not rows:
                return
            try:
                self.writer.write(rows)
            except Exception as error:  # the edge of the thread: every battle of the batch becomes void
                log.exception("%s: generation failed in %s", self._whose, self.path)
                for row in rows:
                    if not row.is_done:
                        row.fail(f"generation failed: {one_line(error)}")

    def _load(self) -> None:
        import torch

        from arena.backends.local.adapters import Adapters
        from arena.backends.local.writing import Writer

        torch.set_num_threads(self._threads)
        loaded = load_checkpoint(self.path, dtype=self._dtype, quantization=self._quantization)
        self._adapters = Adapters(loaded.model)
        self.writer = Writer(loaded, self.path, self._whose)
        rows = loaded.model.get_input_embeddings().weight.shape[0]
        config = loaded.model.config.get_text_config()
        context = getattr(config, "max_position_embeddings", None) or UNBOUNDED
        self.asker = Asker(loaded.tokenizer, context=context, vocabulary=rows)
        if loaded.tokenizer.chat_template is None:
            self._chat_failure = BackendError(f"{self.path} has no chat template: ask it in the style few-shot")
            return
        try:
            self.asker.require_template()
        except BackendError as error:  # it may still be asked in the style few-shot
            log.error("%s: %s cannot be asked in the style chat: %s", self._whose, self.path, error)
            self._chat_failure = BackendError(f"{self.path} cannot be asked in the style chat: {error}")

    def _load_adapter(self, voice: Voice) -> None:
        try:
            with LOADING:
                identity = self._adapters.load(voice.path, voice.name)
        except Exception as error:
            log.error("%s: adapter %s cannot be loaded: %s", self._whose, voice.path, one_line(error))
            voice.failure = BackendError(f"adapter {voice.path} cannot be loaded: {one_line(error)}")
            if self._adapters.is_broken:
                self.base.failure = voice.failure
            return
        finally:
            self.writer.model = self._adapters.model
            self.writer.has_adapters = self._adapters.are_there
        self.writer.recipes[voice.name] = {**self.writer.recipes[BASE], **identity}
        voice.is_loaded = True

    def _gather(self) -> list[Row]:
        """Return the waiting requests, at most MAX_BATCH; an empty list once the backend is closed."""
        first = self._waiting.get()
        while first is not None and not isinstance(first, Row):
            first()
            first = self._waiting.get()
        if first is None:
            return []
        time.sleep(GATHER_SECONDS)
        rows = [first]
        later: list[Row | Callable[[], None] | None] = []
        while len(rows) < MAX_BATCH and not self._waiting.empty():
            waiting = self._waiting.get()
            if not isinstance(waiting, Row):
                later.append(waiting)
                break
            (rows if self._fit_together([*rows, waiting]) else later).append(waiting)
        for waiting in later:
            self._waiting.put(waiting)
        return [row for row in rows if not row.is_abandoned] or self._gather()

    def _fit_together(self, rows: list[Row]) -> bool:
        """Return whether the longest prompt and the longest reply of a batch together fit the context."""
        prompt = max(len(row.prompt_ids) for row in rows)
        return prompt + max(row.request.sampling.max_tokens for row in rows) <= self.asker.context
