"""Which battle to ask for next: what one more vote on each pair is worth for the ranks.

Two models are told apart once t = (s_k - s_l) / se_kl is beyond the z of simultaneous intervals, and
t^2 grows in proportion to the votes. So min(t^2 / z^2, 1) is the share of the votes that the pair
needs and already has, and the sum over all pairs counts the pairs told apart, those under way in part.
A battle is worth what it is expected to add to that sum. Lowering the variance v_kl of a difference
d_kl that is still open adds

    w_kl = d_kl^2 / (z^2 v_kl^2)    per nat squared,

much for close differences that are nearly decided, little for those that are equal as far as anybody
knows, nothing for those decided. One more vote on i and j adds h (e_i - e_j)(e_i - e_j)^T to the
information, h = P_ij P_ji, and by the Sherman-Morrison formula lowers the variance of every difference by

    h ((e_k - e_l)^T V (e_i - e_j))^2 / (1 + h (e_i - e_j)^T V (e_i - e_j)).

Summed over k and l with the weights w this is a quadratic form in V L V, with L the Laplacian of w, so
all pairs cost two products of (R, R) matrices. It is one greedy step of a Bayesian design (Chaloner and
Verdinelli 1995, doi:10.1214/ss/1177009939). How often a pair met enters by the covariance alone.

Battles are drawn at random, in part by worth and in part uniformly. The uniform part keeps every chance
above a floor, so that weights of 1 / chance stay bounded and no model is forgotten; it also mends
early mistakes about who is close to whom.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ratings.errors import SettingsError, TooFewModelsError
from ratings.fit.bradley_terry import laplacian, win_probability
from ratings.intervals.sandwich import difference_variance
from ratings.scale import quantile

EXPLORATION = 0.2
"""Share of battles that are drawn uniformly."""

SHARPNESS = 4.0
"""Power of the worth that the other battles are drawn by; the higher, the more they are of the best pairs."""


def vote_worth(
    strengths: NDArray[np.float64], covariance: NDArray[np.float64], *, confidence: float = 0.95
) -> NDArray[np.float64]:
    """Return (R, R) how many pairs one more vote on the row's and column's models tells apart, in expectation.

    Takes (R,) strengths and their (R, R) covariance in nats. Symmetric, never negative, zero on the
    diagonal. Raises SettingsError for a confidence outside (0, 1).
    """
    weights = closeness(strengths, covariance, confidence)
    probability = win_probability(strengths)
    information = probability * probability.T
    gain = difference_variance(covariance @ laplacian(weights) @ covariance)
    return np.asarray(information * gain / (1 + information * difference_variance(covariance)))


def closeness(
    strengths: NDArray[np.float64], covariance: NDArray[np.float64], confidence: float
) -> NDArray[np.float64]:
    """Return (R, R) how much of being told apart each pair gains per nat squared of less variance."""
    size = len(strengths)
    # Bonferroni's z is a little above that of max-t and needs no draws.
    z = quantile(1 - (1 - confidence) / max(size * (size - 1) / 2, 1))
    variance = difference_variance(covariance)
    is_known = variance > 1e-12 * np.add.outer(np.diag(covariance), np.diag(covariance))
    spread = np.where(is_known, variance, 1.0)
    squared = (strengths[:, None] - strengths[None, :]) ** 2 / spread
    return np.where(is_known & (squared < z**2), squared / spread, 0.0) / z**2


def pair_chances(
    worth: NDArray[np.float64],
    *,
    rated: NDArray[np.int64] | None = None,
    models: int | None = None,
    exploration: float = EXPLORATION,
    sharpness: float = SHARPNESS,
) -> NDArray[np.float64]:
    """Return (K, K) chances of drawing each pair: symmetric, and one in sum over the pairs i < j.

    `worth` is (R, R). Where only R of the K `models` are rated, `rated` holds their (R,) places, and a
    pair with an unrated model is worth as much as the best other pair, as nothing is known of it. Every
    pair keeps at least `exploration` times its uniform chance, so 1 / chance is at most 1 / `exploration`
    times that of a uniform draw; the others follow the worth to the power of `sharpness`. Raises
    SettingsError for an exploration outside (0, 1] or a sharpness that is not a positive number, and
    TooFewModelsError below two models.
    """
    if not 0 < exploration <= 1:
        raise SettingsError(f"exploration is {exploration}; give the share of uniform draws, above 0 and up to 1")
    if not 0 < sharpness < math.inf:
        raise SettingsError(f"sharpness is {sharpness}; give a positive number, such as {SHARPNESS:.0f}")
    size = len(worth) if models is None else models
    if size < 2:
        raise TooFewModelsError(f"{size} models make no pair; a battle needs two")
    places = np.arange(len(worth)) if rated is None else rated
    best = worth.max(initial=0.0)
    value = np.ones((size, size))
    value[np.ix_(places, places)] = (worth / best if best > 0 else 0 * worth) ** sharpness
    np.fill_diagonal(value, 0.0)
    uniform = (1 - np.eye(size)) / (size * (size - 1) / 2)
    total = value.sum() / 2
    by_worth = value / total if total > 0 else uniform
    return np.asarray(exploration * uniform + (1 - exploration) * by_worth)
