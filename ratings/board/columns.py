"""What a board holds of each model, and the columns that show it.

The fields of a `BoardRow` are those of leaderboard.json, of leaderboard.csv and of the frame. COLUMNS are the ones
that are read: the terminal, the page and the arena's tab all show these, each in its own notation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class BoardRow:
    """One model on the board. Votes are all its usable ones, whether or not they entered the fit."""

    model: str
    status: str
    """"rated", or why there is no number, or what it leans on."""
    rating: float | None
    """Elo points."""
    lower: float | None
    upper: float | None
    rank: int | None
    """1 + the number of models that are surely better; for online Elo the position."""
    votes: int
    wins: int
    losses: int
    ties: int
    both_bad: int
    rank_lower: int | None = None
    """The best rank the model may have, and below it the worst; those of all models hold at once."""
    rank_upper: int | None = None
    both_bad_share: float | None = None
    """Of its votes; None without one."""
    tie_share: float | None = None
    """Of its votes, in which a both-bad vote is no tie."""
    group: int = 1
    """Which group of models it stands with; the first has most votes, and no chain of votes compares two groups."""


def make_row(model: str, status: str, numbers: NDArray[np.float64], votes: NDArray[np.float64]) -> BoardRow:
    """Return the row of a model: (5,) rating, bounds and ranks, NaN for none; (5,) votes in all and by kind."""
    rating, lower, upper, best, worst = (float(n) if np.isfinite(n) else None for n in numbers)
    total, wins, losses, ties, both_bad = (int(n) for n in votes)
    return BoardRow(
        model=model,
        status=status,
        rating=rating,
        lower=lower,
        upper=upper,
        rank=None if best is None else int(best),
        votes=total,
        wins=wins,
        losses=losses,
        ties=ties,
        both_bad=both_bad,
        rank_lower=None if best is None or worst is None else int(best),
        rank_upper=None if worst is None else int(worst),
        both_bad_share=both_bad / total if total else None,
        tie_share=ties / total if total else None,
    )


class Notation(NamedTuple):
    """How a reader of boards writes numbers and what stands between two of them."""

    none: str = "–"
    """Stands where there is no number."""
    ranks: str = "–"
    bounds: str = " to "
    commas: bool = False
    minus: str = "-"
    """Of the bounds."""


class Column(NamedTuple):
    """One column of a board that is read."""

    title: str
    kind: Literal["rank", "name", "rating", "range", "count", "detail"]
    """What it holds. Names stand to the left and all else to the right; details go first where space is short."""
    text: Callable[[BoardRow, Notation], str]


def ranks(row: BoardRow, how: Notation) -> str:
    """Return "2–4", or one number where the rank is sure or has no interval."""
    if row.rank_lower is None or row.rank_upper is None or row.rank_lower == row.rank_upper:
        return how.none if row.rank is None else str(row.rank)
    return f"{row.rank_lower}{how.ranks}{row.rank_upper}"


def rating(row: BoardRow, how: Notation) -> str:
    """Return "1020"."""
    return how.none if row.rating is None else f"{row.rating:.0f}"


def bounds(row: BoardRow, how: Notation) -> str:
    """Return "980 to 1020"."""
    if row.lower is None or row.upper is None:
        return how.none
    return f"{row.lower:.0f}{how.bounds}{row.upper:.0f}".replace("-", how.minus)


def _number(n: int, how: Notation) -> str:
    return f"{n:,}" if how.commas else str(n)


COLUMNS = (
    Column("rank", "rank", ranks),
    Column("model", "name", lambda row, how: row.model),
    Column("rating", "rating", rating),
    Column("interval", "range", bounds),
    Column("votes", "count", lambda row, how: _number(row.votes, how)),
    Column("won", "detail", lambda row, how: _number(row.wins, how)),
    Column("lost", "detail", lambda row, how: _number(row.losses, how)),
    Column("tied", "detail", lambda row, how: _number(row.ties, how)),
    Column("both bad", "detail", lambda row, how: _number(row.both_bad, how)),
)
