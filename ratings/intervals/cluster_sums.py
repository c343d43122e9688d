"""The scores of all votes, summed within each voter and then squared: M of clustered.py, at any number of votes.

With G the (J, p) matrix of the clusters' summed scores, M = G^T G. G itself is never held as a whole: clusters are
taken in parts of many votes each, and of each part G is dense where its clusters voted on most models and sparse
where they did not. So a million votes take a fraction of a second, and memory does not grow with the votes.

A vote moves the score of its left model by (y - p) and that of its right model by the opposite. A loss to the field
(both_bad.py) moves both by -q, and the field, of which every model is an equal part, by the rest. Under Davidson's
model the score of log nu is one more column, t - P(tie).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.fit.both_bad import centred
from ratings.fit.protocol import Fit
from ratings.outcomes import BothBad, Ties
from ratings.votes.clusters import tally
from ratings.votes.shares import BAD, TIED, shares
from ratings.votes.votes import Votes

SURELY_MANY = 50.0
"""Effective clusters on a model from which on nobody asks how many they are."""

PART = 125_000
"""Votes whose scores are worked out at a time, or MOST_PARTS-th of all where those are more."""

MOST_PARTS = 48
"""Each part costs one look at the clusters of all votes."""

_DENSE = 24  # cells of a dense G for each vote: with more of them most would be zero

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClusterSums:
    """What the clusters add up to, over the R rated models and, under Davidson's model, log nu."""

    products: Floats
    """(p, p) sum over the clusters of the outer product of their score."""
    weight: Floats
    """(J,) what the votes of each cluster that entered the fit weigh together; zero for none."""
    information: Floats
    """(J,) what they tell about `contrast`; of all models alike without one."""
    voters: Floats
    """(R,) effective number of the clusters that voted on a model, by what their votes on it weigh; or, where it is
    surely above SURELY_MANY, a number below it."""


def cluster_sums(
    votes: Votes,
    clusters: NDArray[Any],
    result: Fit,
    *,
    ties: Ties,
    both_bad: BothBad,
    weights: Floats | None = None,
    contrast: Floats | None = None,
) -> ClusterSums:
    """Return the sums of the scores of `votes`, where `clusters` is (n,), a code from 0 for each vote.

    `weights` is (n,), in the scale of the fit; without them each vote weighs 1. `contrast` is (p,), the
    column of H+ for a difference that is asked for.
    """
    number = int(clusters.max(initial=-1)) + 1
    size, columns = len(result.rated), len(result.rated) + (result.log_nu is not None)
    table = _Table(votes, result, ties, both_bad)
    inside = np.zeros((columns, columns))
    weight, information = np.zeros(number), np.zeros(number)
    # No cluster has more votes on a model than it has at all.
    surely = result.data.votes.sum(axis=1) / max(int(tally(clusters).max(initial=0)), 1)
    watched = (surely < SURELY_MANY) | (weights is not None)
    on_model, squares = np.zeros(size), np.zeros(size)
    for low, high, chosen in _parts(clusters, number):
        scores = table.scores(chosen)
        who = clusters[scores.vote].astype(np.int64) - low
        weigh = np.ones(len(who)) if weights is None else weights[scores.vote]
        weight[low:high] += np.bincount(who, weigh, high - low)
        if contrast is not None:
            reach = (contrast[scores.left] - contrast[scores.right]) ** 2 * scores.variance * weigh
            information[low:high] += np.bincount(who, reach, high - low)
        inside += _squared(who, scores, weigh, high - low, columns)
        if watched.any():
            squares += _squared_weights(who, scores, weigh, high - low, watched)
            on_model += sum(np.bincount(side, weigh, size) for side in (scores.left, scores.right))
    if both_bad == "loss-to-the-field":
        # What a loss takes from the two goes to the field, of which every model is an equal part.
        inside[:size, :size] = centred(inside[:size, :size])
        inside[:size, size:] -= inside[:size, size:].mean(axis=0) if size else 0.0
        inside[size:, :size] = inside[:size, size:].T
    voters = np.where(watched, on_model**2 / np.where(squares > 0, squares, 1.0), surely)
    return ClusterSums(inside, weight, information if contrast is not None else weight, voters)


class _Scores(NamedTuple):
    """The scores of the votes that entered the fit; those that did not have no row."""

    vote: NDArray[np.intp]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    of_left: Floats
    of_right: Floats
    of_nu: Floats | None
    variance: Floats
    """What one such vote is expected to tell about the difference of its two models."""


class _Table:
    """What the fit makes of a vote."""

    def __init__(self, votes: Votes, result: Fit, ties: Ties, both_bad: BothBad) -> None:
        self.votes, self.result = votes, result
        self.place = np.full(len(votes.models), -1, dtype=np.intp)
        self.place[result.rated] = np.arange(len(result.rated))
        self.share = shares(both_bad, "half" if ties == "davidson" else ties)
        self.is_tied = TIED + (BAD if both_bad == "tie" else 0 * BAD)
        self.is_lost = BAD > 0 if both_bad == "loss-to-the-field" else np.zeros(len(BAD), dtype=bool)

    def scores(self, chosen: NDArray[np.intp] | slice) -> _Scores:
        """Return the scores of the chosen votes."""
        outcome = self.votes.outcome[chosen]
        left, right = self.place[self.votes.a[chosen]], self.place[self.votes.b[chosen]]
        entered = (left >= 0) & (right >= 0) & (np.isfinite(self.share) | self.is_lost)[outcome]
        vote = np.flatnonzero(entered) if isinstance(chosen, slice) else chosen[entered]
        left, right, outcome = left[entered], right[entered], outcome[entered]
        strengths, log_nu = self.result.strengths, self.result.log_nu
        ahead = strengths[left] - strengths[right]
        of_nu = None
        if log_nu is None:
            expected = 1 / (1 + np.exp(-ahead))
            variance = expected * (1 - expected)
        else:
            largest = np.maximum(np.abs(ahead) / 2, log_nu)
            won, lost, tied = np.exp(ahead / 2 - largest), np.exp(-ahead / 2 - largest), np.exp(log_nu - largest)
            total = won + lost + tied
            expected, tied = (won + tied / 2) / total, tied / total
            variance = won * lost / total**2 + tied * (1 - tied) / 4
            of_nu = self.is_tied[outcome] - tied
        of_left = self.share[outcome] - expected
        of_right = -of_left
        is_lost = self.is_lost[outcome]
        if is_lost.any():
            of_left, of_right = (
                np.where(is_lost, -1 / (1 + np.exp(-strengths[side])), usual)
                for side, usual in ((left, of_left), (right, of_right))
            )
            variance = np.where(is_lost, 0.0, variance)
            of_nu = None if of_nu is None else np.where(is_lost, 0.0, of_nu)
        return _Scores(vote, left, right, of_left, of_right, of_nu, variance)


def _parts(clusters: NDArray[Any], number: int) -> Iterator[tuple[int, int, NDArray[np.intp] | slice]]:
    """Yield clusters from and up to, and their votes, in parts of about as many votes."""
    part = max(PART, len(clusters) // MOST_PARTS)
    if len(clusters) <= part:
        if len(clusters):
            yield 0, number, slice(None)
        return
    cast = np.cumsum(tally(clusters))
    low = 0
    while low < number:
        before = cast[low - 1] if low else 0
        high = max(int(np.searchsorted(cast, before + part, side="right")), low + 1)
        yield low, high, np.flatnonzero((clusters >= low) & (clusters < high))
        low = high


def _squared(who: NDArray[np.int64], scores: _Scores, weigh: Floats, number: int, columns: int) -> Floats:
    """Return (columns, columns) G^T G of one part."""
    places = [scores.left, scores.right]
    values = [scores.of_left * weigh, scores.of_right * weigh]
    if scores.of_nu is not None:
        places.append(np.full(len(who), columns - 1, dtype=np.intp))
        values.append(scores.of_nu * weigh)
    if number * columns <= _DENSE * max(len(who), 1):
        sums = np.zeros(number * columns)
        for place, value in zip(places, values, strict=True):
            np.add.at(sums, who * columns + place, value)
        dense = sums.reshape(number, columns)
        return np.asarray(dense.T @ dense)
    summed = _sparse(who, places, values, (number, columns))
    return np.asarray((summed.T @ summed).toarray())


def _squared_weights(
    who: NDArray[np.int64], scores: _Scores, weigh: Floats, number: int, watched: NDArray[np.bool_]
) -> Floats:
    """Return (R,) the sum over the clusters of the square of what their votes on each `watched` model weigh."""
    sides = [(side, watched[side]) for side in (scores.left, scores.right)]
    rows = np.concatenate([who[on] for _, on in sides])
    places, values = [side[on] for side, on in sides], [weigh[on] for _, on in sides]
    summed = _sparse(rows, places, values, (number, len(watched)))
    return np.bincount(summed.indices, summed.data**2, len(watched)).astype(np.float64)


def _sparse(
    who: NDArray[np.int64], places: list[NDArray[np.intp]], values: list[Floats], shape: tuple[int, int]
) -> Any:
    from scipy.sparse import csr_array

    where = np.concatenate(places).astype(np.int32)
    rows = who.astype(np.int32)
    rows = rows if len(rows) == len(where) else np.concatenate([rows] * len(places))
    return csr_array((np.concatenate(values), (rows, where)), shape=shape)
