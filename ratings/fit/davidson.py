"""Davidson's model: strengths and the chance of a tie, by Newton's method on counts.

With pi = exp(s) and a tie parameter nu >= 0 (Davidson 1970, doi:10.1080/01621459.1970.10481082)

    P(i wins) = pi_i / Z,    P(tie) = nu sqrt(pi_i pi_j) / Z,    Z = pi_i + pi_j + nu sqrt(pi_i pi_j),

so equals tie with chance nu / (2 + nu), and unequal models less often. Given a decision the chances
are Bradley-Terry's, so strengths are in the same nats; but they are larger than those of half a win
for a tie, which shrinks the scale where ties follow this model. The two are different estimands.

In (s, log nu) this is a multinomial logit, so the log-likelihood is concave. With y = 1, 0 or 1/2 for i
and t = 1 for a tie, a vote has the score ((y - p)(e_i - e_j), t - P(tie)), where p = P(i wins) + P(tie) / 2
is the expected score. The negative Hessian per vote is the covariance of (y, t):

    var y = P(i wins) P(j wins) + P(tie) (1 - P(tie)) / 4,    cov(y, t) = P(tie) (1/2 - p),
    var t = P(tie) (1 - P(tie)),

a Laplacian of the first for the strengths, bordered by the sums of the other two. The sandwich
(sandwich.py) takes the squared scores from the same counts. When the maximum exists is explained in
existence.py. A loss to the field (both_bad.py) is taken as a decision and enters the strengths alone, so
that nu depends on the battles only.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ratings.fit.both_bad import field_score_products
from ratings.fit.bradley_terry import extra_derivatives, laplacian
from ratings.fit.data import FitData, select
from ratings.fit.existence import why_no_davidson
from ratings.fit.newton import Place, flat_direction, maximise, pseudo_inverse
from ratings.fit.prior import Prior
from ratings.fit.protocol import Expected
from ratings.outcomes import BothBad
from ratings.votes.counts import Counts


@dataclass(frozen=True)
class DavidsonFit:
    """Strengths of the R rated models out of the K models of the counts, and their common tie parameter."""

    models: tuple[str, ...]
    """All K models."""
    status: tuple[str, ...]
    """(K,) "rated", or why there is no strength, or what a strength leans on."""
    rated: NDArray[np.int64]
    """(R,) indices into `models`; empty where the maximum does not exist."""
    strengths: NDArray[np.float64]
    """(R,) nats, sum to zero."""
    log_nu: float
    """Natural logarithm of the tie parameter; NaN where nobody is rated."""
    hessian: NDArray[np.float64]
    """(R + 1, R + 1) negative Hessian of the log-likelihood in strengths and log nu, in this order, the
    prior's part included; (0, 0) where nobody is rated."""
    data: FitData
    """The votes that entered the fit, over the R rated models."""
    prior: Prior | None
    max_gradient: float
    """Largest absolute entry of the gradient at the maximum, in votes."""
    iterations: int
    converged: bool
    """True for a fit; False where there was nothing to fit."""
    left_out: dict[str, int]
    """Rows that did not enter the fit, by reason: the counts' own and the fit's."""

    @property
    def nu(self) -> float:
        """Return the tie parameter; equals tie with chance nu / (2 + nu)."""
        return math.exp(self.log_nu)

    @property
    def used(self) -> int:
        """Return the number of votes that entered the fit."""
        return self.data.used

    def expected(self) -> Expected:
        """Return what the fit expects of a vote on each pair."""
        won, tied, share = outcome_chances(self.strengths, self.log_nu)
        return Expected(share, won * won.T + tied * (1 - tied) / 4, tied * (0.5 - share))

    @cached_property
    def inverse(self) -> NDArray[np.float64]:
        """Return the (R + 1, R + 1) pseudo-inverse of the Hessian."""
        return pseudo_inverse(self.hessian, flat_direction(len(self.strengths), len(self.hessian)))

    def score_products(self) -> NDArray[np.float64]:
        """Return M, the (R + 1, R + 1) sum over the votes of the outer product of the score; (0, 0) for nobody.

        With weights and with a prior as in `BradleyTerryFit.score_products`.
        """
        if not len(self.strengths):
            return self.hessian
        squared, both = self.data.squared, np.append(self.strengths, self.log_nu)
        if self.prior:
            products = _derivatives(squared, both)[1]
            products[:-1, :-1] += extra_derivatives(squared.field.sum(axis=1), self.prior, self.strengths)[1]
            return products
        products = _products(squared, both)
        if squared.field.any():
            products[:-1, :-1] += field_score_products(squared.field, self.strengths)
        return products


def fit_davidson(counts: Counts, *, both_bad: BothBad = "tie", prior: Prior | None = None) -> DavidsonFit:
    """Return the most likely strengths and tie parameter of all models that can be rated together.

    Both-bad votes and the prior enter as in `bradley_terry.fit`; the prior is on the strengths, not on
    nu. Where the maximum does not exist nobody is rated and the statuses explain why. Raises
    NotConvergedError and SettingsError as `bradley_terry.fit` does.
    """
    chosen = select(counts, ties="davidson", both_bad=both_bad, has_prior=prior is not None)
    data = chosen.data
    if len(chosen.rated):
        why = why_no_davidson(data.wins, data.ties, has_prior=prior is not None)
        if why is not None:
            chosen = chosen.without_anybody(why)
            data = chosen.data
    size, losses = len(chosen.rated), data.field.sum(axis=1)

    def at(both: NDArray[np.float64]) -> Place:
        gradient, hessian = _derivatives(data, both)
        more_gradient, more_hessian = extra_derivatives(losses, prior, both[:-1])
        gradient[:-1] += more_gradient
        hessian[:-1, :-1] += more_hessian
        return Place(gradient, lambda: hessian)

    both, iterations = np.full(1, np.nan), 0
    gradient, hessian = np.zeros(0), np.zeros((0, 0))
    if size:
        start = np.append(np.zeros(size), _log_nu_of_equals(data))
        top = maximise(at, start, flat=flat_direction(size, size + 1), votes=data.used, name="Davidson")
        both, iterations = top.parameters, top.iterations
        end = at(both)
        gradient, hessian = end.gradient, end.hessian()
    return DavidsonFit(
        models=counts.models,
        status=chosen.status,
        rated=chosen.rated,
        strengths=both[:-1],
        log_nu=float(both[-1]),
        hessian=hessian,
        data=data,
        prior=prior,
        max_gradient=float(np.abs(gradient).max(initial=0.0)),
        iterations=iterations,
        converged=size > 0,
        left_out=chosen.left_out,
    )


def outcome_chances(
    strengths: NDArray[np.float64], log_nu: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (R, R) chances that the row's model wins, that the two tie, and the row's expected score."""
    return _chances(np.append(strengths, log_nu))


def _chances(
    both: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    ahead = both[:-1, None] - both[None, :-1]
    # Over the largest of the three terms, so that none overflows and small chances keep their digits.
    largest = np.maximum(np.abs(ahead) / 2, both[-1])
    win, tie = np.exp(ahead / 2 - largest), np.exp(both[-1] - largest)
    total = win + win.T + tie
    won, tied = win / total, tie / total
    return won, tied, won + tied / 2


def _derivatives(data: FitData, both: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (R + 1,) gradient and the (R + 1, R + 1) negative Hessian of the battles' log-likelihood."""
    wins, ties = data.wins, data.ties
    votes = wins + wins.T + ties
    won, tied, score = _chances(both)
    decided = won + won.T
    # Observed minus expected without the difference of two large numbers.
    strengths = (wins * score.T - wins.T * score + ties * (0.5 - score)).sum(axis=1)
    nu = float((ties * decided).sum() / 2 - (wins * tied).sum())
    edges = votes * (won * won.T + tied * decided / 4)
    cross = (votes * tied * (0.5 - score)).sum(axis=1)
    return np.append(strengths, nu), _bordered(laplacian(edges), cross, float((votes * tied * decided).sum() / 2))


def _products(squared: FitData, both: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (R + 1, R + 1) squared scores of the battles."""
    wins, ties = squared.wins, squared.ties
    won, tied, score = _chances(both)
    decided = won + won.T
    edges = wins * score.T**2  # 1 - p_ij = p_ji
    strengths = laplacian(edges + edges.T + ties * (0.5 - score) ** 2)
    cross = wins.T * score * tied - wins * score.T * tied + ties * (0.5 - score) * decided
    nu = (wins * tied**2).sum() + (ties * decided**2).sum() / 2
    return _bordered(strengths, cross.sum(axis=1), nu)


def _bordered(strengths: NDArray[np.float64], cross: NDArray[np.float64], nu: float) -> NDArray[np.float64]:
    """Return the (R + 1, R + 1) symmetric matrix of an (R, R) block, its (R,) border and its corner."""
    return np.block([[strengths, cross[:, None]], [cross[None, :], np.array([[nu]])]])


def _log_nu_of_equals(data: FitData) -> float:
    """Return the log nu that gives the observed share of ties if all models were equal."""
    return math.log(float(data.ties.sum())) - math.log(float(data.wins.sum()))
