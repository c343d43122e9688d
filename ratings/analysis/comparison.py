"""Is one model better than another, so far, and how many more votes would decide it?

The answer may be asked for after every vote, because the difference comes with a confidence sequence
(confidence_sequence.py): all answers but "undecided" ever given are right with the given confidence. The two
need not have met; battles with others link them, as long as one fit rates both.

Votes are grouped by who cast them where they say so (grouping.py), as the votes of one voter lean the same way. Then
the variance is the clustered one, or that of independent votes where it happens to be larger, and the effective
number of voters is that of this very difference: each weighs what his or her votes tell about it. With too few of them
it is too early for an answer.

Votes to go are those after which the sequence would leave zero out if the present estimate were the
truth. With x more votes between the two the variance of their difference is, by the Sherman-Morrison
formula on H and with M growing beside it,

    (v + x m u^2) / (1 + x h u)^2,    u = b^T H+ b,    b = e_A - e_B,    h = P_AB P_BA,

where m, the squared score of a vote, is h times the ratio of M to H so far, so further votes are taken to come from
further voters who vote as often as those so far. With votes on all pairs at the
present rates the variance falls in proportion. An estimate is only that: where zero lies within its standard
error the number comes with the remark that there may be nothing to find.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.board.groups import votes_among
from ratings.choices import Cluster
from ratings.errors import NoVotesError, SettingsError
from ratings.fit.bradley_terry import BradleyTerryFit, fit, win_probability
from ratings.fit.components import counts_beside
from ratings.fit.newton import pseudo_inverse
from ratings.intervals.cluster_sums import cluster_sums
from ratings.intervals.confidence_sequence import FEWEST_VOTERS, HORIZON, is_early, sequence
from ratings.intervals.grouping import Grouping, group
from ratings.outcomes import BothBad
from ratings.votes.clusters import ClusterSizes, effective_number
from ratings.votes.counts import Counts
from ratings.votes.votes import Votes

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
    """Of the confidence sequence, which may be looked at any time; infinite where there are too few voters."""
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
    grouping: str
    """Which votes were taken together, such as "votes grouped by 40 voters", or why none were."""
    voters: float | None = None
    """Effective number of the voters behind the difference; None where votes are taken as independent."""

    @property
    def lacks_voters(self) -> bool:
        """Return whether there are too few voters for an interval, which then is infinite."""
        return self.voters is not None and self.voters < FEWEST_VOTERS

    @property
    def may_be_nothing(self) -> bool:
        """Return whether zero lies within a standard error of the estimate."""
        return abs(self.estimate) <= self.error


def compare(
    counts: Counts,
    first: str,
    second: str,
    *,
    votes: Votes | None = None,
    voters: ClusterSizes | None = None,
    cluster: Cluster = "voter",
    confidence: float = 0.95,
    horizon: float = HORIZON,
    both_bad: BothBad = "tie",
) -> Comparison:
    """Return how `first` compares with `second` on these votes.

    `votes` are those that were counted, or None where no more than how they are spread over the `voters` is known.
    Raises SettingsError where a model is unknown or has no rating beside the other, for a confidence
    outside (0, 1) or a horizon that is no positive number; NoVotesError without a vote.
    """
    if counts.used == 0:
        raise NoVotesError(f"no votes to compare by: read {counts.read}; collect some votes first")
    _places(counts, first, second)
    counts = counts_beside(counts, (first, second), both_bad=both_bad)
    known = _places(counts, first, second)
    if votes is not None and votes.models != counts.models:
        votes = votes_among(votes, counts.models)
    grouping = group(votes, cluster, sizes=voters, are_simulated=counts.simulated >= counts.used)
    result = fit(counts, both_bad=both_bad)
    i, j = (_place(result.rated, number, result.status[number], counts.models[number]) for number in known)
    spread = _spread(result, i, j, votes, grouping, both_bad)
    if spread.variance <= 1e-12 * spread.scale:
        raise SettingsError(f"{first!r} and {second!r} are linked by nothing but ties; there is no spread to judge by")
    estimate, error = float(result.strengths[i] - result.strengths[j]), math.sqrt(spread.variance)

    def reach(ahead: "_Ahead") -> float:
        return _reach(ahead, confidence, horizon)

    def to_go(difference: float, after: Callable[[float], "_Ahead"]) -> float | None:
        return None if spread.lacks_voters else votes_to_go(lambda x: reach(after(x)), difference)

    bounds = sequence(
        np.array(estimate), np.array(spread.variance), confidence=confidence, horizon=horizon, voters=spread.voters
    )
    return Comparison(
        first=first,
        second=second,
        estimate=estimate,
        error=error,
        lower=-math.inf if spread.lacks_voters else float(bounds[0]),
        upper=math.inf if spread.lacks_voters else float(bounds[1]),
        answer=_answer(estimate, reach(spread.with_arena(0))),
        used=result.used,
        met=round(float(result.data.votes[i, j])),
        pair_votes=to_go(abs(estimate), spread.with_pair),
        arena_votes=to_go(abs(estimate), spread.with_arena),
        fewest_votes=to_go(abs(estimate) + error, spread.with_pair),
        grouping=grouping.shortage or grouping.words,
        voters=spread.voters,
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


class _Ahead(NamedTuple):
    """How much is known of the difference after some more votes."""

    variance: float
    voters: float | None


@dataclass(frozen=True)
class _Spread:
    """What is known of the difference, and becomes of it with more votes; letters as in the module's docstring."""

    variance: float
    scale: float  # that a variance above zero has
    voters: float | None
    used: int
    distance: float  # u
    information: float  # h
    noise: float  # m
    told: float  # by all votes about the difference, in units of h u^2

    @property
    def lacks_voters(self) -> bool:
        return self.voters is not None and self.voters < FEWEST_VOTERS

    def with_pair(self, more: float) -> _Ahead:
        rise = self.variance + more * self.noise * self.distance**2
        after = rise / (1 + more * self.information * self.distance) ** 2
        return _Ahead(after, self._voters(more * self.information * self.distance**2 / self.told))

    def with_arena(self, more: float) -> _Ahead:
        return _Ahead(self.variance / (1 + more / self.used), self._voters(more / self.used))

    def _voters(self, growth: float) -> float | None:
        return None if self.voters is None else self.voters * (1 + growth)


def _spread(
    result: BradleyTerryFit, i: int, j: int, votes: Votes | None, grouping: Grouping, both_bad: BothBad
) -> _Spread:
    inverse = pseudo_inverse(result.hessian)
    contrast = inverse[i] - inverse[j]
    distance = float(contrast[i] - contrast[j])
    products, voters, told = result.score_products(), None, distance
    if grouping.codes is not None:
        assert votes is not None
        sums = cluster_sums(votes, grouping.codes, result, ties="half", both_bad=both_bad, contrast=contrast)
        number = max(int((sums.weight > 0).sum()), 2)
        products, voters = sums.products * number / (number - 1), effective_number(sums.information)
        told = max(float(sums.information.sum()), 1e-300)
    elif grouping.is_too_few and grouping.sizes:
        voters = min(grouping.sizes.effective, FEWEST_VOTERS - 1)
    probability = win_probability(result.strengths)
    information = float(probability[i, j] * probability[j, i])
    plain = float(contrast @ result.score_products() @ contrast)
    variance = float(contrast @ products @ contrast)
    if plain > variance:  # a voter's votes are never taken for surer than independent ones
        products, variance = result.score_products(), plain
    return _Spread(
        variance=variance,
        scale=distance,
        voters=voters,
        used=result.used,
        distance=distance,
        information=information,
        noise=information * float(np.trace(products) / np.trace(result.hessian)),
        told=told,
    )


def _reach(ahead: _Ahead, confidence: float, horizon: float) -> float:
    """Return the half-width of the sequence with this variance and these voters, infinite before it holds."""
    variance = np.array(ahead.variance)
    if is_early(variance, ahead.voters):
        return math.inf
    upper = sequence(0 * variance, variance, confidence=confidence, horizon=horizon, voters=ahead.voters)[1]
    return float(upper)


def _answer(estimate: float, reach: float) -> str:
    if math.isinf(reach):
        return TOO_EARLY
    if abs(estimate) <= reach:
        return UNDECIDED
    return FIRST if estimate > 0 else SECOND
