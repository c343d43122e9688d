"""Online Elo: the live ticker beside the Bradley-Terry board.

After each vote the winner takes points from the loser,

    delta = k (y - E),    E = 1 / (1 + 10^((R_b - R_a) / 400)),

with y = 1, 0 or 1/2 for side A (Elo 1978, "The Rating of Chessplayers, Past and Present"). k = 4
and a start at 1000 are the values of the field's arenas. The result depends on the order of the
votes and has no interval: it shows movement, and a board of fixed checkpoints should not rest on it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ratings.errors import SettingsError
from ratings.outcomes import OUTCOMES, BothBad, Outcome, check_both_bad, score
from ratings.scale import CENTRE, POINTS_PER_NAT, POINTS_PER_TENFOLD
from ratings.votes import Votes

K_FACTOR = 4.0


def elo(
    votes: Votes, *, k: float = K_FACTOR, initial: float = CENTRE, both_bad: BothBad = "tie"
) -> NDArray[np.float64]:
    """Return (K,) ratings in Elo points after all votes in their order; `initial` without a vote.

    Raises SettingsError unless k is positive and finite.
    """
    _check_k(k)
    ratings = [float(initial)] * len(votes.models)
    shares = [score(outcome, both_bad) for outcome in OUTCOMES]
    exp = math.exp
    # Plain lists: indexing a numpy array one element at a time is several times slower.
    for a, b, code in zip(votes.a.tolist(), votes.b.tolist(), votes.outcome.tolist(), strict=True):
        share = shares[code]
        if share is not None:
            delta = k * (share - 1 / (1 + exp((ratings[b] - ratings[a]) / POINTS_PER_NAT)))
            ratings[a] += delta
            ratings[b] -= delta
    return np.array(ratings)


class Ticker:
    """Elo ratings that move with each vote as it comes in; holds nothing but the ratings."""

    def __init__(
        self,
        ratings: dict[str, float] | None = None,
        *,
        k: float = K_FACTOR,
        initial: float = CENTRE,
        both_bad: BothBad = "tie",
    ) -> None:
        """Start from `ratings` in Elo points; a model that is not among them starts at `initial`."""
        _check_k(k)
        check_both_bad(both_bad)
        self.ratings: dict[str, float] = dict(ratings or {})
        self._k, self._initial, self._both_bad = k, initial, both_bad

    def update(self, model_a: str, model_b: str, outcome: Outcome) -> float:
        """Apply one vote and return the points side A gained, which side B lost.

        A dropped vote moves nobody and returns 0. Raises SettingsError for a model against itself.
        """
        if model_a == model_b:
            raise SettingsError(f"{model_a!r} cannot play itself; leave self-battles out")
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


def _check_k(k: float) -> None:
    if not 0 < k < math.inf:
        raise SettingsError(f"k is {k}; give the positive number of points one vote can move, such as 4")
