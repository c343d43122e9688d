"""Sampling, streaming and stopping for each row of a batched ``generate`` by itself.

Imported only by the worker thread of the transformers backend, since it brings torch.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from transformers import LogitsProcessor, StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from arena.contestants import Sampling

if TYPE_CHECKING:
    from arena.backends.rows import Row


class RowSampler(LogitsProcessor):  # type: ignore[misc]  # transformers ships no types for it
    """Turn greedy decoding into seeded sampling: argmax(logits / temperature + Gumbel noise), one generator per row.

    Nucleus sampling (top_p; Holtzman et al. 2020, arXiv:1904.09751) masks the other tokens before the noise is added.
    Temperature 0 leaves a row greedy. is_broken (B,) marks the rows whose largest logit was ever NaN or infinite: the
    tokens of such a row are meaningless.
    """

    def __init__(self, sampling: list[Sampling], seeds: list[int]) -> None:
        self.temperature = torch.tensor([[s.temperature] for s in sampling])  # (B, 1)
        self.top_p = torch.tensor([[s.top_p] for s in sampling])  # (B, 1)
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.is_broken = torch.zeros(len(seeds), dtype=torch.bool)

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.Tensor:
        """Return perturbed log-probabilities (B, V), whose argmax is the drawn token."""
        is_broken = ~scores.max(-1).values.isfinite()  # the maximum of a row with NaN is NaN
        self.is_broken |= is_broken.cpu()
        temperature = self.temperature.to(scores.device)
        logits = scores.float() / torch.where(temperature > 0, temperature, 1.0)
        logits = keep_nucleus(logits, self.top_p.to(scores.device))
        uniform = torch.stack([torch.rand(logits.shape[1], generator=g) for g in self.generators])  # (B, V)
        gumbel = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7))).to(scores.device)
        return logits + torch.where(temperature > 0, gumbel, 0.0)


def keep_nucleus(logits: torch.Tensor, top_p: torch.Tensor) -> torch.Tensor:
    """Set the tokens outside of the smallest set whose probability reaches top_p (B, 1) to -inf, row by row."""
    ordered, order = logits.sort(dim=-1, descending=True)
    probabilities = ordered.softmax(-1)
    is_beyond = probabilities.cumsum(-1) - probabilities >= top_p  # the first token always stays
    return logits.masked_fill(torch.zeros_like(is_beyond).scatter(-1, order, is_beyond), float("-inf"))


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
