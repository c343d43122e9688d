"""Ranks that admit what is not known.

A model's rank is one more than the number of models that are surely better: those whose strength
difference to it has an interval wholly above zero. The intervals come from the joint covariance,
because comparing two separate intervals for overlap is too strict for a pair that met often.

`marginal_ranks` holds each difference to the confidence level on its own, so among many models some
rank is wrong more often than the level allows. A model that was measured more closely may also have a
better rank than one just above it by rating.

`simultaneous_ranks` gives each model a rank interval, and all of them are right at once with the
given confidence (Mogstad, Romano, Shaikh and Wilhelm 2024, doi:10.1093/restud/rdad006, section 3).
"j is no better than k" is tested for all R (R - 1) ordered pairs: it is rejected where

    T_jk = (s_j - s_k) / se_jk > c,

with c the quantile of the largest T_jk among normal draws with the joint covariance and no
differences. Then c is drawn again from the pairs that were not rejected, which may let it reject more,
until nothing is added (the step-down of Romano and Wolf 2005, doi:10.1198/016214504000000539). So no
false rejection occurs with the given confidence, and each model is below all that were found better
than it and above all that it was found better than. One-sided tests of ordered pairs are used because
they guard against wrong directions too.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratings.errors import SettingsError
from ratings.intervals.sandwich import difference_variance
from ratings.scale import quantile

FEWEST_DRAWS, MOST_DRAWS = 1_000, 10_000
"""Normal draws behind the simultaneous ranks: many where models are few and draws are cheap."""

_BLOCK_BYTES = 2**20  # of differences at a time, so that they stay in the processor's cache


@dataclass(frozen=True)
class RankIntervals:
    """For each of the R models the ranks it may have; all hold at once."""

    best: NDArray[np.int64]
    """(R,) the best rank, from 1."""
    worst: NDArray[np.int64]
    """(R,) the worst rank, up to R."""
    multiplier: float
    """Standard errors of the last step, beyond which a difference orders two models."""
    joint: float
    """Standard errors of the first step: as far as the intervals of all differences at once reach."""
    steps: int
    """Times the multiplier was drawn."""


def marginal_ranks(
    strengths: NDArray[np.float64], covariance: NDArray[np.float64], confidence: float
) -> NDArray[np.int64]:
    """Return (R,) ranks from 1, where models that cannot be told apart share one.

    Takes (R,) strengths and their (R, R) covariance in nats.
    """
    is_better = t_statistics(strengths, covariance) > quantile(confidence)
    return np.asarray(1 + is_better.sum(axis=0))


def simultaneous_ranks(
    strengths: NDArray[np.float64],
    covariance: NDArray[np.float64],
    confidence: float,
    *,
    rng: np.random.Generator,
    draws: int | None = None,
) -> RankIntervals:
    """Return the rank intervals of all models, right at once with the given confidence.

    Takes (R,) strengths and their (R, R) covariance in nats. Without `draws` their number follows that
    of the models. Raises SettingsError for a confidence outside (0, 1) or with too few draws to see
    its tail.
    """
    statistics = t_statistics(strengths, covariance)
    normal = _Draws(covariance, rng, draws)
    critical = joint = normal.quantile(confidence)
    better = statistics > critical
    steps = 1
    while better.any():
        critical = normal.quantile(confidence, ~better)
        wider = statistics > critical
        steps += 1
        if (wider == better).all():
            break
        better = wider
    return RankIntervals(
        best=1 + better.sum(axis=0),
        worst=len(strengths) - better.sum(axis=1),
        multiplier=critical,
        joint=joint,
        steps=steps,
    )


def max_t_multiplier(
    covariance: NDArray[np.float64], confidence: float, *, rng: np.random.Generator, draws: int | None = None
) -> float:
    """Return how many standard errors make the intervals of all differences right at once.

    Takes the (R, R) covariance; the result is the quantile of the largest |T_jk|. Raises SettingsError
    as `simultaneous_ranks` does.
    """
    return _Draws(covariance, rng, draws).quantile(confidence)


def t_statistics(strengths: NDArray[np.float64], covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (R, R) how many standard errors the row's model is ahead of the column's.

    Zero where the difference has no spread: two models tied to each other by nothing but ties have a
    difference of zero, and rounding must not order them.
    """
    return (strengths[:, None] - strengths[None, :]) * _inverse_errors(covariance)


def _inverse_errors(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (R, R) 1 / standard error of each difference, and zero where it has no spread."""
    variance = difference_variance(covariance)
    is_known = variance > 1e-12 * np.add.outer(np.diag(covariance), np.diag(covariance))
    return np.where(is_known, 1 / np.sqrt(np.where(is_known, variance, 1.0)), 0.0)


_MANY = 300
"""Models above which the eigenvalues of their covariance take long."""


class _Draws:
    """Normal draws of the strengths around no differences, and quantiles of their largest T_jk.

    The draws are kept by their largest |T_jk|, highest first. With fewer pairs no draw's largest
    grows, so a step-down looks at the top draws alone: once as many as the tail needs stay above the
    next draw's old value, the rest cannot matter.
    """

    def __init__(self, covariance: NDArray[np.float64], rng: np.random.Generator, draws: int | None) -> None:
        if draws is None:
            draws = min(MOST_DRAWS, max(FEWEST_DRAWS, 4 * 10**7 // max(len(covariance), 1) ** 2))
        self._weights = _inverse_errors(covariance).astype(np.float32)
        noise = rng.standard_normal((len(covariance), draws), dtype=np.float32)
        self._drawn = _factor(covariance).astype(np.float32) @ noise  # (R, draws)
        largest = _largest(self._drawn, self._weights)
        order = np.argsort(-largest)
        self._drawn, self._largest = np.ascontiguousarray(self._drawn[:, order]), largest[order]

    def quantile(self, confidence: float, kept: NDArray[np.bool_] | None = None) -> float:
        """Return the quantile of the largest T_jk among the (R, R) ordered pairs kept, or among all."""
        quantile(confidence)  # refuses what is no confidence
        total = len(self._largest)
        tail = int((1 - confidence) * (total + 1))  # draws that may lie above
        if tail < 1:
            raise SettingsError(f"{total} draws do not show a tail of {1 - confidence:.3g}; ask for more")
        if kept is None:
            return float(self._largest[tail - 1])
        size = min(2 * tail, total)
        while True:
            top = np.sort(_largest(self._drawn[:, :size], self._weights, kept))[::-1]
            if size == total or top[tail - 1] >= self._largest[size]:
                return float(top[tail - 1])
            size = min(2 * size, total)


def _factor(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an (R, R) matrix whose product with normal noise has this covariance, up to what all models share.

    Only differences matter here, so for many models the direction in which they have none is filled, and Cholesky,
    which is ten times quicker than the eigenvalues, does for all but matrices that are singular otherwise.
    """
    size = len(covariance)
    if size > _MANY:
        with suppress(np.linalg.LinAlgError):
            return np.asarray(np.linalg.cholesky(covariance + np.trace(covariance) / size**2))
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _largest(
    drawn: NDArray[np.float32], weights: NDArray[np.float32], kept: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Return (n,) the largest T_jk of each of the (R, n) draws over the ordered pairs kept, or over all."""
    size, n = drawn.shape
    largest = np.zeros(n, dtype=np.float32)
    columns = max(1, _BLOCK_BYTES // (4 * max(size, 1)))

    def fill(start: int) -> None:
        block = np.ascontiguousarray(drawn[:, start : start + columns])
        top = largest[start : start + columns]
        space = np.empty_like(block)
        for j in range(size - 1):
            ahead = np.subtract(block[j], block[j + 1 :], out=space[j + 1 :])
            ahead *= weights[j, j + 1 :, None]
            if kept is None:
                np.abs(ahead, out=ahead)
            else:  # at least one order of every pair is kept
                forth, back = kept[j, j + 1 :, None], kept[j + 1 :, j, None]
                np.abs(ahead, out=ahead, where=forth & back)
                np.negative(ahead, out=ahead, where=back & ~forth)
            np.maximum(top, ahead.max(axis=0), out=top)

    starts = range(0, n, columns)
    if size > _MANY:  # numpy lets go of the interpreter while it computes
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(fill, starts))
    else:
        for start in starts:
            fill(start)
    return largest
