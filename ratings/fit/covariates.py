"""Covariates beside the models in one Bradley-Terry fit: strengths with style or side held equal.

With x the (F,) covariates of a vote, each turned to side A,

    P(A wins) = 1 / (1 + exp(-(s_a - s_b + x . beta))),

a tie is half a win each, and Newton's method runs over the strengths and coefficients together. With
z = (e_a - e_b, x) the gradient is sum (y - p) z, the negative Hessian H = sum p (1 - p) z z^T, and the
covariance the sandwich H+ M H+ with M = sum (y - p)^2 z z^T, as in sandwich.py (Agresti 2002,
"Categorical Data Analysis", 10.6, for the home advantage, which is such a covariate).

Nothing is shrunk: a ridge pulls a true effect towards zero. So the estimate must exist by itself.
It does where no combination of strengths and coefficients calls every vote correctly (Albert and
Anderson 1984, doi:10.1093/biomet/71.1.1); elsewhere the fit runs off to infinity, the Hessian loses
nearly all of some direction's information, and the fit raises an error.

Votes are summed per pair of models, so a step costs one pass over the votes and one solve of R + F.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from ratings.errors import InseparableError, NotConvergedError, SettingsError
from ratings.fit.covariate_data import CovariateData, Floats
from ratings.fit.newton import Place, filled, flat_direction, maximise, pseudo_inverse
from ratings.fit.protocol import Fit
from ratings.outcomes import BothBad
from ratings.scale import quantile
from ratings.votes.shares import shares

# A tie between equals has a squared score of 1e-16 or less after rounding, against 1/4 in the Hessian.
_ROUNDING = 1e-14
# What a direction must keep of the information it would have were every vote even. A pair decided
# three million to one keeps 1e-6; a fit that ran off to infinity stops below 1e-11.
_LEAST_INFORMATION = 1e-9
# From this many votes on, a rough fit to some of them saves more passes than it costs.
_MANY = 100_000


@dataclass(frozen=True)
class Covariate:
    """What one covariate does to the chance of a win, with its interval."""

    name: str
    sd: float
    """Its unit: the root mean square of the raw difference between the sides."""
    coefficient: float
    """Nats per unit."""
    lower: float
    upper: float
    odds: float
    """Factor on the odds of a win per unit, exp(coefficient); 1 is no effect."""
    odds_lower: float
    odds_upper: float
    win_share: float
    """Share of wins between equals, one unit ahead; 1/2 is no effect."""
    win_share_lower: float
    win_share_upper: float


@dataclass(frozen=True)
class CovariateFit:
    """Strengths of R models with F covariates held equal."""

    without: Fit
    """The same votes without covariates; it names the K models, their status and the R rated ones."""
    strengths: Floats
    """(R,) nats, sum to zero: who wins where both sides are alike."""
    names: tuple[str, ...]
    """(F,) covariates."""
    sds: Floats
    """(F,) unit of each: what the raw difference was divided by."""
    coefficients: Floats
    """(F,) nats per unit."""
    hessian: Floats
    """(R + F, R + F) negative Hessian of the log-likelihood."""
    scores: Floats
    """(R + F, R + F) sum of the votes' squared scores."""
    has_spread: NDArray[np.bool_]
    """(R,) whether the votes on a model show a spread, so that it has an interval."""
    max_gradient: float
    """Largest absolute entry of the gradient before the last, negligible step, in votes."""
    iterations: int
    left_out: dict[str, int]
    """Rows that did not enter the fit, by reason."""

    @cached_property
    def joint(self) -> Floats:
        """Return the (R + F, R + F) sandwich covariance of strengths and coefficients, in nats squared."""
        inverse = pseudo_inverse(self.hessian, flat_direction(len(self.strengths), len(self.hessian)))
        return np.asarray(inverse @ self.scores @ inverse)

    @property
    def covariance(self) -> Floats:
        """Return the (R, R) covariance of the strengths."""
        size = len(self.strengths)
        return self.joint[:size, :size]

    def covariates(self, confidence: float = 0.95) -> tuple[Covariate, ...]:
        """Return every covariate with an interval that holds on its own with this confidence."""
        whole = filled(self.hessian, flat_direction(len(self.strengths), len(self.hessian)))
        rows = np.linalg.solve(whole, np.eye(len(whole))[:, len(self.strengths) :])  # of the inverse, and no more
        reach = quantile(confidence) * np.sqrt(np.einsum("ij,ik,kj->j", rows, self.scores, rows, optimize=True))
        lines = zip(self.names, self.sds.tolist(), self.coefficients.tolist(), reach.tolist(), strict=True)
        return tuple(_describe(*line) for line in lines)


def fit_covariates(
    rows: CovariateData, names: Sequence[str], sds: Floats, without: Fit, left_out: dict[str, int]
) -> CovariateFit:
    """Return the maximum-likelihood strengths and coefficients of `rows`.

    `names` and `sds` are those of the F covariates, `without` is the fit of the same votes without
    them. Raises InseparableError where a covariate cannot be separated from the others and the models, and
    NotConvergedError where the estimate does not exist or the gradient stays above TOLERANCE times
    the number of votes.
    """
    if rows.size == 0:
        raise SettingsError("no two models can be rated together, so no covariate can be fitted beside them")
    even = rows.weigh(np.full(len(rows.share), 0.25))
    flat = flat_direction(rows.size, len(even))
    _check_separable(even, names)
    start = np.concatenate([without.strengths, np.zeros(len(names))])
    top = maximise(
        partial(_at, rows), _approach(rows, start, flat), flat=flat, votes=rows.votes, name="a fit with covariates"
    )
    hessian, last = top.hessian, top.last
    _check_exists(hessian, even, flat, names)
    scores = rows.weigh(last.residual * last.residual)
    has_spread = np.diag(scores) > _ROUNDING * np.diag(hessian)
    if not has_spread[rows.size :].all():
        raise SettingsError(f"the votes show no spread in {' and '.join(names)}, as where every one is a tie of equals")
    return CovariateFit(
        without=without,
        strengths=top.parameters[: rows.size],
        names=tuple(names),
        sds=sds,
        coefficients=top.parameters[rows.size :],
        hessian=hessian,
        scores=scores,
        has_spread=has_spread[: rows.size],
        max_gradient=float(np.abs(last.gradient).max()),
        iterations=top.iterations,
        left_out={reason: n for reason, n in left_out.items() if n},
    )


def shares_for_either(both_bad: BothBad) -> Floats:
    """Return (O,) side A's share of the win by `Outcome.code`, NaN where such votes are dropped.

    Raises SettingsError for a treatment of both-bad votes that is not a share for either side.
    """
    if both_bad not in ("tie", "drop"):
        raise SettingsError(
            f"both_bad is {both_bad!r}; here a vote needs a share for either side, so choose tie or drop"
        )
    return shares(both_bad)


def places(fit: Fit) -> NDArray[np.int64]:
    """Return (K,) the number of each model among the rated ones, or -1."""
    place = np.full(len(fit.models), -1, dtype=np.int64)
    place[fit.rated] = np.arange(len(fit.rated))
    return place


@dataclass(frozen=True)
class _Place(Place):
    """The likelihood around (R + F,) strengths and coefficients, with the (n,) residuals y - p."""

    residual: Floats


def _at(rows: CovariateData, theta: Floats) -> _Place:
    probability = rows.probability(theta)
    residual = rows.share - probability
    return _Place(rows.gradient(residual), lambda: rows.weigh(probability * (1 - probability)), residual)


def _approach(rows: CovariateData, start: Floats, flat: Floats) -> Floats:
    """Return a better start from some of the votes, or the start itself where they hold no information on it."""
    step = len(rows.share) // (_MANY // 2)
    if step < 2:
        return start
    times = None if rows.times is None else rows.times[::step]
    some = CovariateData(
        rows.size, rows.pair[::step], rows.share[::step], np.ascontiguousarray(rows.x[:, ::step]), times
    )
    theta = start
    try:
        for _ in range(3):
            place = _at(some, theta)
            theta = theta + np.linalg.solve(filled(place.hessian(), flat), place.gradient)
    except np.linalg.LinAlgError:  # a model is missing among these votes
        return start
    # A model with few votes among these may be anywhere.
    return np.where(np.abs(theta - start) < 1, theta, start)


def _check_separable(even: Floats, names: Sequence[str]) -> None:
    """Raise SettingsError where a covariate is a sum of others and of strengths, before any fit.

    What the votes know of the covariates once the strengths are known too is the Schur complement of the strengths.
    """
    size = len(even) - len(names)
    strengths, mixed = even[:size, :size], even[:size, size:]
    whole = filled(strengths, np.ones(size))
    known = even[size:, size:] - mixed.T @ np.linalg.solve(whole, mixed)
    scale = 1 / np.sqrt(np.maximum(np.diag(even)[size:], np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(known * np.outer(scale, scale))
    # The first direction is the one the votes know least about.
    if values[0] < 1e-10:
        loads = np.abs(vectors[:, 0])
        guilty = [name for name, load in zip(names, loads, strict=True) if load > 0.1 * loads.max()]
        each = "each other or from the models themselves" if len(guilty) > 1 else "the models themselves"
        out = "leave one out" if len(guilty) > 1 else "leave it out"
        raise InseparableError(f"{' and '.join(guilty)} cannot be separated from {each} in these votes; {out}")


def _check_exists(hessian: Floats, even: Floats, flat: Floats, names: Sequence[str]) -> None:
    """Raise NotConvergedError where the covariates decide votes so cleanly that no coefficient is enough.

    The votes then keep less than _LEAST_INFORMATION of what they knew in some direction, in which the difference of
    the two matrices is not positive.
    """
    try:
        np.linalg.cholesky(filled(hessian, flat) - _LEAST_INFORMATION * filled(even, flat))
    except np.linalg.LinAlgError:
        raise NotConvergedError(
            f"no finite estimate of {' and '.join(names)}: with it no vote speaks against some models, however far "
            "apart they are; leave it out or collect more votes"
        ) from None


def _describe(name: str, sd: float, coefficient: float, reach: float) -> Covariate:
    bounds = np.array([coefficient, coefficient - reach, coefficient + reach])
    odds = [float(n) for n in np.exp(bounds)]
    shares = [float(n) for n in 1 / (1 + np.exp(-bounds))]
    return Covariate(name, sd, *(float(n) for n in bounds), *odds, *shares)
