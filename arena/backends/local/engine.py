"""One set of weights and its worker thread, which loads it and writes what waits together as one batch.

One thread per request does not scale on a CPU, and transformers' continuous batching is slow there, so requests that
arrive together share one ``generate``. Adapters of the weights are loaded onto them, and share memory and batches.
"""

import asyncio
import gc
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
from arena.backends.local.loading import Prepared, load_checkpoint, prepare_checkpoint
from arena.backends.local.rows import BASE, Row
from arena.backends.memory import Memory
from arena.backends.prompting import Asker, one_line
from arena.checkpoints.size import estimate_size
from arena.contestants import ChatStyle, Style

if TYPE_CHECKING:
    from arena.backends.local.adapters import Adapters
    from arena.backends.local.writing import Writer

MAX_BATCH = 32
UNBOUNDED = 1 << 30  # for models that name no context length
LOOK_SECONDS = 0.02
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
    """Loads in its worker thread, so that the page need not wait for it: at once, or when it is asked for."""

    def __init__(
        self,
        path: Path,
        whose: str,
        *,
        share_of_cores: int = 1,
        dtype: str = "auto",
        quantization: str | None = None,
        memory: Memory | None = None,
        preload: bool = True,
    ) -> None:
        self.path, self.name = path, whose
        self.size = estimate_size(path, dtype=dtype, quantization=quantization)
        self.is_starting = True
        """Whether the tokenizer, and with preload the weights, are still being loaded for the first time."""
        self._memory, self._preload = memory or Memory(), preload
        self._is_prepared = threading.Event()
        self.base = Voice(BASE, path)
        self.asker: Asker
        self.writer: Writer
        self._prepared: Prepared
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
            self._voices[folder] = Voice(f"adapter{len(self._voices)}", folder)
            if self._preload:
                self._waiting.put(self._bring_in)
        return self._voices[folder]

    async def ready(self, voice: Voice, style: Style) -> Asker:
        """Wait for the tokenizer; return what encodes prompts for a voice.

        Raises:
            BackendError: it cannot be loaded, or not be asked in this style.
        """
        while not (self.base.failure or self._is_prepared.is_set()):
            await asyncio.sleep(LOOK_SECONDS)
        if failure := self.base.failure or voice.failure:
            raise failure
        if self._chat_failure and isinstance(style, ChatStyle):
            raise self._chat_failure
        return self.asker

    async def loaded(self, voice: Voice) -> None:
        """Wait until the weights of a voice are in memory, and let them be loaded if they are not.

        Raises:
            BackendError: they cannot be.
        """
        done = threading.Event()  # others may take the room again before anybody looks whether it is loaded
        if not voice.is_loaded:
            self._waiting.put(lambda: self._bring_in(done))
        while not (self.base.failure or voice.is_loaded or voice.failure or done.is_set()):
            await asyncio.sleep(LOOK_SECONDS)
        if failure := self.base.failure or voice.failure:
            raise failure

    def put(self, row: Row) -> None:
        """Let a row be written."""
        self._waiting.put(row)

    def close(self) -> None:
        """Let the worker thread end after its current batch."""
        self.base.failure = self.base.failure or BackendError(f"{self.path} is closed")
        self._waiting.put(None)

    def unload(self) -> None:
        """Forget the weights; nobody uses them."""
        if not self.base.is_loaded:
            return
        for voice in (self.base, *self._voices.values()):
            voice.is_loaded = False
        del self.writer, self._adapters
        gc.collect()

    # Everything below runs in the worker thread.

    def _work(self) -> None:
        try:
            with LOADING:
                self._prepare()
            self._is_prepared.set()
            if self._preload and self._memory.has_room_for(self):
                self._bring_in()
        except Exception as error:  # the edge of the thread: logged, and raised for every request
            self._fail(error)
        self.is_starting = False
        while self.base.failure is None:
            rows = self._gather()
            if not rows:
                return
            try:
                with self._memory.room_for(self):
                    self._load_missing()
                    if self.base.failure is None:
                        self.writer.write(rows)
            except Exception as error:  # the edge of the thread: every battle of the batch becomes void
                log.exception("%s: generation failed in %s", self.name, self.path)
                _refuse(rows, f"generation failed: {one_line(error)}")
            if self.base.failure:
                _refuse(rows, str(self.base.failure))
        self._refuse_waiting()

    def _refuse_waiting(self) -> None:
        """Answer those who asked before it was known that no reply can be written; later ones are told at once."""
        while not self._waiting.empty():
            waiting = self._waiting.get()
            if isinstance(waiting, Row):
                _refuse([waiting], str(self.base.failure))
            elif waiting is not None:
                waiting()

    def _fail(self, error: Exception) -> None:
        log.error("%s: %s cannot be loaded: %s", self.name, self.path, one_line(error))
        self.base.failure = BackendError(f"{self.path} cannot be loaded: {one_line(error)}")
        self._memory.forget(self)

    def _prepare(self) -> None:
        import torch

        torch.set_num_threads(self._threads)
        self._prepared = prepare_checkpoint(self.path)
        tokenizer, config = self._prepared.tokenizer, self._prepared.config.get_text_config()
        context = getattr(config, "max_position_embeddings", None) or UNBOUNDED
        self.asker = Asker(tokenizer, context=context, vocabulary=config.vocab_size)
        if tokenizer.chat_template is None:
            self._chat_failure = BackendError(f"{self.path} has no chat template: ask it in the style few-shot")
            return
        try:
            self.asker.require_template()
        except BackendError as error:  # it may still be asked in the style few-shot
            log.error("%s: %s cannot be asked in the style chat: %s", self.name, self.path, error)
            self._chat_failure = BackendError(f"{self.path} cannot be asked in the style chat: {error}")

    def _bring_in(self, done: threading.Event | None = None) -> None:
        try:
            if not self.base.failure:
                with self._memory.room_for(self):
                    self._load_missing()
        except Exception as error:  # the edge of the thread, which must go on: more than there is, or a fault
            self._fail(error)
        finally:
            if self.base.failure:
                self._memory.forget(self)
            if done:
                done.set()

    def _load_missing(self) -> None:
        """Load the weights and adapters that are not in memory; their room is held."""
        if not self.base.is_loaded and not self.base.failure:
            try:
                with LOADING:
                    self._load()
                self.base.is_loaded = True
            except Exception as error:  # a checkpoint may raise anything; logged, and raised for every request
                self._fail(error)
        for voice in list(self._voices.values()):
            if not (voice.is_loaded or voice.failure or self.base.failure):
                self._load_adapter(voice)

    def _load(self) -> None:
        from arena.backends.local.adapters import Adapters
        from arena.backends.local.writing import Writer

        loaded = load_checkpoint(self.path, self._prepared, dtype=self._dtype, quantization=self._quantization)
        self._adapters = Adapters(loaded.model)
        self.writer = Writer(loaded, self.path, self.name)

    def _load_adapter(self, voice: Voice) -> None:
        try:
            with LOADING:
                identity = self._adapters.load(voice.path, voice.name)
        except Exception as error:  # an adapter may raise anything; the others on these weights go on
            log.error("%s: adapter %s cannot be loaded: %s", self.name, voice.path, one_line(error))
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


def _refuse(rows: list[Row], reason: str) -> None:
    for row in rows:
        if not row.is_done:
            row.fail(reason)
