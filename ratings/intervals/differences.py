"""Who is ahead of whom by how much, with an interval of its own for each pair; and the anchor.

The variance of s_i - s_j is V_ii + V_jj - 2 V_ij from the joint covariance V. It is not to be had from
two separate intervals: models measured against the same opponents move together, so their intervals
may overlap widely while the difference between them is sure.

Each pair gets two intervals. The narrower holds with the given confidence for that pair alone, which
is right for a question asked beforehand. The wider holds for all pairs at once (max-t, ranks.py), which
is right when the pair was picked because it looked interesting.

An anchor is a publishing choice. It moves every number of the board by the same points so that one
model reads a round value, and moves the bounds along. Fixing that model's strength in the fit instead
would give it an interval of zero width and hand its own uncertainty on to everybody else, as each
interval would then be that of a difference to it. The intervals stay those of the distance to the
average of the rated models; for the distance to a certain model there are the differences.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratings.errors import SettingsError
from ratings.intervals.confidence_sequence import is_early, sequence
from ratings.intervals.ranks import max_t_multiplier
from ratings.intervals.sandwich import difference_variance, intervals
from ratings.scale import quantile, to_points


@dataclass(frozen=True)
class Differences:
    """All differences among R models: the row's strength minus the column's, in nats."""

    estimate: NDArray[np.float64]
    """(R, R), antisymmetric."""
    error: NDArray[np.float64]
    """(R, R) standard errors; zero on the diagonal alone, NaN where the votes show no spread."""
    lower: NDArray[np.float64]
    """(R, R) each interval on its own; NaN where the error is."""
    upper: NDArray[np.float64]
    joint_lower: NDArray[np.float64]
    """(R, R) all intervals at once."""
    joint_upper: NDArray[np.float64]
    multiplier: float
    """Standard errors that the joint intervals reach to each side; NaN where that differs by pair."""


@dataclass(frozen=True)
class Anchored:
    """Ratings and bounds in Elo points, moved so that one model reads a given value."""

    points: NDArray[np.float64]
    """(R,)"""
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    shift: float
    """Points that were added to every rating and bound."""


def differences(
    strengths: NDArray[np.float64],
    covariance: NDArray[np.float64],
    confidence: float,
    *,
    rng: np.random.Generator,
    draws: int | None = None,
    multiplier: float | None = None,
) -> Differences:
    """Return all pairwise differences of (R,) strengths with their (R, R) covariance, in nats.

    `rng` and `draws` are for the joint intervals, as in `simultaneous_ranks`; where that was called, its
    `joint` is their `multiplier` and nothing is drawn. Raises SettingsError for a confidence outside (0, 1).
    """
    estimate = strengths[:, None] - strengths[None, :]
    variance = difference_variance(covariance)
    # Two models tied to each other by nothing but ties have no spread, and get no interval.
    has_none = variance <= 1e-12 * np.add.outer(np.diag(covariance), np.diag(covariance))
    error = np.sqrt(np.where(has_none, np.nan, variance))
    np.fill_diagonal(error, 0.0)
    alone = quantile(confidence) * error
    if multiplier is None:
        multiplier = max_t_multiplier(covariance, confidence, rng=rng, draws=draws)
    joint = multiplier * error
    return Differences(
        estimate=estimate,
        error=error,
        lower=estimate - alone,
        upper=estimate + alone,
        joint_lower=estimate - joint,
        joint_upper=estimate + joint,
        multiplier=multiplier,
    )


def sequence_differences(
    strengths: NDArray[np.float64],
    covariance: NDArray[np.float64],
    confidence: float,
    voters: NDArray[np.float64] | None = None,
    independent: NDArray[np.float64] | None = None,
) -> Differences:
    """Return all pairwise differences with confidence sequences, which may be looked at any time.

    Of (R,) strengths with their (R, R) covariance, in nats, clustered with (R,) effective `voters` or None; where the
    variance is larger by the covariance of `independent` votes, that is taken. The joint
    intervals are those of all pairs and all looks at once, by Bonferroni. A pair for which it is too early
    (confidence_sequence.py) has NaN for bounds. Raises SettingsError for a confidence outside (0, 1).
    """
    quantile(confidence)  # refuses what is no confidence
    estimate = strengths[:, None] - strengths[None, :]
    variance = difference_variance(covariance)
    if independent is not None:
        variance = np.maximum(variance, difference_variance(independent))
    has_none = variance <= 1e-12 * np.add.outer(np.diag(covariance), np.diag(covariance))
    some = np.where(has_none, 1.0, variance)
    both = None if voters is None else np.minimum.outer(voters, voters)
    is_told = ~has_none & ~is_early(some, both)
    pairs = max(len(strengths) * (len(strengths) - 1) // 2, 1)
    lower, upper, joint_lower, joint_upper = (
        np.where(is_told, bound, np.nan)
        for level in (confidence, 1 - (1 - confidence) / pairs)
        for bound in sequence(estimate, some, confidence=level, voters=both)
    )
    error = np.sqrt(np.where(has_none, np.nan, variance))
    for matrix in (error, lower, upper, joint_lower, joint_upper):
        np.fill_diagonal(matrix, 0.0)
    return Differences(estimate, error, lower, upper, joint_lower, joint_upper, multiplier=float("nan"))


def anchor(
    models: Sequence[str],
    strengths: NDArray[np.float64],
    covariance: NDArray[np.float64],
    name: str,
    points: float,
    *,
    confidence: float = 0.95,
) -> Anchored:
    """Return the ratings of R `models` in Elo points, shifted so that `name` reads `points`.

    Takes (R,) strengths and their (R, R) covariance in nats; every interval keeps its width. Raises
    SettingsError where `name` is not among the models, or `points` is not a finite number.
    """
    shift = anchor_shift(models, strengths, name, points)
    bounds = np.stack([strengths, *intervals(strengths, np.diag(covariance), confidence)])
    shown, lower, upper = to_points(bounds) + shift
    return Anchored(shown, lower, upper, shift)


def anchor_shift(models: Sequence[str], strengths: NDArray[np.float64], name: str, points: float) -> float:
    """Return the Elo points to add to every number of the board so that `name` reads `points`.

    Takes (R,) strengths in nats. Raises SettingsError as `anchor` does.
    """
    if not np.isfinite(points):
        raise SettingsError(f"anchor is {points} points; give a finite number, such as 1000")
    if name not in models:
        raise SettingsError(f"anchor {name!r} is not a rated model; choose one of {', '.join(models)}")
    return float(points - to_points(strengths)[list(models).index(name)])
