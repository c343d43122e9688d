"""Votes with covariates, and the sums over them that a fit needs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratings.fit.bradley_terry import laplacian

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CovariateData:
    """Votes on R rated models, in a shape that a pass over them can use; rows may stand for many."""

    size: int
    """R."""
    pair: NDArray[np.int64]
    """(n,) side a times R plus side b, both numbered among the rated models."""
    share: Floats
    """(n,) side A's share of the win: 1, 0 or 1/2."""
    x: Floats
    """(F, n) covariates; each lies in one piece of memory."""
    times: Floats | None = None
    """(n,) votes that a row stands for; None for one each."""

    @property
    def votes(self) -> float:
        """Return the number of votes the rows stand for."""
        return float(len(self.share) if self.times is None else self.times.sum())

    def probability(self, theta: Floats) -> Floats:
        """Return the (n,) chances that side A wins, at (R + F,) strengths and coefficients."""
        strengths, coefficients = theta[: self.size], theta[self.size :]
        behind = np.subtract.outer(strengths, strengths).T.ravel()[self.pair]
        behind -= coefficients @ self.x
        with np.errstate(over="ignore"):  # exp(710) is infinite, and the chance is then 0
            np.exp(behind, out=behind)
        behind += 1
        return np.divide(1, behind, out=behind)

    def gradient(self, residual: Floats) -> Floats:
        """Return the (R + F,) sum of residual times (e_a - e_b, x)."""
        if self.times is not None:
            residual = residual * self.times
        return np.concatenate([self._by_model(residual), self.x @ residual])

    def weigh(self, weight: Floats) -> Floats:
        """Return the (R + F, R + F) sum of weight times z z^T, with z = (e_a - e_b, x)."""
        if self.times is not None:
            weight = weight * self.times
        size, features = self.size, len(self.x)
        total = np.empty((size + features, size + features))
        pairs: Floats = np.bincount(self.pair, weight, size * size).reshape(size, size).astype(np.float64)
        total[:size, :size] = laplacian(pairs + pairs.T)
        weighted = np.empty_like(weight)  # one for all covariates, as the first touch of fresh memory is slow
        for f in range(features):
            np.multiply(self.x[f], weight, out=weighted)
            total[:size, size + f] = total[size + f, :size] = self._by_model(weighted)
            total[size + f, size:] = self.x @ weighted
        return total

    def _by_model(self, values: Floats) -> Floats:
        """Return the (R,) sum of values times (e_a - e_b)."""
        pairs = np.bincount(self.pair, values, self.size * self.size).reshape(self.size, self.size)
        return np.asarray(pairs.sum(axis=1) - pairs.sum(axis=0))
