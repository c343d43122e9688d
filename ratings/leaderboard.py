"""Numbers to ranked rows, together with the settings that made them.

A board says what it rests on: how many votes were read, used and left out and why, how many were
simulated, and every choice that moved a number. A model without a rating keeps its row and says why.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ratings.bradley_terry import BOTH_BAD_DROPPED, fit
from ratings.counts import Counts, count
from ratings.elo import K_FACTOR, elo
from ratings.errors import NoVotesError, SettingsError, TooFewModelsError
from ratings.existence import NO_VOTES, ONLY_DROPPED, RATED
from ratings.intervals import NO_SPREAD, centre_on, covariance, has_spread, intervals, quantile
from ratings.outcomes import BothBad, check_both_bad
from ratings.ranks import marginal_ranks
from ratings.scale import CENTRE, POINTS_PER_TENFOLD, to_points
from ratings.votes import Votes

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Settings:
    """The choices that move a number on the board."""

    both_bad: BothBad = "tie"
    """Whether "both are bad" counts as a tie or is dropped."""
    confidence: float = 0.95
    """Level of each interval on its own; Bradley-Terry only."""
    k: float = K_FACTOR
    """Elo points one vote can move; online Elo only."""

    def __post_init__(self) -> None:
        """Raise SettingsError for a value out of range."""
        check_both_bad(self.both_bad)
        quantile(self.confidence)


@dataclass(frozen=True)
class Row:
    """One model on the board. Votes are all its usable ones, whether or not they entered the fit."""

    model: str
    status: str
    """"rated", or why there is no number."""
    rating: float | None
    """Elo points."""
    lower: float | None
    upper: float | None
    rank: int | None
    votes: int
    wins: int
    losses: int
    ties: int
    both_bad: int


@dataclass(frozen=True)
class Leaderboard:
    """Rows by rating, best first, then those without one by name."""

    created: str
    """ISO 8601, with its offset from UTC."""
    method: str
    settings: dict[str, str | float]
    read: int
    """Rows read: always used plus all that were left out."""
    used: int
    """Votes that entered the ratings."""
    left_out: dict[str, int]
    """Rows that did not, by reason."""
    simulated: int
    """Usable votes that were cast by a program."""
    rows: tuple[Row, ...]

    def to_json_dict(self) -> dict[str, Any]:
        """Return the content of leaderboard.json: text, ints, finite floats and nulls only."""
        return {
            "created": self.created,
            "method": self.method,
            "settings": dict(self.settings),
            "votes": {
                "read": self.read,
                "used": self.used,
                "left_out": dict(self.left_out),
                "simulated": self.simulated,
            },
            "rows": [asdict(row) for row in self.rows],
        }

    def to_frame(self) -> "pd.DataFrame":
        """Return one row a model, with the columns of `Row`; missing numbers are NA, ranks whole."""
        import pandas as pd

        frame = pd.DataFrame([asdict(row) for row in self.rows], columns=list(Row.__annotations__))
        numbers = dict.fromkeys(("rating", "lower", "upper"), "Float64")
        return frame.astype({**numbers, "rank": "Int64"})

    def to_text(self) -> str:
        """Return the board as an aligned table for a terminal, with its summary line."""
        header = ("rank", "model", "rating", "interval", "votes", "won", "lost", "tied", "both bad", "")
        table = [header, *map(_cells, self.rows)]
        widths = [max(len(line[column]) for line in table) for column in range(len(header))]
        lines = [
            "  ".join(
                cell.ljust(width) if column in (1, len(header) - 1) else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in table
        ]
        return "\n".join([*lines, "", self.summary()])

    def summary(self) -> str:
        """Return one line: method, votes read, used, left out by reason, and simulated."""
        left_out = ", ".join(f"{n} {reason}" for reason, n in self.left_out.items())
        return (
            f"{self.method}: {self.read} votes read, {self.used} used, "
            f"{self.read - self.used} left out{f' ({left_out})' if left_out else ''}, "
            f"{self.simulated} simulated"
        )


def build(source: Counts | Votes, method: str, settings: Settings | None = None, *, now: datetime) -> Leaderboard:
    """Return the board of `source` by `method`, "bradley-terry" or "elo", stamped with `now`.

    Elo depends on the order of the votes, so it takes `Votes`; Bradley-Terry takes either. Raises
    NoVotesError, TooFewModelsError, SettingsError, or NotConvergedError. A model that cannot be
    rated is no error: its row says why.
    """
    if method not in METHODS:
        raise SettingsError(f"method is {method!r}; choose one of {', '.join(METHODS)}")
    counts = count(source) if isinstance(source, Votes) else source
    _check_enough(counts)
    return METHODS[method](source, counts, settings or Settings(), now.isoformat(timespec="seconds"))


def _check_enough(counts: Counts) -> None:
    if len(counts.models) == 1:
        raise TooFewModelsError(f"only one model has votes ({counts.models[0]!r}); a rating compares at least two")
    if counts.used == 0:
        reasons = ", ".join(f"{n} {reason}" for reason, n in counts.left_out.items())
        raise NoVotesError(
            f"no votes to rate by: read {counts.read}{f', left out {reasons}' if reasons else ''}; "
            "collect some votes first"
        )


def _bradley_terry_board(source: Counts | Votes, counts: Counts, settings: Settings, created: str) -> Leaderboard:
    result = fit(counts, both_bad=settings.both_bad)
    shown = has_spread(result)
    strengths, joint = centre_on(shown, result.strengths, covariance(result))
    lower, upper = intervals(strengths, np.diag(joint), settings.confidence)
    statuses = list(result.status)
    for model in result.rated[~shown]:
        statuses[model] = NO_SPREAD
    numbers = np.full((len(counts.models), 4), np.nan)  # rating, lower, upper, rank
    numbers[result.rated[shown], :3] = to_points(np.stack([strengths, lower, upper], axis=1))
    numbers[result.rated[shown], 3] = marginal_ranks(strengths, joint, settings.confidence)
    described: dict[str, str | float] = {
        "ties": "half a win each",
        "both_bad": settings.both_bad,
        "confidence": settings.confidence,
        "interval": "sandwich, each model on its own",
        "rank": "1 + models whose difference is surely above zero, each pair on its own",
    }
    return _board("bradley-terry", created, described, counts, result.left_out, statuses, numbers)


def _elo_board(source: Counts | Votes, counts: Counts, settings: Settings, created: str) -> Leaderboard:
    if not isinstance(source, Votes):
        raise SettingsError("elo depends on the order of the votes and cannot be computed from counts")
    ratings = elo(source, k=settings.k, both_bad=settings.both_bad)
    games, bad = _tallies(counts)[:, [0, 4]].T
    dropped = bad if settings.both_bad == "drop" else 0 * bad
    is_rated = games > dropped
    statuses = [
        RATED if rated else (ONLY_DROPPED if n > 0 else NO_VOTES) for rated, n in zip(is_rated, games, strict=True)
    ]
    numbers = np.full((len(counts.models), 4), np.nan)
    numbers[is_rated, 0] = ratings[is_rated]
    numbers[is_rated, 3] = 1 + (ratings[is_rated] > ratings[is_rated][:, None]).sum(axis=1)
    left_out = dict(counts.left_out)
    if dropped.any():
        left_out[BOTH_BAD_DROPPED] = int(dropped.sum()) // 2  # each stands with both its models
    described: dict[str, str | float] = {
        "ties": "half a win each",
        "both_bad": settings.both_bad,
        "k": settings.k,
        "interval": "none: online Elo depends on the order of the votes and has no interval",
        "rank": "position by rating, as there is no interval",
    }
    return _board("elo", created, described, counts, left_out, statuses, numbers)


METHODS: dict[str, Callable[[Counts | Votes, Counts, Settings, str], Leaderboard]] = {
    "bradley-terry": _bradley_terry_board,
    "elo": _elo_board,
}


def _board(
    method: str,
    created: str,
    settings: dict[str, str | float],
    counts: Counts,
    left_out: dict[str, int],
    statuses: list[str],
    numbers: NDArray[np.float64],
) -> Leaderboard:
    """Put together the rows; `numbers` is (K, 4) rating, lower, upper and rank, NaN for none."""
    lines = zip(counts.models, statuses, numbers, _tallies(counts), strict=True)
    rows = [_row(model, status, line, tally) for model, status, line, tally in lines]
    rows.sort(key=lambda row: (row.rating is None, -(row.rating or 0.0), row.model))
    scale: dict[str, str | float] = {"centre": CENTRE, "points for odds of ten to one": POINTS_PER_TENFOLD}
    return Leaderboard(
        created=created,
        method=method,
        settings=settings | scale,
        read=counts.read,
        used=counts.read - sum(left_out.values()),
        left_out=left_out,
        simulated=counts.simulated,
        rows=tuple(rows),
    )


def _row(model: str, status: str, numbers: NDArray[np.float64], tally: NDArray[np.float64]) -> Row:
    rating, lower, upper, rank = (float(n) if np.isfinite(n) else None for n in numbers)
    votes, wins, losses, ties, both_bad = (int(n) for n in tally)
    return Row(
        model=model,
        status=status,
        rating=rating,
        lower=lower,
        upper=upper,
        rank=None if rank is None else int(rank),
        votes=votes,
        wins=wins,
        losses=losses,
        ties=ties,
        both_bad=both_bad,
    )


def _tallies(counts: Counts) -> NDArray[np.float64]:
    """Return (K, 5) votes, wins, losses, ties and both bad of each model."""
    tallies = np.zeros((len(counts.models), 5))
    for side, columns in ((0, (0, 1, 2, 3)), (1, (1, 0, 2, 3))):  # B's wins are A's losses
        np.add.at(tallies[:, 1:], counts.pairs[:, side], counts.outcomes[:, columns])
    tallies[:, 0] = tallies[:, 1:].sum(axis=1)
    return tallies


def _cells(row: Row) -> tuple[str, ...]:
    rating = "-" if row.rating is None else f"{row.rating:.0f}"
    interval = "-" if row.lower is None or row.upper is None else f"{row.lower:.0f} to {row.upper:.0f}"
    tallies = (row.votes, row.wins, row.losses, row.ties, row.both_bad)
    note = "" if row.status == RATED else row.status
    # A name may hold line breaks or terminal escapes.
    name = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in row.model)
    return ("-" if row.rank is None else str(row.rank), name, rating, interval, *map(str, tallies), note)
