"""Numbers to ranked rows, together with the settings that made them.

A board states what it rests on: how many votes were read, used and left out and why, how many were
simulated, and every choice that moved a number. A model without a rating keeps its row, and its status explains why.

A rank is one more than the number of models that are surely better, by intervals that hold for all
models at once (ranks.py); the worst rank a model may have stands beside it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from common.words import plural
from ratings.board.columns import BoardRow, make_row
from ratings.board.estimate import Estimate, estimate
from ratings.board.groups import Group, groups_of, votes_among
from ratings.board.settings import Settings as Settings
from ratings.board.words import Words, describe
from ratings.choices import Method
from ratings.errors import NoVotesError, SettingsError, TooFewModelsError
from ratings.fit.bradley_terry import BOTH_BAD_DROPPED
from ratings.fit.data import UNRATED_OPPONENT
from ratings.fit.elo import elo
from ratings.fit.existence import NO_VOTES, ONLY_DROPPED, RATED
from ratings.intervals.differences import anchor_shift
from ratings.scale import POINTS_PER_NAT, to_points
from ratings.votes.clusters import ClusterSizes
from ratings.votes.counts import Counts, count
from ratings.votes.shares import BAD, LOST, TIED, WON
from ratings.votes.votes import Votes

if TYPE_CHECKING:
    import pandas as pd

OTHER_GROUP = "battle within another group"

METHODS: tuple[str, ...] = get_args(Method)
"""What `build` knows."""


@dataclass(frozen=True)
class Leaderboard:
    """Rows by rating, best first, then those without one by name."""

    created: str
    """ISO 8601, with its offset from UTC."""
    method: str
    settings: Settings
    read: int
    """Rows read: always used plus all that were left out."""
    used: int
    """Votes that entered the ratings."""
    left_out: dict[str, int]
    """Rows that did not, by reason."""
    simulated: int | None
    """Usable votes that were cast by a program; None where that is not known of a part of them."""
    rows: tuple[BoardRow, ...]
    is_weighted: bool = False
    """Whether each vote weighs 1 / (chance of its pair)."""
    held_equal: tuple[str, ...] = ()
    """Covariates beside the models, such as the length of the replies."""
    notes: tuple[str, ...] = ()
    """Sentences on its intervals: which votes they take together, and why."""
    groups: tuple["Leaderboard", ...] = ()
    """Boards of the other groups of models, which no chain of votes compares with this one; most votes first."""

    @property
    def every(self) -> tuple["Leaderboard", ...]:
        """Return this board and those of the other groups."""
        return (self, *self.groups)

    @property
    def all_rows(self) -> tuple[BoardRow, ...]:
        """Return the rows of all groups, group by group."""
        return tuple(row for board in self.every for row in board.rows)

    def to_json_dict(self) -> dict[str, Any]:
        """Return the content of leaderboard.json: text, ints, finite floats and nulls only."""
        return {
            "created": self.created,
            "method": self.method,
            "settings": self.words(),
            "votes": {
                "read": self.read,
                "used": self.used,
                "left_out": dict(self.left_out),
                "simulated": self.simulated,
            },
            "rows": [asdict(row) for row in self.rows],
            "components": [board.to_json_dict() for board in self.groups],
        }

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per model, with the fields of `BoardRow`; missing numbers are NA, ranks whole."""
        import pandas as pd

        kinds: dict[Any, str] = {float | None: "Float64", int | None: "Int64"}
        columns = {field.name: kinds.get(field.type) for field in fields(BoardRow)}
        frame = pd.DataFrame([asdict(row) for row in self.all_rows], columns=list(columns))
        return frame.astype({name: kind for name, kind in columns.items() if kind})

    def words(self) -> Words:
        """Return every choice that moved a number, by name, in words."""
        return describe(self.method, self.settings, is_weighted=self.is_weighted, held_equal=self.held_equal)

    def summary(self) -> str:
        """Return one line: method, votes read, used, left out by reason, and simulated."""
        left_out = ", ".join(f"{reason}: {n}" for reason, n in self.left_out.items())
        return (
            f"{self.method}: {plural(self.read, 'vote')} read, {self.used} used, "
            f"{self.read - self.used} left out{f' ({left_out})' if left_out else ''}, "
            f"{'an unknown number' if self.simulated is None else self.simulated} simulated"
        )

    @property
    def rated(self) -> list[str]:
        """Return the models of this group; those without a rating are on its board for want of another."""
        return [row.model for row in self.rows if row.rating is not None] or [row.model for row in self.rows]

    def headings(self) -> tuple[str, ...]:
        """Return a line for the board of each group, "group 1 of 2: x and y, 210 votes", or "" where there is one."""
        boards = self.every
        if len(boards) == 1:
            return ("",)
        return tuple(
            f"group {place} of {len(boards)}: {listing(board.rated)}, {plural(board.used, 'vote', commas=True)}"
            for place, board in enumerate(boards, 1)
        )


def build(
    source: Counts | Votes,
    method: str,
    settings: Settings | None = None,
    *,
    now: datetime,
    earlier: Leaderboard | None = None,
    votes: Votes | None = None,
    voters: ClusterSizes | None = None,
) -> Leaderboard:
    """Return the board of `source` by one of METHODS, stamped with `now`.

    Elo depends on the order of the votes, so it takes `Votes`, as do clustered intervals; all else takes
    either. Beside counts may stand the `votes` that were counted, or how they are spread over the `voters`. From an
    `earlier` board a fit by half a win each starts closer to its end, which is all it is for.
    Raises NoVotesError, TooFewModelsError, SettingsError, or NotConvergedError. A model that
    cannot be rated is no error: the status of its row explains why.
    """
    settings = with_method(settings or Settings(), method)
    votes = source if isinstance(source, Votes) else votes
    counts = count(source) if isinstance(source, Votes) else source
    check_enough(counts)
    created = now.isoformat(timespec="seconds")
    rows = earlier.all_rows if earlier else ()
    start = {row.model: row.rating / POINTS_PER_NAT for row in rows if row.rating is not None}

    def make(counts: Counts, votes: Votes | None, settings: Settings) -> Leaderboard:
        if method == "elo":
            return elo_board(votes, counts, settings, created)
        found = estimate(counts, settings, votes=votes, start=start, voters=voters)
        return rated_board(found, counts, settings, created)

    groups = groups_of(counts, settings, method)
    return with_groups(make(counts, votes, first_settings(groups, settings)), groups, votes, settings, make)


Make = Callable[[Counts, Votes | None, Settings], Leaderboard | None]
"""Returns the board of some of the votes, or None where there is none."""


def with_groups(
    board: Leaderboard, groups: Sequence[Group], votes: Votes | None, settings: Settings, make: Make
) -> Leaderboard:
    """Return the board with those of the other groups beside it, each of the votes among its models alone.

    `board` is of all votes. A group that `make` has no board of, or in which nobody is rated, stays on it.
    """
    made: list[tuple[Group, Leaderboard]] = []
    for group in groups[1:]:
        inside = None if votes is None else votes_among(votes, group.models)
        other = make(group.counts, inside, anchored(settings, group.rated))
        if other is not None and any(row.rating is not None for row in other.rows):
            made.append((group, other))
    if not made:
        return board
    simulated = _simulated_of_part(board) if votes is None else None
    others = [
        replace(
            other,
            rows=tuple(replace(row, group=place) for row in other.rows),
            simulated=simulated(other.used) if simulated else other.simulated,
        )
        for place, (_, other) in enumerate(made, 2)
    ]
    elsewhere = {model for group, _ in made for model in group.models}
    rows = tuple(row for row in board.rows if row.model not in elsewhere)
    used = sum(other.used for other in others)
    if board.method == "elo":
        rows, counted = _ranked_anew(rows), used
    else:
        counted = 0
    left_out = Counter(board.left_out)
    left_out[UNRATED_OPPONENT] -= used - counted
    left_out[OTHER_GROUP] += used
    return replace(
        board,
        rows=rows,
        used=board.used - counted,
        left_out={reason: n for reason, n in left_out.items() if n},
        groups=tuple(others),
    )


def anchored(settings: Settings, rated: Sequence[str]) -> Settings:
    """Return the settings without their anchor where it is not among the rated models of a group."""
    is_elsewhere = settings.anchor and settings.anchor[0] not in rated
    return replace(settings, anchor=None) if is_elsewhere else settings


def first_settings(groups: Sequence[Group], settings: Settings) -> Settings:
    """Return the settings for the first group, without an anchor that stands in another one."""
    if settings.anchor and any(settings.anchor[0] in group.rated for group in groups[1:]):
        return replace(settings, anchor=None)
    return settings


def _simulated_of_part(board: Leaderboard) -> Callable[[int], int | None]:
    """Return how many of the votes of a part are simulated, which is only known where all are or none is."""
    if not board.simulated:
        return lambda used: 0
    usable = board.read - sum(n for reason, n in board.left_out.items() if reason != UNRATED_OPPONENT)
    return lambda used: used if board.simulated == usable else None


def _ranked_anew(rows: tuple[BoardRow, ...]) -> tuple[BoardRow, ...]:
    """Return rows of online Elo with their positions among themselves."""
    known = np.array([row.rating for row in rows if row.rating is not None])
    ranks = [None if row.rating is None else 1 + int((known > row.rating).sum()) for row in rows]
    return tuple(replace(row, rank=rank, rank_lower=rank) for row, rank in zip(rows, ranks, strict=True))


def listing(models: Sequence[str]) -> str:
    """Return "a, b and c", or the first few and how many more there are."""
    if len(models) > 4:
        return f"{', '.join(models[:3])} and {len(models) - 3} others"
    return " and ".join([", ".join(models[:-1]), models[-1]]) if len(models) > 1 else "".join(models)


def with_method(settings: Settings, method: str) -> Settings:
    """Return the settings under this method; raise SettingsError where it is unknown or they contradict it."""
    if method not in METHODS:
        raise SettingsError(f"method is {method!r}; choose one of {', '.join(METHODS)}")
    if method == "elo" and settings.ties != "half":
        raise SettingsError(f"elo shares a tie out by half and cannot have ties {settings.ties!r}")
    if method == "davidson" and settings.ties == "drop":
        raise SettingsError("davidson rates by the ties and cannot drop them")
    return replace(settings, ties="davidson") if method == "davidson" else settings


def check_enough(counts: Counts) -> None:
    """Raise TooFewModelsError or NoVotesError where nobody could be rated whatever the method."""
    if len(counts.models) == 1:
        raise TooFewModelsError(f"only one model has votes ({counts.models[0]!r}); a rating compares at least two")
    if counts.used == 0:
        reasons = ", ".join(f"{n} {reason}" for reason, n in counts.left_out.items())
        raise NoVotesError(
            f"no votes to rate by: read {counts.read}{f', left out {reasons}' if reasons else ''}; "
            "collect some votes first"
        )


def rated_board(found: Estimate, counts: Counts, settings: Settings, created: str) -> Leaderboard:
    """Return the board of an estimate from these counts. Raises SettingsError where the anchor has no rating."""
    shift = anchor_shift(found.names, found.strengths, *settings.anchor) if settings.anchor else 0.0
    numbers = np.full((len(counts.models), 5), np.nan)
    numbers[found.shown, :3] = to_points(np.stack([found.strengths, found.lower, found.upper], axis=1)) + shift
    numbers[found.shown, 3:] = np.stack([found.best, found.worst], axis=1)
    method = "davidson" if settings.ties == "davidson" else "bradley-terry"
    carried_out = replace(settings, interval=found.settings.interval, cluster=found.settings.cluster)
    board = _board(method, created, carried_out, counts, found.left_out, list(found.status), numbers)
    return replace(board, notes=found.notes)


def elo_board(votes: Votes | None, counts: Counts, settings: Settings, created: str) -> Leaderboard:
    """Return the board of online Elo after these votes, whose counts are `counts`."""
    if votes is None:
        raise SettingsError("elo depends on the order of the votes and cannot be computed from counts")
    ratings = elo(votes, k=settings.k, both_bad=settings.both_bad)
    games, bad = _votes_by_kind(counts)[:, [0, 4]].T
    dropped = bad if settings.both_bad == "drop" else 0 * bad
    is_rated = games > dropped
    if settings.anchor:
        ratings += _elo_shift(counts.models, ratings, is_rated, *settings.anchor)
    statuses = [
        RATED if rated else (ONLY_DROPPED if n > 0 else NO_VOTES) for rated, n in zip(is_rated, games, strict=True)
    ]
    numbers = np.full((len(counts.models), 5), np.nan)
    numbers[is_rated, 0] = ratings[is_rated]
    numbers[is_rated, 3] = 1 + (ratings[is_rated] > ratings[is_rated][:, None]).sum(axis=1)
    left_out = dict(counts.left_out)
    if dropped.any():
        left_out[BOTH_BAD_DROPPED] = int(dropped.sum()) // 2  # each stands with both its models
    return _board("elo", created, settings, counts, left_out, statuses, numbers)


def _elo_shift(
    models: tuple[str, ...], ratings: NDArray[np.float64], is_rated: NDArray[np.bool_], name: str, points: float
) -> float:
    rated = [model for model, has in zip(models, is_rated, strict=True) if has]
    if name not in rated:
        raise SettingsError(f"anchor {name!r} is not a rated model; choose one of {', '.join(rated)}")
    return float(points - ratings[models.index(name)])


def _board(
    method: str,
    created: str,
    settings: Settings,
    counts: Counts,
    left_out: dict[str, int],
    statuses: list[str],
    numbers: NDArray[np.float64],
) -> Leaderboard:
    """Put together the rows; `numbers` is (K, 5) rating, lower, upper, best and worst rank, NaN for none."""
    lines = zip(counts.models, statuses, numbers, _votes_by_kind(counts), strict=True)
    rows = [make_row(*line) for line in lines]
    rows.sort(key=lambda row: (row.rating is None, -(row.rating or 0.0), row.model))
    return Leaderboard(
        created=created,
        method=method,
        settings=settings,
        read=counts.read,
        used=counts.read - sum(left_out.values()),
        left_out=left_out,
        simulated=counts.simulated,
        rows=tuple(rows),
        is_weighted=counts.weights is not None and method != "elo",
    )


def _votes_by_kind(counts: Counts) -> NDArray[np.float64]:
    """Return (K, 5) votes, wins, losses, ties and both bad of each model."""
    won, lost = WON > LOST, LOST > WON
    votes = np.zeros((len(counts.models), 5))
    for side, kinds in ((0, (won, lost, TIED, BAD)), (1, (lost, won, TIED, BAD))):  # B's wins are A's losses
        for place, kind in enumerate(kinds, 1):
            votes[:, place] += np.bincount(counts.pairs[:, side], counts.outcomes @ kind, len(votes))
    votes[:, 0] = votes[:, 1:].sum(axis=1)
    return votes
