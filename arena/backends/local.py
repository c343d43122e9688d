"""Replies from a checkpoint in this process: one thread per set of weights, one batched generate for waiting requests.

One thread per request does not scale on a CPU, and transformers' continuous batching is slow there, so requests that
arrive together share one ``generate``: a streamer of our own receives the next token of every row at once. Each row has
a random generator of its own and samples by the Gumbel-max trick (argmax of logits / temperature + Gumbel noise is a
draw from the softmax; Gumbel 1954, Maddison et al. 2014, arXiv:1411.0030), so a reply depends on its seed and not on
the other rows of its batch.
"""

import asyncio
import logging
import os
import queue
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena.backends.base import BackendError, PromptTooLong, Reply, Request
from arena.backends.loading import load_checkpoint
from arena.backends.prompting import Asker, one_line
from arena.backends.rows import Row
from arena.backends.stop_texts import visible_text
from arena.contestants import ChatStyle, Sampling, Style
from arena.guard.prompt_checks import PromptRefused
from common.conversation import Conversation

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

MAX_BATCH = 32
UNBOUNDED = 1 << 30  # for models that name no context length
GATHER_SECONDS = 0.01  # how long the first request of a batch waits for others
# transformers imports its parts lazily, which is not safe in several threads at once: one loads at a time.
LOADING = threading.Lock()
log = logging.getLogger(__name__)


class TransformersBackend:
    """Serves one checkpoint folder. Loading starts at once, in the worker thread, so the page need not wait for it."""

    def __init__(self, path: Path, names: tuple[str, ...] = (), *, share_of_cores: int = 1) -> None:
        """Load a folder for the contestants with these names, which appear in the log."""
        self.path = path
        self._whose = ", ".join(names) or str(path)
        self._threads = max(1, (os.cpu_count() or 1) // share_of_cores)
        self._waiting: queue.Queue[Row | None] = queue.Queue()
        self._loaded = threading.Event()
        self._failure: BackendError | None = None
        self._chat_failure: BackendError | None = None
        self._tokenizer: PreTrainedTokenizerFast
        self._model: PreTrainedModel
        self._asker: Asker
        self._identity: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._work, name=f"backend {path.name}", daemon=True)
        self._thread.start()

    @property
    def is_loading(self) -> bool:
        """Return whether the weights are still being loaded."""
        return not self._loaded.is_set()

    @property
    def failure(self) -> str:
        """Return why no reply can ever be written, or "" if one can."""
        return str(self._failure or "")

    async def check(self, conversation: Conversation, style: Style, sampling: Sampling) -> None:
        """Wait for the weights; raise as the Backend protocol describes."""
        await self._wait_until_ready(style)
        try:
            self._asker.check(conversation, style, sampling)
        except (PromptTooLong, PromptRefused):
            raise
        except Exception as error:  # a checkpoint's own template or tokenizer may raise anything
            raise BackendError(f"{self.path} cannot be asked this prompt: {one_line(error)}") from error

    async def load(self) -> None:
        """Wait for the weights; raise as the Backend protocol describes."""
        while not self._loaded.is_set():
            await asyncio.sleep(0.02)
        if self._failure:
            raise self._failure

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """Yield deltas, then the Reply.

        Raises:
            BackendError: the checkpoint did not load, the prompt cannot be asked, generation failed, or the reply took
                too long.
        """
        await self._wait_until_ready(request.style)
        try:
            ids = self._asker.encode(request.conversation, request.style, request.sampling.max_tokens)
        except Exception as error:
            raise BackendError(f"{self.path} cannot be asked this prompt: {one_line(error)}") from error
        row = Row(request, asyncio.get_running_loop(), ids)
        self._waiting.put(row)
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
        """Let the worker thread end after its current batch."""
        self._failure = self._failure or BackendError(f"{self.path} is closed")
        self._waiting.put(None)

    async def _wait_until_ready(self, style: Style) -> None:
        await self.load()
        if self._chat_failure and isinstance(style, ChatStyle):
            raise self._chat_failure

    # Everything below runs in the worker thread.

    def _work(self) -> None:
        try:
            with LOADING:
                self._load()
        except Exception as error:  # the edge of the thread: logged, and raised for every request
            log.error("%s: %s cannot be loaded: %s", self._whose, self.path, one_line(error))
            self._failure = BackendError(f"{self.path} cannot be loaded: {one_line(error)}")
        self._loaded.set()
        while self._failure is None:
            rows = self._gather()
            if not rows:
                return
            try:
                self._generate(rows)
            except Exception as error:  # the edge of the thread: every battle of the batch becomes void
                log.exception("%s: generation failed in %s", self._whose, self.path)
                for row in rows:
                    if not row.is_done:
                        row.fail(f"generation failed: {one_line(error)}")

    def _load(self) -> None:
        import torch

        torch.set_num_threads(self._threads)
        loaded = load_checkpoint(self.path)
        self._model, self._tokenizer, self._identity = loaded.model, loaded.tokenizer, loaded.identity
        rows = self._model.get_input_embeddings().weight.shape[0]
        self._asker = Asker(self._tokenizer, context=self._context, vocabulary=rows)
        if self._tokenizer.chat_template is None:
            self._chat_failure = BackendError(f"{self.path} has no chat template: ask it in the style few-shot")
            return
        try:
            self._asker.require_template()
        except BackendError as error:  # it may still be asked in the style few-shot
            log.error("%s: %s cannot be asked in the style chat: %s", self._whose, self.path, error)
            self._chat_failure = BackendError(f"{self.path} cannot be asked in the style chat: {error}")

    def _gather(self) -> list[Row]:
        """Return the waiting requests, at most MAX_BATCH; an empty list once the backend is closed."""
        first = self._waiting.get()
        if first is None:
            return []
        time.sleep(GATHER_SECONDS)
        rows: list[Row] = [first]
        later: list[Row | None] = []
        while len(rows) < MAX_BATCH and not self._waiting.empty():
            row = self._waiting.get()
            if row is None:
                later.append(row)
                break
            (rows if self._fit_together([*rows, row]) else later).append(row)
        for row in later:
            self._waiting.put(row)
        return [row for row in rows if not row.is_abandoned] or self._gather()

    def _fit_together(self, rows: list[Row]) -> bool:
        """Return whether the longest prompt and the longest reply of a batch together fit the context."""
        prompt = max(len(row.prompt_ids) for row in rows)
        return prompt + max(row.request.sampling.max_tokens for row in rows) <= self._context

    @property
    def _context(self) -> int:
        config = self._model.config.get_text_config()
        return getattr(config, "max_position_embeddings", None) or UNBOUNDED

    @property
    def _pad(self) -> int:
        """Return the padding token; it is masked, so any token with an embedding will do."""
        pad = self._tokenizer.pad_token_id
        return pad if pad is not None and pad < self._asker.vocabulary else 0

    def _generate(self, rows: list[Row]) -> None:
        import torch
        from transformers import GenerationConfig

        from arena.backends.sampling import RowSampler, RowsDone, RowStreamer

        for row in rows:
            if row.is_overdue:
                self._end_overdue(row)
        if all(row.is_done for row in rows):
            return
        width = max(len(row.prompt_ids) for row in rows)
        ids = torch.tensor([[self._pad] * (width - len(r.prompt_ids)) + r.prompt_ids for r in rows])  # (B, T)
        mask = torch.tensor([[0] * (width - len(r.prompt_ids)) + [1] * len(r.prompt_ids) for r in rows])
        sampler = RowSampler([row.request.sampling for row in rows], [row.request.seed for row in rows])

        def take(tokens: "torch.Tensor") -> None:
            self._give_up(rows, sampler.is_broken)
            self._take(rows, tokens)

        with torch.inference_mode():
            self._model.generate(
                ids.to(self._model.device),
                attention_mask=mask.to(self._model.device),
                generation_config=GenerationConfig(
                    max_new_tokens=max(row.request.sampling.max_tokens for row in rows),
                    do_sample=False,
                    pad_token_id=self._pad,
                ),
                logits_processor=[sampler],
                stopping_criteria=[RowsDone(rows)],
                streamer=RowStreamer(take),
            )

    def _give_up(self, rows: list[Row], is_broken: "torch.Tensor") -> None:
        for row, broken in zip(rows, is_broken.tolist(), strict=True):
            if broken and not row.is_done:
                row.fail(f"{self.path} computes NaN or infinite values: its weights are damaged")

    def _take(self, rows: list[Row], tokens: "torch.Tensor") -> None:
        """Give each unfinished row its next token: show the new text, or end the reply."""
        for row, token in zip(rows, tokens.tolist(), strict=True):
            if not row.is_done:
                try:
                    self._extend(row, token)
                except Exception as error:  # must not end the other rows
                    log.exception("%s: a reply from %s failed", self._whose, self.path)
                    row.fail(f"generation failed: {one_line(error)}")
            if not row.is_done and row.is_overdue:
                self._end_overdue(row)

    def _end_overdue(self, row: Row) -> None:
        """End a row that is out of time, with its text so far if that is wanted and not empty."""
        sampling = row.request.sampling
        text, _ = visible_text(self._decode(row), row.request.style.stop, is_final=True)
        text = text.rstrip("\ufffd").rstrip()
        if sampling.at_limit == "cut" and text:
            row.finish = "length"
            row.send(self._reply(row, text))
        else:
            row.fail(f"the reply had not ended after {sampling.max_seconds:g} s (sampling.max_seconds)")

    def _decode(self, row: Row) -> str:
        text: str = self._tokenizer.decode(row.ids, skip_special_tokens=True)
        return text.lstrip()

    def _extend(self, row: Row, token: int) -> None:
        if not row.ids:
            row.first_seconds = time.monotonic() - row.began
        row.ids.append(token)
        is_end = token in self._ends
        text = self._decode(row)
        is_cut = len(row.ids) >= row.request.sampling.max_tokens
        shown, is_stopped = visible_text(text, row.request.style.stop, is_final=is_end or is_cut)
        if is_stopped or is_end or is_cut:
            row.finish = "stop" if is_stopped else "end" if is_end else "length"
            row.send(self._reply(row, shown.rstrip("\ufffd").rstrip()))
        # An incomplete character decodes to U+FFFD: wait for its other bytes.
        elif len(shown) > len(row.shown) and not shown.endswith("\ufffd"):
            row.send(shown[len(row.shown) :])
            row.shown = shown

    @property
    def _ends(self) -> set[int]:
        ends = self._model.generation_config.eos_token_id
        return {ends} if isinstance(ends, int) else set(ends or [])

    def _reply(self, row: Row, text: str) -> Reply:
        assert row.finish is not None
        recipe = {
            **self._identity,
            "prompt": row.request.style.model_dump(mode="json"),
            "sampling": row.request.sampling.model_dump(mode="json"),
            "seed": row.request.seed,
        }
        seconds = time.monotonic() - row.began
        return Reply(text, row.finish, len(row.prompt_ids), len(row.ids), seconds, row.first_seconds, recipe)
