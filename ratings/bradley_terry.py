"""Bradley-Terry strengths from counts, by Newton's method on the graph of battles.

P(i beats j) = 1 / (1 + exp(s_j - s_i)) with strengths s in nats that sum to zero (Bradley and Terry
1952, doi:10.2307/2334029; Zermelo 1929, doi:10.1007/BF01180541). A tie is half a win for each side.
The log-likelihood

    l(s) = sum_ij W_ij log P(i beats j),    W_ij = wins of i over j + ties / 2

is concave. Its gradient is sum_j (W_ij - N_ij P_ij) with N = W + W^T, and its negative Hessian is
the graph Laplacian of N_ij P_ij P_ji, so Newton's method (Hunter 2004, doi:10.1214/aos/1079120141,
section 2) takes a handful of K x K solves. It is chosen over the fixed-point iterations of Zermelo
and Newman (2023, arXiv:2207.00076) because the intervals need the Hessian anyway.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratings.counts import Counts
from ratings.errors import NotConvergedError
from ratings.existence import NO_VOTES, ONLY_DROPPED, rated_models, reachable, statuses
from ratings.outcomes import BothBad, Outcome, check_both_bad

TOLERANCE = 1e-9
"""Largest entry of the gradient allowed in a finished fit, per vote."""

MAX_ITERATIONS = 100

UNRATED_OPPONENT = "battle with an unrated model"
BOTH_BAD_DROPPED = "both bad, dropped"

# g^T H^-1 g is the squared distance to the maximum in standard errors, whatever the scale of the
# data. Below this the next step lands at machine precision, as Newton squares the distance.
_NEARLY_THERE = 1e-12


@dataclass(frozen=True)
class BradleyTerryFit:
    """Strengths of the R rated models out of the K models of the counts."""

    models: tuple[str, ...]
    """All K models."""
    status: tuple[str, ...]
    """(K,) "rated", or why there is no strength."""
    rated: NDArray[np.int64]
    """(R,) indices into `models`; empty where no two models can be rated together."""
    strengths: NDArray[np.float64]
    """(R,) nats, sum to zero."""
    hessian: NDArray[np.float64]
    """(R, R) negative Hessian of the log-likelihood at the strengths; its rows sum to zero."""
    wins: NDArray[np.float64]
    """(R, R) decided votes that entered the fit, won by the row's model over the column's."""
    ties: NDArray[np.float64]
    """(R, R) tied votes that entered the fit, symmetric: each stands in both halves."""
    max_gradient: float
    """Largest absolute entry of the gradient at the strengths, in votes."""
    iterations: int
    converged: bool
    """True for a fit; False where no two models can be rated, so that there was nothing to fit."""
    left_out: dict[str, int]
    """Rows that did not enter the fit, by reason: the counts' own and the fit's."""

    @property
    def used(self) -> int:
        """Return the number of votes that entered the fit."""
        return round(float(self.wins.sum() + self.ties.sum() / 2))


def fit(counts: Counts, *, both_bad: BothBad = "tie") -> BradleyTerryFit:
    """Return the maximum-likelihood strengths of all models that can be rated together.

    `both_bad` says whether such votes count as ties or are dropped. Votes on a model that cannot be
    rated do not enter the fit. Raises NotConvergedError where Newton's method does not get the
    gradient below TOLERANCE times the number of votes, and SettingsError for an unknown `both_bad`.
    """
    check_both_bad(both_bad)
    wins, ties, dropped = _symmetric(counts, both_bad)
    beats = wins + ties
    reach = reachable(beats)
    rated = rated_models(beats, reach)
    inside = np.ix_(rated, rated)
    shares = wins[inside] + ties[inside] / 2
    strengths, iterations = _newton(shares)
    gradient, hessian = _derivatives(shares, strengths)
    left_out = Counter(counts.left_out)
    left_out[BOTH_BAD_DROPPED] += int(dropped.sum()) // 2
    left_out[UNRATED_OPPONENT] += counts.used - int(dropped.sum()) // 2 - round(float(shares.sum()))
    status = statuses(beats, reach, rated)
    return BradleyTerryFit(
        models=counts.models,
        status=tuple(
            ONLY_DROPPED if why == NO_VOTES and n > 0 else why
            for why, n in zip(status, dropped.sum(axis=1), strict=True)
        ),
        rated=rated,
        strengths=strengths,
        hessian=hessian,
        wins=wins[inside],
        ties=ties[inside],
        max_gradient=float(np.abs(gradient).max(initial=0.0)),
        iterations=iterations,
        converged=len(rated) > 0,
        left_out={reason: n for reason, n in left_out.items() if n},
    )


def win_probability(strengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (R, R) probabilities that the row's model beats the column's, from (R,) nats."""
    # The logistic function, written so that small chances keep all their digits and none overflows.
    ahead = strengths[:, None] - strengths[None, :]
    return np.exp(-np.logaddexp(0, -ahead))


def _symmetric(
    counts: Counts, both_bad: BothBad
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (K, K) wins, symmetric ties and symmetric dropped votes, whichever side was shown as A."""
    wins = counts.matrix(Outcome.A_WINS) + counts.matrix(Outcome.B_WINS).T
    ties, bad = counts.matrix(Outcome.TIE), counts.matrix(Outcome.BOTH_BAD)
    ties, bad = ties + ties.T, bad + bad.T
    return (wins, ties + bad, 0 * bad) if both_bad == "tie" else (wins, ties, bad)


def _newton(shares: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Return the (R,) strengths that maximise the likelihood of (R, R) shares, and the steps taken."""
    strengths = np.zeros(len(shares))
    if len(shares) == 0:
        return strengths, 0
    tolerance = TOLERANCE * shares.sum()
    for iteration in range(1, MAX_ITERATIONS + 1):
        gradient, hessian = _derivatives(shares, strengths)
        # The Hessian is singular along (1, ..., 1), which no vote informs; a constant added to every
        # entry fills that direction and leaves the others alone.
        step = np.linalg.solve(hessian + np.trace(hessian) / len(shares) ** 2, gradient)
        is_last = gradient @ step < _NEARLY_THERE and np.abs(gradient).max() < tolerance
        strengths = strengths + step if is_last else _climb(shares, strengths, step)
        strengths -= strengths.mean()
        if is_last:
            return strengths, iteration
    raise NotConvergedError(
        f"Bradley-Terry stopped after {MAX_ITERATIONS} iterations with a gradient of "
        f"{np.abs(gradient).max():.3g} votes, over the tolerance of {tolerance:.3g}; no ratings are given"
    )


def _climb(
    shares: NDArray[np.float64], strengths: NDArray[np.float64], step: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the strengths after the longest of step, step/2, step/4, ... that does not lose likelihood."""
    before = _log_likelihood(shares, strengths)
    rounding = 1e-12 * abs(before)
    for halving in range(40):
        moved = strengths + step * 0.5**halving
        if _log_likelihood(shares, moved) >= before - rounding:
            return moved
    raise NotConvergedError("Bradley-Terry found no step that raises the likelihood; no ratings are given")


def _log_likelihood(shares: NDArray[np.float64], strengths: NDArray[np.float64]) -> float:
    return -float((shares * np.logaddexp(0, strengths[None, :] - strengths[:, None])).sum())


def _derivatives(
    shares: NDArray[np.float64], strengths: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (R,) gradient and the (R, R) negative Hessian of the log-likelihood."""
    probability = win_probability(strengths)
    votes = shares + shares.T
    # W_ij - N_ij P_ij without the difference of two large numbers, as 1 - P_ij = P_ji.
    gradient = (shares * probability.T - shares.T * probability).sum(axis=1)
    return gradient, laplacian(votes * probability * probability.T)


def laplacian(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (R, R) Laplacian of a graph with symmetric (R, R) edge weights."""
    return np.asarray(np.diag(weights.sum(axis=1)) - weights)
