"""Sampling, streaming and stopping for each row of a batched ``generate`` by itself.

Imported only by the worker thread of the transformers backend, since it brings torch.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from transformers import LogitsProcessor, StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from arena.contestants import Sampling

if TYPE_CHECKING:
    from arena.backends.local.rows import Row


class RowSampler(LogitsProcessor):  # type: ignore[misc]  # transformers ships no types for it
    """Turn greedy decoding into seeded sampling: argmax(logits / temperature + Gumbel noise), one generator per row.

    In vLLM's order: repetition penalty, temperature, then top_k, top_p and min_p of what is left; each masks tokens
    before the noise is added, and tokens that are equally likely are kept or masked together. (transformers takes min_p
    of the whole softmax, before top_p: the same tokens, since the likeliest one always stays and the ratio of two
    probabilities does not change.) Temperature 0 leaves a row greedy after its penalty.

    prompts: each row's own tokens without padding, which the penalty counts as said. is_broken (B,) marks the rows
    whose largest logit was ever NaN or infinite: the tokens of such a row are meaningless.
    """

    def __init__(self, sampling: list[Sampling], seeds: list[int], prompts: list[list[int]] | None = None) -> None:
        self.temperature = _column([s.temperature for s in sampling])
        self.top_p = _column([s.top_p for s in sampling])
        self.min_p = _column([s.min_p for s in sampling])
        self.top_k = [s.top_k for s in sampling]
        self.penalty = _column([s.repetition_penalty for s in sampling])
        self.prompts = prompts or [[] for _ in sampling]
        self.said: torch.Tensor | None = None
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.is_broken = torch.zeros(len(seeds), dtype=torch.bool)

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.Tensor:
        """Return perturbed log-probabilities (B, V), whose argmax is the drawn token."""
        is_broken = ~scores.max(-1).values.isfinite()  # the maximum of a row with NaN is NaN
        self.is_broken |= is_broken.cpu()
        temperature = self.temperature.to(scores.device)
        logits = self._penalize(input_ids, scores.float())
        if not (temperature > 0).any():
            return logits
        logits = logits / torch.where(temperature > 0, temperature, 1.0)
        logits = keep_likeliest(logits, self.top_k, self.top_p.to(scores.device), self.min_p.to(scores.device))
        uniform = torch.stack([torch.rand(logits.shape[1], generator=g) for g in self.generators])  # (B, V)
        gumbel = uniform.clamp_(1e-20, 1 - 1e-7).log_().neg_().log_().neg_().to(scores.device)
        return logits + torch.where(temperature > 0, gumbel, 0.0)

    def _penalize(self, input_ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Divide the positive logits of tokens in prompt and reply by the penalty, and multiply the negative ones."""
        if (self.penalty == 1).all():
            return logits
        if self.said is None:
            self.said = torch.zeros(logits.shape, dtype=torch.bool)
            for row, prompt in zip(self.said, self.prompts, strict=True):
                row[prompt] = True
        else:
            self.said.scatter_(1, input_ids[:, -1:].cpu(), True)
        penalty = self.penalty.to(logits.device)
        return torch.where(
            self.said.to(logits.device), torch.where(logits > 0, logits / penalty, logits * penalty), logits
        )


def keep_likeliest(
    logits: torch.Tensor, top_k: list[int], top_p: torch.Tensor, min_p: torch.Tensor | None = None
) -> torch.Tensor:
    """Set the logits (B, V) of unlikely tokens to -inf, row by row; tokens equal to the last one kept stay too.

    top_k: that many stay, 0 for all. top_p (B, 1): of these the smallest set whose probability reaches it (nucleus;
    Holtzman et al. 2020, arXiv:1904.09751). min_p (B, 1): of these the ones with that share of the best's probability.
    """
    least = torch.full((len(top_k), 1), float("-inf"), device=logits.device)  # the smallest logit that stays
    if any(top_k) or (top_p < 1).any():
        ordered = _descending(logits)
        rank = torch.tensor([min(k or logits.shape[1], logits.shape[1]) for k in top_k], device=logits.device)[:, None]
        ordered = ordered.masked_fill(ordered < ordered.gather(1, rank - 1), float("-inf"))
        probabilities = ordered.softmax(-1)
        wanted = torch.where(top_p < 1, top_p, float("inf"))  # a sum may round to 1 before the last token
        is_beyond = probabilities.cumsum(-1) - probabilities >= wanted  # the first token always stays
        least = ordered.masked_fill(is_beyond, float("inf")).masked_fill(ordered == float("-inf"), float("inf"))
        least = least.min(-1, keepdim=True).values
    if min_p is not None and (min_p > 0).any():
        least = torch.maximum(least, logits.max(-1, keepdim=True).values + min_p.log())  # log 0 is -inf
    return logits.masked_fill(logits < least, float("-inf"))


def _descending(logits: torch.Tensor) -> torch.Tensor:
    """Sort rows (B, V); on a CPU by numpy, some thirty times faster than torch, which also returns the order."""
    if logits.device.type != "cpu":
        return logits.sort(dim=-1, descending=True).values
    return torch.from_numpy(-np.sort(-logits.numpy(), axis=-1))


def _column(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None]  # (B, 1)


class RowStreamer(BaseStreamer):  # type: ignore[misc]
    """Pass on the next tokens (B,) of every row; the first call brings the prompt and is skipped."""

    def __init__(self, take: Callable[[torch.Tensor], None]) -> None:
        self.take = take
        self.has_prompt = False

    def put(self, value: torch.Tensor) -> None:
        """Receive the prompt (B, T) once, then next tokens (B,)."""
        if self.has_prompt:
            self.take(value)
        self.has_prompt = True

    def end(self) -> None:
        """Do nothing: each row has ended by itself."""


class RowsDone(StoppingCriteria):  # type: ignore[misc]
    """Stop the rows that ended, were cut, reached a stop text, or whose reader has gone."""

    def __init__(self, rows: "list[Row]") -> None:
        self.rows = rows

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: object) -> torch.Tensor:
        """Return (B,) booleans."""
        return torch.tensor([row.is_done for row in self.rows], device=input_ids.device)
