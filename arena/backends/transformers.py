"""Replies from a checkpoint in this process: one thread a set of weights, one batched generate for what waits.

A thread a request does not scale on a CPU and transformers' continuous batching crawls there, so requests that arrive
together share one ``generate``: a streamer of our own receives the next token of every row at once. Each row draws
with a generator of its own by the Gumbel-max trick (argmax of logits / temperature + Gumbel noise is a draw from the
softmax; Gumbel 1954, Maddison et al. 2014, arXiv:1411.0030), so a reply depends on its seed and not on who shared
its batch.
"""

import asyncio
import hashlib
import importlib.metadata
import logging
import os
import queue
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena.backends import BackendError, Finish, PromptTooLong, Reply, Request
from arena.config import ChatStyle, FewShotStyle, Sampling
from arena.guard import PromptRefused
from arena.prompts import few_shot_document, visible_text

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

MAX_BATCH = 32
UNBOUNDED = 1 << 30  # for models that name no context length
GATHER_SECONDS = 0.01  # how long the first request of a batch waits for company
# transformers imports its parts lazily, which several threads at once break; one loads at a time.
LOADING = threading.Lock()
log = logging.getLogger(__name__)


@dataclass
class Row:
    """One request on its way through a batch. The worker thread writes it, the event loop reads its events."""

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
        """Say whether no more tokens are wanted."""
        return self.finish is not None or self.is_abandoned

    def send(self, event: "str | Reply | Exception") -> None:
        """Hand an event to the reader; a loop that is closed has no readers left."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)


class TransformersBackend:
    """Serves one checkpoint folder. Loading starts at once, in the worker thread, so the page need not wait for it."""

    def __init__(self, path: Path, *, share_of_cores: int = 1) -> None:
        self.path = path
        self._threads = max(1, (os.cpu_count() or 1) // share_of_cores)
        self._waiting: queue.Queue[Row | None] = queue.Queue()
        self._loaded = threading.Event()
        self._failure: BackendError | None = None
        self._tokenizer: PreTrainedTokenizerFast
        self._model: PreTrainedModel
        self._identity: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._work, name=f"backend {path.name}", daemon=True)
        self._thread.start()

    async def check(self, prompt: str, style: ChatStyle | FewShotStyle, sampling: Sampling) -> None:
        """Wait for the weights; raise PromptTooLong or PromptRefused as the protocol says."""
        await self._wait_until_loaded()
        token = next((t for t in self._tokenizer.all_special_tokens if t in prompt), None)
        if token:
            raise PromptRefused(f"{token!r} is a control token of a chat format: write it another way.")
        context = self._context
        size = len(self._encode(prompt, style, sampling.max_tokens))
        if size + sampling.max_tokens > context:
            frame = len(self._encode("", style, context))  # what is left of the document where nothing fits
            per_letter = (size - frame) / len(prompt)
            raise PromptTooLong(max(0, int((context - sampling.max_tokens - frame) / per_letter)))

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """Yield deltas, then the Reply.

        Raises:
            BackendError: the checkpoint did not load, or generation failed.
        """
        await self._wait_until_loaded()
        ids = self._encode(request.prompt, request.style, request.sampling.max_tokens)
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
        """Let the worker end after the batch it is writing; nothing is written after that."""
        self._failure = self._failure or BackendError(f"{self.path} is closed")
        self._waiting.put(None)

    async def _wait_until_loaded(self) -> None:
        while not self._loaded.is_set():
            await asyncio.sleep(0.02)
        if self._failure:
            raise self._failure

    def _encode(self, prompt: str, style: ChatStyle | FewShotStyle, reply_tokens: int) -> list[int]:
        """Return the tokens of a prompt. A few-shot document keeps as many examples as leave room for the reply."""
        if isinstance(style, FewShotStyle):
            ids: list[int] = []
            for shots in range(len(style.examples), 0, -1):
                ids = self._tokenizer(few_shot_document(style, prompt, shots))["input_ids"]
                if len(ids) + reply_tokens <= self._context:
                    break
            return ids
        messages = [{"role": "user", "content": prompt}]
        text = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        chat_ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return chat_ids

    # Everything below runs in the worker thread.

    def _work(self) -> None:
        try:
            with LOADING:
                self._load()
        except Exception as error:  # the edge of the thread: kept, logged and raised to every request
            log.error("%s cannot be loaded: %s", self.path, error)
            self._failure = BackendError(f"{self.path} cannot be loaded: {error}")
        self._loaded.set()
        while self._failure is None:
            rows = self._gather()
            if not rows:
                return
            try:
                self._generate(rows)
            except Exception as error:  # the edge of the thread: each reader gets it and voids its battle
                log.exception("generation failed in %s", self.path)
                for row in rows:
                    row.send(BackendError(f"generation failed: {error}"))

    def _load(self) -> None:
        import torch
        import transformers

        transformers.utils.logging.disable_progress_bar()
        torch.set_num_threads(self._threads)
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(self.path, local_files_only=True)
        # Weights may be published in bfloat16, which a processor computes slowly and a batch would round differently.
        on_gpu = torch.cuda.is_available()
        model = transformers.AutoModelForCausalLM.from_pretrained(
            self.path, local_files_only=True, dtype="auto" if on_gpu else torch.float32
        )
        self._model = model.to("cuda" if on_gpu else "cpu").eval()
        self._identity = {
            "backend": "transformers",
            "weights": _hash_weights(self.path),
            "template": _hash_text(self._tokenizer.chat_template or ""),
            "versions": {name: importlib.metadata.version(name) for name in ("transformers", "torch")},
        }

    def _gather(self) -> list[Row]:
        """Return the requests that wait, at most MAX_BATCH; an empty list when the backend was closed."""
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
        """Say whether the longest prompt and the longest reply of a batch together stay within the context."""
        prompt = max(len(row.prompt_ids) for row in rows)
        return prompt + max(row.request.sampling.max_tokens for row in rows) <= self._context

    @property
    def _context(self) -> int:
        return getattr(self._model.config, "max_position_embeddings", None) or UNBOUNDED

    def _generate(self, rows: list[Row]) -> None:
        import torch
        from transformers import GenerationConfig

        from arena.backends.sampling import RowSampler, RowsDone, RowStreamer

        width = max(len(row.prompt_ids) for row in rows)
        pad = self._tokenizer.pad_token_id if self._tokenizer.pad_token_id is not None else 0
        ids = torch.tensor([[pad] * (width - len(r.prompt_ids)) + r.prompt_ids for r in rows])  # (B, T), padded left
        mask = torch.tensor([[0] * (width - len(r.prompt_ids)) + [1] * len(r.prompt_ids) for r in rows])
        sampler = RowSampler([row.request.sampling for row in rows], [row.request.seed for row in rows])
        with torch.inference_mode():
            self._model.generate(
                ids.to(self._model.device),
                attention_mask=mask.to(self._model.device),
                generation_config=GenerationConfig(
                    max_new_tokens=max(row.request.sampling.max_tokens for row in rows),
                    do_sample=False,
                    pad_token_id=pad,
                ),
                logits_processor=[sampler],
                stopping_criteria=[RowsDone(rows)],
                streamer=RowStreamer(lambda tokens: self._take(rows, tokens)),
            )

    def _take(self, rows: list[Row], tokens: "torch.Tensor") -> None:
        """Give each unfinished row its next token: show the new text, or end the reply."""
        for row, token in zip(rows, tokens.tolist(), strict=True):
            if not row.is_done:
                self._extend(row, token)

    def _extend(self, row: Row, token: int) -> None:
        if not row.ids:
            row.first_seconds = time.monotonic() - row.began
        row.ids.append(token)
        is_end = token in self._ends
        text = self._tokenizer.decode(row.ids, skip_special_tokens=True).lstrip()
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


def _hash_weights(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return "sha256:" + digest.hexdigest()


def _hash_text(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
