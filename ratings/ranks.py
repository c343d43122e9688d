"""Ranks that admit what is not known.

A model's rank is one more than the number of models that are surely better: those whose strength
difference to it has an interval wholly above zero. The intervals come from the joint covariance,
because comparing two separate intervals for overlap is too strict for a pair that met often.

These ranks are marginal. Each difference is held to the confidence level on its own, so among many
models some rank is wrong more often than the level says; ranks that hold for all models at once
(Mogstad, Romano, Shaikh and Wilhelm 2024, doi:10.1093/restud/rdad006) need wider intervals.
A model that was measured more closely may also have a better rank than one just above it by rating.
"""

import numpy as np
from numpy.typing import NDArray

from ratings.intervals import difference_variance, quantile


def marginal_ranks(
    strengths: NDArray[np.float64], covariance: NDArray[np.float64], confidence: float
) -> NDArray[np.int64]:
    """Return (R,) ranks from 1, where models that cannot be told apart share one.

    Takes (R,) strengths and their (R, R) covariance in nats.
    """
    ahead = strengths[None, :] - strengths[:, None]  # (i, j): how far j is ahead of i
    variance = difference_variance(covariance)
    # Two models tied to each other by nothing but ties have a difference of zero with no spread;
    # rounding must not order them.
    is_known = variance > 1e-12 * np.add.outer(np.diag(covariance), np.diag(covariance))
    is_better = is_known & (ahead - quantile(confidence) * np.sqrt(variance) > 0)
    return np.asarray(1 + is_better.sum(axis=1))
