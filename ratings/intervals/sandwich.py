"""How sure the strengths are: sandwich covariance, intervals and differences.

With H the negative Hessian and M the sum over the votes of the squared score, the covariance of the
strengths is the sandwich H+ M H+ (White 1982, doi:10.2307/1912526). It stays right where the votes
do not follow the model exactly, and ties counted as half a win each never are: a tie is less
noisy than a coin toss, and M knows it. Both matrices come from counts. A vote on models i and j
moves the score by (y - P_ij)(e_i - e_j), with y = 1, 0 or 1/2, so M is the Laplacian of

    m_ij = W_ij (1 - P_ij)^2 + W_ji P_ij^2 + T_ij (1/2 - P_ij)^2.

Both are singular along (1, ..., 1), where the sum-to-zero strengths cannot move, so H+ is the
pseudo-inverse, H+ = (H + cJ)^-1 - J / (c R^2) with J all ones and any c > 0.

No interval has zero width. The sandwich variance of model i is sum_uv m_uv (H+_iu - H+_iv)^2, and
H+_ii is the strict maximum of its row, so the variance is positive as soon as one m_ij is. Where
none is, every vote on i was a tie with an equal, the sandwich has nothing to measure a spread by,
and `has_spread` is False: such a model gets a status instead of an interval.

The sandwich is right for many votes; for a model with only a handful it is too narrow.
"""

import numpy as np
from numpy.typing import NDArray

from ratings.fit.newton import pseudo_inverse
from ratings.fit.protocol import Fit
from ratings.scale import quantile

NO_SPREAD = "no interval: its votes show no spread"

# A tie between equals has a squared score of 1e-16 or less, after rounding, against 1/4 in the
# Hessian; a decided vote has at least the square of the loser's chance.
_ROUNDING = 1e-14


def covariance(fit: Fit) -> NDArray[np.float64]:
    """Return the (R, R) covariance of the strengths, in nats squared; the uncertainty of a tie parameter is in it."""
    size = len(fit.strengths)
    return joint_covariance(fit)[:size, :size]


def joint_covariance(fit: Fit) -> NDArray[np.float64]:
    """Return the (p, p) sandwich covariance of the strengths and, last, of log nu where the fit has it."""
    return np.asarray(fit.inverse @ fit.score_products() @ fit.inverse)


def variances(fit: Fit) -> NDArray[np.float64]:
    """Return the (R,) diagonal of `covariance`, which is all that intervals need, by one product less."""
    size = len(fit.strengths)
    return np.asarray(np.einsum("ij,ij->i", fit.inverse @ fit.score_products(), fit.inverse)[:size])


def sandwich(
    hessian: NDArray[np.float64], products: NDArray[np.float64], flat: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the (p, p) covariance H+ M H+ from H and M, both (p, p) and zero along `flat`, or (1, ..., 1)."""
    inverse = pseudo_inverse(hessian, flat)
    return np.asarray(inverse @ products @ inverse)


def has_spread(fit: Fit) -> NDArray[np.bool_]:
    """Return (R,) whether the votes on each rated model show a spread, so that it has an interval."""
    size = len(fit.strengths)
    return np.asarray(np.diag(fit.score_products())[:size] > _ROUNDING * np.diag(fit.hessian)[:size])


def centre_on(
    kept: NDArray[np.bool_], strengths: NDArray[np.float64], covariance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return strengths and covariance of the kept models alone, measured from their own mean.

    Differences stay as they were. `kept` is (R,); the results are of the size of the kept.
    """
    if not kept.any():
        return strengths[kept], covariance[np.ix_(kept, kept)]
    inside = covariance[np.ix_(kept, kept)]
    inside = inside - inside.mean(axis=0)
    return strengths[kept] - strengths[kept].mean(), inside - inside.mean(axis=1)[:, None]


def intervals(
    strengths: NDArray[np.float64], variance: NDArray[np.float64], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lower and upper bounds, in the unit of the strengths and of their shape.

    Each holds on its own with the given confidence, under the normal approximation.
    """
    reach = quantile(confidence) * np.sqrt(variance)
    return strengths - reach, strengths + reach


def difference_variance(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (R, R) variances of strength i minus strength j, from the joint (R, R) covariance.

    This is not the sum of two variances: strengths that were measured against the same opponents
    move together. The diagonal is zero.
    """
    variance = np.diag(covariance)
    return np.maximum(np.add.outer(variance, variance) - 2 * covariance, 0.0)
