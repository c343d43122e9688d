"""Counts to fit data: who is rated, by which wins, ties and losses to the field.

Bradley-Terry and Davidson start from the same choices: what a tie is, what a both-bad vote is, who
can be rated, and what each vote weighs. They are made here once, and every vote either enters the
fit or is left out under a reason.

Counts that carry weights are fitted by them. A vote on a pair that was drawn with probability p weighs
1/p (Horvitz and Thompson 1952, doi:10.1080/01621459.1952.10483446), so that the strengths are those of an arena that
draws every pair equally often. Weights are scaled to a mean of 1 over the votes in the fit. The
gradient and the Hessian see the sum of the weights; the squared scores of the sandwich see the sum of
their squares, because a vote that weighs w moves the gradient by w times its score.
"""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ratings.errors import VotesError
from ratings.fit.existence import (
    LEANS_ON_PRIOR,
    NO_VOTES,
    ONLY_DROPPED,
    ONLY_DROPPED_BOTH,
    ONLY_DROPPED_TIES,
    ONLY_FIELD,
    RATED,
    rated_models,
    reachable,
    statuses,
)
from ratings.outcomes import OUTCOMES, BothBad, Ties, check_both_bad, check_ties
from ratings.votes.counts import Counts
from ratings.votes.shares import BAD, LOST, TIED, WON

UNRATED_OPPONENT = "battle with an unrated model"
BOTH_BAD_DROPPED = "both bad, dropped"
TIE_DROPPED = "tie, dropped"


@dataclass(frozen=True)
class FitData:
    """What the votes among R models weigh, and the squares; without weights each vote weighs 1."""

    wins: NDArray[np.float64]
    """(R, R) decided votes, won by the row's model over the column's."""
    ties: NDArray[np.float64]
    """(R, R) tied votes, symmetric: each stands in both halves."""
    field: NDArray[np.float64]
    """(R, R) both-bad votes that both models lose to the field, symmetric like the ties."""
    squared_wins: NDArray[np.float64]
    squared_ties: NDArray[np.float64]
    squared_field: NDArray[np.float64]
    votes: NDArray[np.float64]
    """(R, R) number of votes of any of the three kinds, symmetric, whatever they weigh."""

    @property
    def beats(self) -> NDArray[np.float64]:
        """Return (R, R) wins of the row's model over the column's, a tie counting for both sides."""
        return self.wins + self.ties

    @property
    def shares(self) -> NDArray[np.float64]:
        """Return (R, R) wins of the row's model over the column's, with half of each tie."""
        return self.wins + self.ties / 2

    @property
    def used(self) -> int:
        """Return the number of votes."""
        return round(float(self.votes.sum() / 2))

    @property
    def squared(self) -> "FitData":
        """Return the fit data with the squares in the place of the weights."""
        return replace(self, wins=self.squared_wins, ties=self.squared_ties, field=self.squared_field)

    def among(self, members: NDArray[np.int64]) -> "FitData":
        """Return the fit data among these models alone, with the weights scaled to a mean of 1."""
        if self.squared_wins is self.wins and len(members) == len(self.votes):
            return self  # every vote weighs 1, and nobody is left out
        inside = np.ix_(members, members)
        wins, ties, field, votes = (part[inside] for part in (self.wins, self.ties, self.field, self.votes))
        weight = float(wins.sum() + ties.sum() / 2 + field.sum() / 2)
        scale = float(votes.sum()) / 2 / weight if weight else 1.0
        return FitData(
            wins=wins * scale,
            ties=ties * scale,
            field=field * scale,
            squared_wins=self.squared_wins[inside] * scale**2,
            squared_ties=self.squared_ties[inside] * scale**2,
            squared_field=self.squared_field[inside] * scale**2,
            votes=votes,
        )


@dataclass(frozen=True)
class Selection:
    """The rated models of K, the votes among them, and why the rest is left out."""

    status: tuple[str, ...]
    """(K,) "rated", or why there is no strength, or what a strength leans on."""
    rated: NDArray[np.int64]
    """(R,) indices of the rated models."""
    data: FitData
    left_out: dict[str, int]
    """Rows that do not enter the fit, by reason: the counts' own and the fit's."""

    def without_anybody(self, why: str) -> "Selection":
        """Return the selection that rates nobody, because of a reason all rated models share."""
        status = tuple(why if i in set(self.rated.tolist()) else old for i, old in enumerate(self.status))
        left_out = Counter(self.left_out)
        left_out[UNRATED_OPPONENT] += self.data.used
        nobody = np.zeros(0, dtype=np.int64)
        return Selection(status, nobody, self.data.among(nobody), _positive(left_out))


def select(counts: Counts, *, ties: Ties, both_bad: BothBad, has_prior: bool) -> Selection:
    """Return who is rated under these treatments, by which votes.

    Without a prior these are the models of the largest set that fulfils Ford's condition on wins and
    ties; with one, all models that have a vote in the fit data. A both-bad vote counted as a tie
    shares the fate of the ties. Raises SettingsError for an unknown treatment, and VotesError for
    weights that do not belong to the counts.
    """
    data = gather(counts, ties=ties, both_bad=both_bad)
    is_bad_dropped = both_bad == "drop" or (both_bad == "tie" and ties == "drop")
    dropped_ties = _dropped(counts, TIED, ties == "drop")
    dropped_bad = _dropped(counts, BAD, is_bad_dropped)
    beats = data.beats
    reach = reachable(beats)
    rated = rated_models(beats, reach, data.votes)
    status = statuses(beats, reach, rated)
    totals = zip(status, dropped_ties, dropped_bad, data.field.sum(axis=1), strict=True)
    status = [_why_no_votes(*numbers) if why == NO_VOTES else why for why, *numbers in totals]
    if has_prior:
        rated = np.flatnonzero(data.votes.sum(axis=1) > 0)
        leaning = set(rated.tolist())
        status = [_leaning(why) if i in leaning else why for i, why in enumerate(status)]
    inside = data.among(rated)
    left_out = Counter(counts.left_out)
    left_out[TIE_DROPPED] += round(float(dropped_ties.sum() / 2))
    left_out[BOTH_BAD_DROPPED] += round(float(dropped_bad.sum() / 2))
    left_out[UNRATED_OPPONENT] += data.used - inside.used
    return Selection(tuple(status), rated, inside, _positive(left_out))


def gather(counts: Counts, *, ties: Ties, both_bad: BothBad) -> FitData:
    """Return the fit data among all K models, with the counts' own weights as they are."""
    check_ties(ties)
    check_both_bad(both_bad)
    weights, squares = _weights(counts)
    wins, tied, field = _kinds(counts, weights, ties, both_bad)
    if weights is counts.outcomes:  # every vote weighs 1, and so does its square
        return FitData(wins, tied, field, wins, tied, field, wins + wins.T + tied + field)
    squared_wins, squared_ties, squared_field = _kinds(counts, squares, ties, both_bad)
    won, drawn, lost = _kinds(counts, counts.outcomes, ties, both_bad)
    return FitData(wins, tied, field, squared_wins, squared_ties, squared_field, won + won.T + drawn + lost)


def _kinds(
    counts: Counts, values: NDArray[np.float64], ties: Ties, both_bad: BothBad
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (K, K) wins, symmetric ties and symmetric losses to the field, from (n_pairs, O) values."""
    size = len(counts.models)
    place = counts.pairs[:, 0] * size + counts.pairs[:, 1]

    def square(votes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (K, K) votes; rows are side a, columns side b."""
        return np.bincount(place, votes, size * size).reshape(size, size).astype(np.float64, copy=False)

    wins = square(values @ WON) + square(values @ LOST).T
    if both_bad == "tie":
        tied = _both_ways(square(values @ (TIED + BAD)))
        bad = np.zeros((size, size))
    else:
        tied, bad = _both_ways(square(values @ TIED)), _both_ways(square(values @ BAD))
    return wins, tied * (ties != "drop"), bad * (both_bad == "loss-to-the-field")


def _dropped(counts: Counts, chosen: NDArray[np.float64], is_dropped: bool) -> NDArray[np.float64]:
    """Return (K,) votes of each model with one of the (O,) chosen outcomes, or none where they are not dropped."""
    size = len(counts.models)
    if not is_dropped:
        return np.zeros(size)
    votes = counts.outcomes @ chosen
    both = [np.bincount(counts.pairs[:, side], votes, size) for side in (0, 1)]
    return np.asarray(both[0] + both[1], dtype=np.float64)


def _both_ways(square: NDArray[np.float64]) -> NDArray[np.float64]:
    return square + square.T


def _weights(counts: Counts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (n_pairs, O) sums of weights and of squared weights; both the counts where there are none."""
    outcomes, weights, squares = counts.outcomes, counts.weights, counts.squared_weights
    if weights is None and squares is None:
        return outcomes, outcomes
    if weights is None or squares is None:
        raise VotesError("weights and squared weights come together; give the counts both or neither")
    shape = (len(counts.pairs), len(OUTCOMES))
    if weights.shape != shape or squares.shape != shape:
        raise VotesError(f"weights have the shapes {weights.shape} and {squares.shape}; counts have {shape}")
    is_positive = np.isfinite(weights) & np.isfinite(squares) & (weights > 0) & (squares > 0)
    if not np.where(outcomes > 0, is_positive, (weights == 0) & (squares == 0)).all():
        raise VotesError(
            "weights must be positive and finite where there are votes, and zero elsewhere; "
            "every weight is 1 / (chance of the pair when it was drawn)"
        )
    return weights, squares


def _why_no_votes(ties: float, bad: float, field: float) -> str:
    if field:
        return ONLY_FIELD
    if ties:
        return ONLY_DROPPED_BOTH if bad else ONLY_DROPPED_TIES
    return ONLY_DROPPED if bad else NO_VOTES


def _leaning(why: str) -> str:
    return why if why == RATED else f"{LEANS_ON_PRIOR}: {why.removeprefix('unbounded: ')}"


def _positive(left_out: Counter[str]) -> dict[str, int]:
    return {reason: n for reason, n in left_out.items() if n}
