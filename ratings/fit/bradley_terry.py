"""Bradley-Terry strengths from counts, by Newton's method on the graph of battles.

P(i beats j) = 1 / (1 + exp(s_j - s_i)) with strengths s in nats that sum to zero (Bradley and Terry
1952, doi:10.2307/2334029; Zermelo 1929, doi:10.1007/BF01180541). A tie is half a win for each side, or
is dropped. The log-likelihood

    l(s) = sum_ij W_ij log P(i beats j),    W_ij = wins of i over j + ties / 2

is concave. Its gradient is sum_j (W_ij - N_ij P_ij) with N = W + W^T, and its negative Hessian is
the graph Laplacian of N_ij P_ij P_ji, so Newton's method (Hunter 2004, doi:10.1214/aos/1079120141,
section 2) takes a handful of K x K solves. It is chosen over the fixed-point iterations of Zermelo
and Newman (2023, arXiv:2207.00076) because the intervals need the Hessian anyway.

Losses to the field (both_bad.py) and a prior (prior.py) add their own terms where they are asked for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ratings.errors import SettingsError
from ratings.fit.both_bad import field_derivatives, field_score_products
from ratings.fit.data import BOTH_BAD_DROPPED as BOTH_BAD_DROPPED
from ratings.fit.data import FitData, select
from ratings.fit.newton import Place, maximise, pseudo_inverse
from ratings.fit.prior import Prior, prior_derivatives
from ratings.fit.protocol import Expected
from ratings.outcomes import BothBad, Ties
from ratings.votes.counts import Counts


@dataclass(frozen=True)
class BradleyTerryFit:
    """Strengths of the R rated models out of the K models of the counts."""

    models: tuple[str, ...]
    """All K models."""
    status: tuple[str, ...]
    """(K,) "rated", or why there is no strength, or what a strength leans on."""
    rated: NDArray[np.int64]
    """(R,) indices into `models`; empty where no two models can be rated together."""
    strengths: NDArray[np.float64]
    """(R,) nats, sum to zero."""
    hessian: NDArray[np.float64]
    """(R, R) negative Hessian of the log-likelihood at the strengths, the prior's part included; its
    rows sum to zero."""
    data: FitData
    """The votes that entered the fit, over the R rated models."""
    prior: Prior | None
    max_gradient: float
    """Largest absolute entry of the gradient at the strengths, in votes."""
    iterations: int
    converged: bool
    """True for a fit; False where no two models can be rated, so that there was nothing to fit."""
    left_out: dict[str, int]
    """Rows that did not enter the fit, by reason: the counts' own and the fit's."""

    @property
    def log_nu(self) -> None:
        """Return None: there is no tie parameter."""

    @property
    def wins(self) -> NDArray[np.float64]:
        """Return (R, R) decided votes that entered the fit, won by the row's model over the column's."""
        return self.data.wins

    @property
    def ties(self) -> NDArray[np.float64]:
        """Return (R, R) tied votes that entered the fit, symmetric: each stands in both halves."""
        return self.data.ties

    @property
    def used(self) -> int:
        """Return the number of votes that entered the fit."""
        return self.data.used

    def expected(self) -> Expected:
        """Return what the fit expects of a vote on each pair."""
        share = win_probability(self.strengths)
        return Expected(share, share * share.T)

    @cached_property
    def inverse(self) -> NDArray[np.float64]:
        """Return H+, the (R, R) pseudo-inverse of the Hessian."""
        return pseudo_inverse(self.hessian)

    def score_products(self) -> NDArray[np.float64]:
        """Return M, the (R, R) sum over the votes of the outer product of the score; its rows sum to zero.

        A vote that weighs w counts w squared, and a loss to the field has its own scores. With a prior M is
        what the model expects it to be, plus the prior's precision (prior.py).
        `sandwich(fit.hessian, fit.score_products())` is the covariance of the strengths.
        """
        squared, strengths = self.data.squared, self.strengths
        if self.prior:
            more = extra_derivatives(squared.field.sum(axis=1), self.prior, strengths)[1]
            return pair_derivatives(squared.shares, strengths)[1]() + more
        probability = win_probability(strengths)
        won = squared.wins * probability.T**2  # 1 - P_ij = P_ji
        products = laplacian(won + won.T + squared.ties * (0.5 - probability) ** 2)
        return products + field_score_products(squared.field, strengths) if squared.field.any() else products


def fit(
    counts: Counts,
    *,
    ties: Ties = "half",
    both_bad: BothBad = "tie",
    prior: Prior | None = None,
    start: Mapping[str, float] | None = None,
) -> BradleyTerryFit:
    """Return the most likely strengths of all models that can be rated together.

    `ties` is "half" or "drop"; `both_bad` decides whether such votes count as ties, are dropped, or are
    lost to the field by both models. Votes on a model that cannot be rated do not enter the fit; with
    a `prior` every model with votes can. Counts with weights are fitted by them. Close to the maximum, a
    `start` of strengths by name, in nats, saves most of the iterations; it moves no digit that counts. Raises
    NotConvergedError where Newton's method does not get the gradient below newton.TOLERANCE times the
    number of votes, and SettingsError for an unknown treatment.
    """
    if ties == "davidson":
        raise SettingsError(
            "ties is 'davidson', which is another model than Bradley-Terry; fit it by ratings.fit.davidson"
        )
    chosen = select(counts, ties=ties, both_bad=both_bad, has_prior=prior is not None)
    data = chosen.data
    shares, losses = data.shares, data.field.sum(axis=1)

    def at(strengths: NDArray[np.float64]) -> Place:
        gradient, hessian = pair_derivatives(shares, strengths)
        more_gradient, more_hessian = extra_derivatives(losses, prior, strengths)
        return Place(gradient + more_gradient, lambda: hessian() + more_hessian)

    strengths, iterations = _start(counts.models, chosen.rated, start or {}), 0
    if len(strengths):
        flat = np.ones(len(strengths))
        top = maximise(at, strengths, flat=flat, votes=data.used, name="Bradley-Terry")
        strengths, iterations = top.parameters, top.iterations
    end = at(strengths)
    return BradleyTerryFit(
        models=counts.models,
        status=chosen.status,
        rated=chosen.rated,
        strengths=strengths,
        hessian=end.hessian(),
        data=data,
        prior=prior,
        max_gradient=float(np.abs(end.gradient).max(initial=0.0)),
        iterations=iterations,
        converged=len(chosen.rated) > 0,
        left_out=chosen.left_out,
    )


def most_likely(
    shares: NDArray[np.float64], start: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (R,) strengths most likely for (R, R) shares of wins, and the (R, R) negative Hessian near them.

    The Hessian is that of one negligible step before. Raises NotConvergedError as `fit` does.
    """
    if len(shares) == 0:
        return start, shares

    def at(strengths: NDArray[np.float64]) -> Place:
        return Place(*pair_derivatives(shares, strengths))

    flat = np.ones(len(shares))
    top = maximise(at, start, flat=flat, votes=float(shares.sum()), name="Bradley-Terry")
    return top.parameters, top.hessian


def _start(models: tuple[str, ...], rated: NDArray[np.int64], start: Mapping[str, float]) -> NDArray[np.float64]:
    """Return (R,) strengths to start from; a model that has none starts at the mean of the others."""
    known = [start.get(models[model], np.nan) for model in rated]
    strengths = np.array(known, dtype=np.float64)
    is_known = np.isfinite(strengths)
    middle = strengths[is_known].mean() if is_known.any() else 0.0
    return np.where(is_known, strengths - middle, 0.0)


def win_probability(strengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (R, R) probabilities that the row's model beats the column's, from (R,) nats."""
    behind = strengths[None, :] - strengths[:, None]
    with np.errstate(over="ignore"):  # small chances keep all their digits; below exp(-709) they are 0
        np.exp(behind, out=behind)
    behind += 1
    return np.divide(1, behind, out=behind)


def laplacian(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (R, R) Laplacian of a graph with symmetric (R, R) edge weights."""
    result = np.negative(weights)
    result.flat[:: len(result) + 1] += weights.sum(axis=1)  # the diagonal
    return result


def extra_derivatives(
    losses: NDArray[np.float64], prior: Prior | None, strengths: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what (R,) losses to the field and a prior add to the (R,) gradient and the (R, R) negative Hessian."""
    size = len(strengths)
    gradient, hessian = (
        field_derivatives(losses, strengths) if losses.any() else (np.zeros(size), np.zeros((size, size)))
    )
    if prior and size:
        more_gradient, more_hessian = prior_derivatives(prior, strengths)
        gradient, hessian = gradient + more_gradient, hessian + more_hessian
    return gradient, hessian


def pair_derivatives(
    shares: NDArray[np.float64], strengths: NDArray[np.float64]
) -> tuple[NDArray[np.float64], Callable[[], NDArray[np.float64]]]:
    """Return the (R,) gradient of the likelihood of (R, R) shares, and what makes its (R, R) negative Hessian."""
    probability = win_probability(strengths)
    # W_ij - N_ij P_ij without the difference of two large numbers, as 1 - P_ij = P_ji.
    gradient = (shares * probability.T - shares.T * probability).sum(axis=1)
    return gradient, lambda: laplacian((shares + shares.T) * probability * probability.T)
