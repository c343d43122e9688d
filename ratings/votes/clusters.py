"""How votes are spread over those who cast them, or over prompts: whether they are enough to group votes by."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST = 10
"""Effective clusters from which on votes are grouped unless told otherwise."""


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
    cast = np.bincount(codes)
    return ClusterSizes(int((cast > 0).sum()), effective_number(cast), float(cast.max() / cast.sum()))


def effective_number(weights: NDArray[Any]) -> float:
    """Return how many clusters of equal weight are worth as much as those of these weights; 0 for none.

    (sum of weights)^2 / (sum of squared weights), Kish's effective sample size.
    """
    total = float(weights.sum())
    return total**2 / float((weights.astype(np.float64) ** 2).sum()) if total > 0 else 0.0
