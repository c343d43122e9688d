"""How votes are spread over those who cast them, or over prompts: whether they are enough to group votes by."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST = 10
"""Effective clusters from which on votes are grouped unless told otherwise."""

_BLOCK = 2**24


@dataclass(frozen=True)
class ClusterSizes:
    """How the votes are spread over the voters, or over the prompts."""

    number: int
    effective: float
    """How many that cast equally many votes would be worth as much."""
    largest: float
    """Share of the votes that the most diligent one cast."""

    @property
    def is_enough(self) -> bool:
        """Return whether there are as many as grouping needs."""
        return self.number >= FEWEST and self.effective >= FEWEST


def sizes_of(codes: NDArray[Any]) -> ClusterSizes:
    """Return how (n,) codes from 0 are spread; n is not zero."""
    cast = tally(codes)
    return ClusterSizes(int((cast > 0).sum()), effective_number(cast), float(cast.max() / cast.sum()))


def tally(codes: NDArray[Any]) -> NDArray[np.int64]:
    """Return how often each of (n,) codes from 0 occurs, without a copy of them all."""
    total = np.zeros(int(codes.max(initial=-1)) + 1, dtype=np.int64)
    for start in range(0, len(codes), _BLOCK):  # numpy widens what it counts
        total += np.bincount(codes[start : start + _BLOCK], minlength=len(total))
    return total


def effective_number(weights: NDArray[Any]) -> float:
    """Return how many clusters of equal weight are worth as much as those of these weights; 0 for none.

    (sum of weights)^2 / (sum of squared weights), Kish's effective sample size.
    """
    total = float(weights.sum())
    return total**2 / float((weights.astype(np.float64) ** 2).sum()) if total > 0 else 0.0
