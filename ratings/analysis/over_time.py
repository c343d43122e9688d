"""Ratings over time: the board as it stood at the end of every day or week.

Votes are cut at midnight UTC; a week opens on Monday and is named by that day. A cumulative series
fits all votes up to the end of each period, so its last entry is the board of all votes; else each
period is fitted alone, which shows a change sooner and less surely. A period without a vote has no
entry.

Each fit is Bradley-Terry by Newton's method, as in bradley_terry.py, and starts from the strengths
of the period before. A day adds little to a long record, so two or three steps suffice. Each has
its sandwich intervals and marginal ranks, and rates the models that can be rated by then.

Two things to know when reading it. Ratings are measured from the mean of the models rated in that
period, as on every board, so a strong newcomer moves all others down on its first day; differences
between two models do not move. And each interval holds for its own period: somebody who looks at
all of them will find one that misses more often than the level allows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ratings.choices import Period
from ratings.errors import NoVotesError, SettingsError
from ratings.fit.bradley_terry import laplacian, most_likely, win_probability
from ratings.fit.existence import rated_models, reachable
from ratings.fit.newton import pseudo_inverse
from ratings.intervals.ranks import marginal_ranks
from ratings.intervals.sandwich import centre_on
from ratings.outcomes import OUTCOMES, BothBad
from ratings.scale import quantile, to_points
from ratings.votes.shares import BAD, LOST, TIED, WON, total
from ratings.votes.votes import Votes

Floats = NDArray[np.float64]

DIGITS = 3
"""Of points in JSON: far below what any vote can tell."""

_SECONDS_PER_DAY = 86_400
_LONGEST = 2**16
"""Days or weeks a series may span, 179 years of days: beyond lies a wrong unit or date."""
# As in sandwich.py: the squared score of a tie between equals, after rounding.
_ROUNDING = 1e-14


@dataclass(frozen=True)
class Series:
    """Ratings, intervals and ranks of K models at the end of T periods."""

    models: tuple[str, ...]
    by: Period
    cumulative: bool
    """Whether each period is fitted with all votes before it."""
    confidence: float
    periods: tuple[str, ...]
    """(T,) first day of each period with a vote, ISO 8601, in order."""
    ratings: Floats
    """(T, K) Elo points; NaN where a model cannot be rated, here and in the bounds."""
    lower: Floats
    upper: Floats
    ranks: NDArray[np.int64]
    """(T, K) marginal ranks from 1; 0 where a model cannot be rated."""
    used: NDArray[np.int64]
    """(T,) votes that entered each fit."""
    untimed: int
    """Votes without a time, which are in no period."""

    def to_json_dict(self) -> dict[str, Any]:
        """Return text, ints, finite floats and nulls: one list over the periods for each model."""
        return {
            "by": self.by,
            "cumulative": self.cumulative,
            "confidence": self.confidence,
            "periods": list(self.periods),
            "used": self.used.tolist(),
            "untimed": self.untimed,
            "models": {
                model: {
                    "rating": _nulls(self.ratings[:, k]),
                    "lower": _nulls(self.lower[:, k]),
                    "upper": _nulls(self.upper[:, k]),
                    "rank": [rank or None for rank in self.ranks[:, k].tolist()],
                }
                for k, model in enumerate(self.models)
            },
        }


def series(
    votes: Votes,
    times: Floats,
    *,
    by: Period = "day",
    cumulative: bool = True,
    both_bad: BothBad = "tie",
    confidence: float = 0.95,
) -> Series:
    """Return the board at the end of every period, from (n,) seconds since 1970 UTC beside the votes.

    The votes may be in any order; NaN is an unknown time. Raises NoVotesError where no vote has a
    time, NotConvergedError, and SettingsError for an unknown setting or times that are no seconds.
    """
    _check(votes, times, by, both_bad)
    reach = quantile(confidence)
    board = _Board(len(votes.models))
    periods, used, numbers, ranks = [], [], [], []
    for start, cells in _steps(votes, times, by, both_bad):
        board.add(cells, cumulative)
        shown, strengths, joint, entered = board.fit()
        spread = reach * np.sqrt(np.diag(joint))
        line = np.full((3, len(votes.models)), np.nan)
        line[:, shown] = to_points(np.stack([strengths, strengths - spread, strengths + spread]))
        rank = np.zeros(len(votes.models), dtype=np.int64)
        rank[shown] = marginal_ranks(strengths, joint, confidence)
        periods.append(start.isoformat())
        used.append(entered)
        numbers.append(line)
        ranks.append(rank)
    ratings, lower, upper = np.stack(numbers, axis=1)
    return Series(
        models=votes.models,
        by=by,
        cumulative=cumulative,
        confidence=confidence,
        periods=tuple(periods),
        ratings=ratings,
        lower=lower,
        upper=upper,
        ranks=np.stack(ranks),
        used=np.array(used),
        untimed=int((~np.isfinite(times)).sum()),
    )


class _Board:
    """The votes so far and the strengths they gave, from which the next fit starts."""

    def __init__(self, size: int) -> None:
        self._wins = np.zeros((size, size))
        self._ties = np.zeros((size, size))
        self._strengths = np.zeros(size)
        self._rated = np.zeros(0, dtype=np.int64)

    def add(self, cells: Floats, keep: bool) -> None:
        """Take the (K, K, O) votes of a period, in addition to the others where they are to be kept."""
        wins, ties = total(cells, WON) + total(cells, LOST).T, total(cells, TIED + BAD)
        ties = ties + ties.T
        if keep:
            self._wins += wins
            self._ties += ties
            # More votes can only join models; once all are rated, they stay so.
            is_settled = len(self._rated) == len(wins)
        else:
            self._wins, self._ties, is_settled = wins, ties, False
        if not is_settled:
            beats = self._wins + self._ties
            self._rated = rated_models(beats, reachable(beats), self._wins + self._wins.T + self._ties)

    def fit(self) -> tuple[NDArray[np.int64], Floats, Floats, int]:
        """Return the models shown, their strengths and covariance, and the number of votes in the fit."""
        inside = np.ix_(self._rated, self._rated)
        wins, ties = self._wins[inside], self._ties[inside]
        strengths, hessian = most_likely(wins + ties / 2, self._strengths[self._rated])
        self._strengths[self._rated] = strengths
        probability = win_probability(strengths)
        won = wins * probability.T**2
        squared = won + won.T + ties * (0.5 - probability) ** 2
        inverse = pseudo_inverse(hessian)
        shown = squared.sum(axis=1) > _ROUNDING * np.diag(hessian)
        joint = inverse @ laplacian(squared) @ inverse
        if not shown.all():
            strengths, joint = centre_on(shown, strengths, joint)
        return self._rated[shown], strengths, joint, round(float(wins.sum() + ties.sum() / 2))


def _steps(votes: Votes, times: Floats, by: Period, both_bad: BothBad) -> Iterator[tuple[date, Floats]]:
    """Yield the first day of each period with a vote and its (K, K, O) votes."""
    kept = np.isfinite(times)
    if both_bad == "drop":
        kept &= BAD[votes.outcome] == 0
    if not kept.any():
        raise NoVotesError("no vote with a time to make a series of; collect some votes first")
    days = np.floor(times[kept] / _SECONDS_PER_DAY)
    length = 1 if by == "day" else 7
    number = (days + 3) // 7 if by == "week" else days  # 1970 opened on a Thursday
    first = number.min()
    if number.max() - first >= _LONGEST or not -700_000 < first < 2_900_000:
        raise SettingsError(
            f"times run from {times[kept].min():.0f} to {times[kept].max():.0f}; "
            "give seconds since 1970, not milliseconds"
        )
    # Sixteen bits sort in one pass each for the two bytes.
    short = (number - first).astype(np.uint16)
    order = np.argsort(short, kind="stable")
    size = len(votes.models)
    code = (votes.pair * len(OUTCOMES) + votes.outcome)[kept][order]
    end = np.cumsum(np.bincount(short))
    opening = date(1970, 1, 1) - timedelta(days=3 if by == "week" else 0)
    for index in np.unique(short).tolist():
        part = code[end[index - 1] if index else 0 : end[index]]
        cells = np.bincount(part, minlength=len(OUTCOMES) * size * size).astype(np.float64)
        yield opening + timedelta(days=(int(first) + index) * length), cells.reshape(size, size, len(OUTCOMES))


def _check(votes: Votes, times: Floats, by: str, both_bad: str) -> None:
    if times.shape != (votes.used,):
        raise SettingsError(f"times have the shape {times.shape}; give one time per vote, {(votes.used,)}")
    if by not in get_args(Period):
        raise SettingsError(f"by is {by!r}; choose one of {', '.join(get_args(Period))}")
    if both_bad not in ("tie", "drop"):
        raise SettingsError(f"both_bad is {both_bad!r}; for a series choose tie or drop")


def _nulls(values: Floats) -> list[float | None]:
    return [round(value, DIGITS) if np.isfinite(value) else None for value in values.tolist()]
