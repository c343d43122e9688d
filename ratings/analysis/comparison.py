"""Is one model better than another, so far, and how many more votes would decide it?

The answer may be asked for after every vote, because the difference comes with a confidence sequence
(confidence_sequence.py): all answers but "undecided" ever given are right with the given confidence. The two
need not have met; battles with others link them, as long as one fit rates both.

Votes to go are those after which the sequence would leave zero out if the present estimate were the
truth. With x more votes between the two the variance of their difference is, by the Sherman-Morrison
formula on H and with M growing beside it,

    (v + x m u^2) / (1 + x h u)^2,    u = b^T H+ b,    b = e_A - e_B,    h = P_AB P_BA,

where m, the squared score of a vote, is h times the ratio of M to H so far. With votes on all pairs at the
present rates it falls in proportion. An estimate is only that: where zero lies within its standard
error the number comes with the remark that there may be nothing to find.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratings.errors import NoVotesError, SettingsError
from ratings.fit.bradley_terry import BradleyTerryFit, fit, win_probability
from ratings.fit.components import counts_beside
from ratings.fit.newton import pseudo_inverse
from ratings.intervals.confidence_sequence import HORIZON, WARM_UP, effective_votes, multiplier, sequence
from ratings.intervals.sandwich import covariance, difference_variance
from ratings.outcomes import BothBad
from ratings.votes.counts import Counts

FIRST, SECOND, UNDECIDED, TOO_EARLY = "first", "second", "undecided", "too early"

MOST_VOTES = 1e9
"""Votes to go above which nobody will wait for the answer."""


@dataclass(frozen=True)
class Comparison:
    """The first model's strength minus the second's, in nats, and what is known of it."""

    first: str
    second: str
    estimate: float
    error: float
    """Standard error of the estimate."""
    lower: float
    """Of the confidence sequence, which may be looked at any time."""
    upper: float
    answer: str
    """"first" or "second" is better, "undecided", or "too early" for the sequence to hold."""
    used: int
    """Votes that entered the fit."""
    met: int
    """Those between the two."""
    pair_votes: float | None
    """More votes between the two until it is decided, if the estimate is true; None for never."""
    arena_votes: float | None
    """More votes of all kinds at the present rates until then; None for never."""
    fewest_votes: float | None
    """More votes between the two if the difference is a standard error larger than estimated."""

    @property
    def may_be_nothing(self) -> bool:
        """Return whether zero lies within a standard error of the estimate."""
        return abs(self.estimate) <= self.error


def compare(
    counts: Counts,
    first: str,
    second: str,
    *,
    confidence: float = 0.95,
    horizon: float = HORIZON,
    both_bad: BothBad = "tie",
) -> Comparison:
    """Return how `first` compares with `second` on these votes.

    Raises SettingsError where a model is unknown or has no rating beside the other, for a confidence
    outside (0, 1) or a horizon that is no positive number; NoVotesError without a vote.
    """
    if counts.used == 0:
        raise NoVotesError(f"no votes to compare by: read {counts.read}; collect some votes first")
    _places(counts, first, second)
    counts = counts_beside(counts, (first, second), both_bad=both_bad)
    known = _places(counts, first, second)
    result = fit(counts, both_bad=both_bad)
    i, j = (_place(result.rated, number, result.status[number], counts.models[number]) for number in known)
    joint = covariance(result)
    variance = float(difference_variance(joint)[i, j])
    if variance <= 1e-12 * (joint[i, i] + joint[j, j]):
        raise SettingsError(f"{first!r} and {second!r} are linked by nothing but ties; there is no spread to judge by")
    estimate = float(result.strengths[i] - result.strengths[j])
    bounds = sequence(np.array(estimate), np.array(variance), confidence=confidence, horizon=horizon)
    prospect = _prospect(result, i, j, variance)

    def to_go(difference: float, variance_after: Callable[[float], float]) -> float | None:
        return votes_to_go(lambda x: _reach(variance_after(x), confidence, horizon), difference)

    error = math.sqrt(variance)
    return Comparison(
        first=first,
        second=second,
        estimate=estimate,
        error=error,
        lower=float(bounds[0]),
        upper=float(bounds[1]),
        answer=_answer(estimate, _reach(variance, confidence, horizon)),
        used=result.used,
        met=round(float(result.data.votes[i, j])),
        pair_votes=to_go(abs(estimate), prospect.with_pair),
        arena_votes=to_go(abs(estimate), prospect.with_arena),
        fewest_votes=to_go(abs(estimate) + error, prospect.with_pair),
    )


def votes_to_go(reach: Callable[[float], float], difference: float) -> float | None:
    """Return the fewest more votes x with reach(x) < difference; None above MOST_VOTES.

    `reach` falls with x; both are in nats, `difference` is not negative.
    """
    if reach(0) < difference:
        return 0.0
    if not reach(MOST_VOTES) < difference:
        return None
    low, high = 0.0, 1.0
    while not reach(high) < difference:
        low, high = high, 2 * high
    while high - low > max(0.5, 1e-6 * high):
        middle = (low + high) / 2
        low, high = (low, middle) if reach(middle) < difference else (middle, high)
    return float(math.ceil(high))


def _places(counts: Counts, *names: str) -> list[int]:
    if len(set(names)) < len(names):
        raise SettingsError(f"{names[0]!r} cannot be compared with itself; name two models")
    for name in names:
        if name not in counts.models:
            from difflib import get_close_matches

            alike = get_close_matches(name, counts.models, n=3) or counts.models[:10]
            raise SettingsError(f"no votes on a model {name!r}; there are votes on {', '.join(map(repr, alike))}")
    return [counts.models.index(name) for name in names]


def _place(rated: NDArray[np.int64], number: int, status: str, name: str) -> int:
    found = np.flatnonzero(rated == number)
    if len(found) == 0:
        raise SettingsError(f"{name!r} has no rating to compare: {status}")
    return int(found[0])


@dataclass(frozen=True)
class _Prospect:
    """What the variance of the difference becomes with more votes; letters as in the module's docstring."""

    variance: float
    used: int
    distance: float  # u
    information: float  # h
    noise: float  # m

    def with_pair(self, more: float) -> float:
        rise = self.variance + more * self.noise * self.distance**2
        return rise / (1 + more * self.information * self.distance) ** 2

    def with_arena(self, more: float) -> float:
        return self.variance / (1 + more / self.used)


def _prospect(result: BradleyTerryFit, i: int, j: int, variance: float) -> _Prospect:
    probability = win_probability(result.strengths)
    information = float(probability[i, j] * probability[j, i])
    noise = information * float(np.trace(result.score_products()) / np.trace(result.hessian))
    distance = float(difference_variance(pseudo_inverse(result.hessian))[i, j])
    return _Prospect(variance, result.used, distance, information, noise)


def _reach(variance: float, confidence: float, horizon: float) -> float:
    """Return the half-width of the sequence at this variance, infinite before it holds."""
    votes = effective_votes(np.array(variance))
    if votes < WARM_UP:
        return math.inf
    return float(multiplier(votes, confidence=confidence, horizon=horizon)) * math.sqrt(variance)


def _answer(estimate: float, reach: float) -> str:
    if math.isinf(reach):
        return TOO_EARLY
    if abs(estimate) <= reach:
        return UNDECIDED
    return FIRST if estimate > 0 else SECOND
