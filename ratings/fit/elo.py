"""Online Elo: the live ticker beside the Bradley-Terry board.

After each vote the winner takes points from the loser,

    delta = k (y - E),    E = 1 / (1 + 10^((R_b - R_a) / 400)),

with y = 1, 0 or 1/2 for side A (Elo 1978, "The Rating of Chessplayers, Past and Present"). k = 4
and a start at 1000 are the values of the field's arenas. The result depends on the order of the
votes and has no interval: it shows movement, and a board of fixed checkpoints should not rest on it.

What one side gains the other loses, so a both-bad vote can be a tie or be dropped. As a loss of
both to the field it would have no winner to take the points, and is an error.
"""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings.errors import SettingsError
from ratings.outcomes import BothBad, Outcome, score
from ratings.scale import CENTRE, POINTS_PER_NAT, POINTS_PER_TENFOLD
from ratings.votes.shares import shares
from ratings.votes.votes import Votes

K_FACTOR = 4.0


def elo(
    votes: Votes, *, k: float = K_FACTOR, initial: float = CENTRE, both_bad: BothBad = "tie"
) -> NDArray[np.float64]:
    """Return (K,) ratings in Elo points after all votes in their order; `initial` without a vote.

    Raises SettingsError unless k is positive and finite, and for both-bad votes lost to the field.
    """
    check_k(k)
    a, b, share = decided(votes, both_bad)
    points = [float(initial)] * len(votes.models)
    play(points, a.tolist(), b.tolist(), share.tolist(), k)
    return np.array(points)


def decided(votes: Votes, both_bad: BothBad) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return (n,) indices of side A and B and A's share of the win, of the votes that are not dropped."""
    score(Outcome.BOTH_BAD, both_bad)  # refuses a treatment without a share
    share = shares(both_bad)[votes.outcome]
    kept = ~np.isnan(share)
    return (votes.a, votes.b, share) if kept.all() else (votes.a[kept], votes.b[kept], share[kept])


def play(points: Any, a: Any, b: Any, share: Any, k: float) -> None:
    """Move the (K,) points in place by (n,) votes in their order.

    Give plain lists: indexing an array one element at a time is several times slower. A compiler such
    as numba takes this function as it stands, and arrays.
    """
    exp = math.exp
    for i, j, y in zip(a, b, share):  # noqa: B905 (numba knows no strict zip)
        delta = k * (y - 1 / (1 + exp((points[j] - points[i]) / POINTS_PER_NAT)))
        points[i] += delta
        points[j] -= delta


class Ticker:
    """Elo ratings that move with each vote as it comes in; holds nothing but the ratings."""

    def __init__(
        self,
        ratings: Mapping[str, float] | None = None,
        *,
        k: float = K_FACTOR,
        initial: float = CENTRE,
        both_bad: BothBad = "tie",
    ) -> None:
        """Start from `ratings` in Elo points; a model that is not among them starts at `initial`."""
        check_k(k)
        score(Outcome.BOTH_BAD, both_bad)  # raises now rather than at the first vote
        if ratings is not None and not (isinstance(ratings, Mapping) and all(map(_is_finite, ratings.values()))):
            raise SettingsError(f"ratings is {str(ratings)[:60]}; give a finite number of points for each model")
        self.ratings: dict[str, float] = dict(ratings or {})
        self._k, self._initial, self._both_bad = k, initial, both_bad

    def update(self, model_a: str, model_b: str, outcome: Outcome) -> float:
        """Apply one vote and return the points side A gained, which side B lost.

        A dropped vote moves nobody and returns 0. Raises SettingsError for a model against itself.
        """
        if model_a == model_b:
            raise SettingsError(f"{model_a!r} cannot play itself; leave self-battles out")
        if not isinstance(outcome, Outcome):
            raise SettingsError(f"outcome is {outcome!r}; give one of Outcome, such as Outcome.A_WINS")
        share = score(outcome, self._both_bad)
        a = self.ratings.setdefault(model_a, self._initial)
        b = self.ratings.setdefault(model_b, self._initial)
        delta = 0.0 if share is None else self._k * (share - expected(a, b))
        self.ratings[model_a] += delta
        self.ratings[model_b] -= delta
        return delta


def expected(rating_a: float, rating_b: float) -> float:
    """Return the share of wins that Elo expects for A, from two ratings in points."""
    return float(1 / (1 + 10 ** ((rating_b - rating_a) / POINTS_PER_TENFOLD)))


def check_k(k: float) -> None:
    """Raise SettingsError unless k is positive and finite."""
    if not 0 < k < math.inf:
        raise SettingsError(f"k is {k}; give the positive number of points one vote can move, such as 4")


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)
