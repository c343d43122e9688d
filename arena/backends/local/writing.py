"""One batch of replies: one ``generate``, whose next tokens a streamer of our own gives to each row at once.

Each row has a random generator of its own and samples by the Gumbel-max trick (argmax of logits / temperature + Gumbel
noise is a draw from the softmax; Gumbel 1954, Maddison et al. 2014, arXiv:1411.0030), so a reply depends on its seed
and not on the other rows of its batch.
"""

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena.backends.base import BackendError, Reply
from arena.backends.local.rows import BASE, Event, Row, send_all
from arena.backends.prompting import one_line
from arena.backends.stop_texts import visible_text

if TYPE_CHECKING:
    import torch

    from arena.backends.local.loading import Loaded

log = logging.getLogger(__name__)


class Writer:
    """Writes batches with one model. The worker thread alone calls it."""

    def __init__(self, loaded: "Loaded", path: Path, whose: str) -> None:
        """Take a loaded checkpoint; path and whose appear in errors and in the log."""
        self.model, self.tokenizer, self.path, self.whose = loaded.model, loaded.tokenizer, path, whose
        self.recipes: dict[str, dict[str, Any]] = {BASE: loaded.identity}
        self.has_adapters = False
        vocabulary = self.model.get_input_embeddings().weight.shape[0]
        pad = self.tokenizer.pad_token_id
        self._pad = pad if pad is not None and pad < vocabulary else 0  # it is masked, so any token will do
        ends = self.model.generation_config.eos_token_id
        self._ends = {ends} if isinstance(ends, int) else set(ends or [])

    def write(self, rows: list[Row]) -> None:
        """Write the replies to these rows, which together fit the context."""
        import torch
        from transformers import GenerationConfig

        from arena.backends.local.sampling import RowSampler, RowsDone, RowStreamer

        for row in rows:
            if row.adapter not in self.recipes:  # its row would be written by the base
                row.fail("its adapter cannot be loaded")
        send_all([(row, self._end_overdue(row)) for row in rows if not row.is_done and row.is_overdue])
        rows = [row for row in rows if not row.is_done]
        if not rows:
            return
        width = max(len(row.prompt_ids) for row in rows)
        ids = torch.tensor([[self._pad] * (width - len(r.prompt_ids)) + r.prompt_ids for r in rows])  # (B, T)
        mask = torch.tensor([[0] * (width - len(r.prompt_ids)) + [1] * len(r.prompt_ids) for r in rows])
        requests = [row.request for row in rows]
        sampler = RowSampler(
            [each.sampling for each in requests], [each.seed for each in requests], [row.prompt_ids for row in rows]
        )

        def take(tokens: "torch.Tensor") -> None:
            self._give_up(rows, sampler.is_broken)
            self._take(rows, tokens)

        # Only a model with adapters knows this argument.
        adapters = {"adapter_names": [row.adapter for row in rows]} if self.has_adapters else {}
        with torch.inference_mode():
            self.model.generate(
                ids.to(self.model.device),
                attention_mask=mask.to(self.model.device),
                generation_config=GenerationConfig(
                    max_new_tokens=max(each.sampling.max_tokens for each in requests),
                    do_sample=False,
                    pad_token_id=self._pad,
                ),
                logits_processor=[sampler],
                stopping_criteria=[RowsDone(rows)],
                streamer=RowStreamer(take),
                **adapters,
            )

    def _give_up(self, rows: list[Row], is_broken: "torch.Tensor") -> None:
        for row, broken in zip(rows, is_broken.tolist(), strict=True):
            if broken and not row.is_done:
                row.fail(f"{self.path} computes NaN or infinite values: its weights are damaged")

    def _take(self, rows: list[Row], tokens: "torch.Tensor") -> None:
        """Give each unfinished row its next token: show the new text, or end the reply."""
        events: list[tuple[Row, Event]] = []
        for row, token in zip(rows, tokens.tolist(), strict=True):
            if row.is_done:
                continue
            try:
                event = self._extend(row, token)
            except Exception as error:  # must not end the other rows
                log.exception("%s: a reply from %s failed", self.whose, self.path)
                row.is_abandoned = True
                event = BackendError(f"generation failed: {one_line(error)}")
            if event is not None:
                events.append((row, event))
            if not row.is_done and row.is_overdue:
                events.append((row, self._end_overdue(row)))
        send_all(events)

    def _end_overdue(self, row: Row) -> Reply | BackendError:
        """End a row that is out of time, with its text so far if that is wanted and not empty."""
        sampling = row.request.sampling
        text, _ = visible_text(self._decode(row.ids).lstrip(), row.request.style.stop, is_final=True)
        if sampling.at_limit == "cut" and _whole(text):
            row.finish = "length"
            return self._reply(row, text)
        row.is_abandoned = True
        return BackendError(f"the reply had not ended after {sampling.max_seconds:g} s (sampling.max_seconds)")

    def _decode(self, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def _extend(self, row: Row, token: int) -> Event | None:
        """Return what a row's next token shows: more text, the whole reply if it ends it, or nothing yet."""
        if not row.ids:
            row.first_seconds = time.monotonic() - row.began
        row.add(token, self._decode)
        is_end = token in self._ends
        is_cut = len(row.ids) >= row.request.sampling.max_tokens
        text = self._decode(row.ids).lstrip() if is_end or is_cut else row.text
        shown, is_stopped = visible_text(text, row.request.style.stop, is_final=is_end or is_cut)
        if is_stopped or is_end or is_cut:
            row.finish = "stop" if is_stopped else "end" if is_end else "length"
            return self._reply(row, shown)
        if len(shown) > len(row.shown):
            delta, row.shown = shown[len(row.shown) :], shown
            return delta
        return None

    def _reply(self, row: Row, text: str) -> Reply:
        assert row.finish is not None
        recipe = {
            **self.recipes[row.adapter],
            "prompt": row.request.style.model_dump(mode="json"),
            "sampling": row.request.sampling.model_dump(mode="json"),
            "seed": row.request.seed,
        }
        seconds = time.monotonic() - row.began
        return Reply(_whole(text), row.finish, len(row.prompt_ids), len(row.ids), seconds, row.first_seconds, recipe)


def _whole(text: str) -> str:
    """Return a text without spaces and an unfinished character at its end."""
    return text.rstrip("\ufffd").rstrip()
