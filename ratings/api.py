"""The ratings from Python: read votes, rate them, compare two models, choose the next battle.

``import ratings`` offers these names, and docs/python.md shows them. Options have the names, defaults and limits of
the commands. What cannot be done raises a RatingsError, whose message is one line.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ratings.errors import SettingsError, VotesError
from ratings.outcomes import BothBad, Outcome, Ties

if TYPE_CHECKING:
    import pandas as pd

    from ratings.board.leaderboard import Leaderboard, Row
    from ratings.report.build import Request
    from ratings.report.report import Report
    from ratings.report.sources import Needs, Source
    from ratings.votes.counts import Counts
    from ratings.votes.votes import Votes

Method = Literal["bradley-terry", "davidson", "elo"]
Answer = Literal["first", "second", "undecided", "too early"]

VoteRow: TypeAlias = tuple[str | None, str | None, Outcome | str | None] | Mapping[str, Any]
"""Model on side A, model on side B, outcome; or the same by the columns of a published data set."""

AnyVotes: TypeAlias = (
    "VoteSet | str | os.PathLike[str] | pd.DataFrame | Mapping[str, Sequence[Any]] | Iterable[VoteRow]"
)
"""All that `read_votes` reads."""


@dataclass(frozen=True, repr=False)
class VoteSet:
    """The votes of one file, ledger, frame or list of rows, as `read_votes` returns them.

    Files, frames and rows are read once. A ledger is read again at each use, so that a later board has the votes
    cast until then.
    """

    origin: str
    """The file, "frame" or "rows"."""
    source: Callable[["Needs"], "Source"]
    """Returns the votes in as much detail as a report needs."""

    @property
    def counts(self) -> "Counts":
        """Return how often each outcome occurred for each pair of models."""
        return self._source().counts

    @property
    def models(self) -> tuple[str, ...]:
        """Return the names of all models, sorted."""
        return self.counts.models

    @property
    def left_out(self) -> dict[str, int]:
        """Return the number of rows that cannot be used, by reason."""
        return dict(self.counts.left_out)

    @property
    def left_out_rows(self) -> tuple[tuple[str, str], ...]:
        """Return (place, reason) of each row that cannot be used."""
        votes = self._source(votes=True, left_out=True).votes
        return votes.left_out_rows if votes else ()

    def __len__(self) -> int:
        """Return the number of usable votes."""
        return self.counts.used

    def __repr__(self) -> str:
        """Return one line: how many votes and models there are, and how many rows were left out and why."""
        counts = self.counts
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in counts.left_out.items())
        left_out = f"{sum(counts.left_out.values()):,} left out{f' ({reasons})' if reasons else ''}"
        simulated = f", {counts.simulated:,} simulated" if counts.simulated else ""
        return f"{self.origin}: {counts.used:,} votes on {len(counts.models):,} models, {left_out}{simulated}"

    def _source(self, **needs: bool) -> "Source":
        from ratings.report.sources import Needs

        return self.source(Needs(**needs))


def read_votes(votes: AnyVotes) -> VoteSet:
    """Return votes to rate, with the rows that cannot be used counted by reason.

    Takes the path of a JSON, JSON Lines, CSV or Parquet file or of the arena's ledger; a pandas frame, or a dict of
    columns, with the columns of any published data set, such as model_a, model_b and winner; or rows, each a tuple
    (model_a, model_b, outcome) or a dict of such columns. Raises VotesError where there are no votes to read, and
    UnknownOutcomeError for an outcome of unknown spelling.
    """
    if isinstance(votes, VoteSet):
        return votes
    if isinstance(votes, str | os.PathLike):
        return _read_path(Path(votes))
    from ratings.votes.columnar import read_frame

    frame, origin = _as_frame(votes)
    held = read_frame(frame, keep_left_out=True)
    return VoteSet(origin, partial(_source_of, held, origin))


@dataclass(frozen=True, repr=False)
class Board:
    """A leaderboard and all that was computed beside it, as `rate` returns them.

    It prints what ``python -m ratings.compute`` prints; a notebook shows the table.
    """

    report: "Report"

    @property
    def leaderboard(self) -> "Leaderboard":
        """Return the rows together with their settings and the numbers of votes."""
        return self.report.board

    @property
    def rows(self) -> tuple["Row", ...]:
        """Return one row per model: by rating, best first, then those without one by name."""
        return self.leaderboard.rows

    @property
    def notes(self) -> tuple[str, ...]:
        """Return a sentence for each thing that could not be computed, or only in another way."""
        return self.report.notes

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per model with the columns of leaderboard.csv; missing numbers are NA."""
        return self.leaderboard.to_frame()

    def win_chances(self) -> "pd.DataFrame":
        """Return (R, R) the chance that the row's model wins against the column's in a battle that is decided."""
        import numpy as np
        import pandas as pd

        from ratings.scale import POINTS_PER_TENFOLD

        rated = {row.model: row.rating for row in self.rows if row.rating is not None}
        points = np.array(list(rated.values()))
        chances = 1 / (1 + 10 ** ((points - points[:, None]) / POINTS_PER_TENFOLD))
        return pd.DataFrame(chances, index=list(rated), columns=list(rated))

    def to_json(self) -> str:
        """Return the content of leaderboard.json: the board and everything beside it, as strict JSON."""
        from ratings.report.json import to_json

        return to_json(self.report)

    def to_html(self) -> str:
        """Return the whole page, which needs no network and no other file."""
        from ratings.report.html.page import report_html

        return report_html(self.report)

    def write(self, folder: str | os.PathLike[str], *, png: bool = False) -> list[Path]:
        """Keep a snapshot under the folder as ``--out`` does: JSON, CSV and the page; return the files.

        The page says what changed since the snapshot before. Raises OutputError where the folder cannot be written.
        """
        from ratings.report.publish import publish, since_latest

        root = Path(folder)
        return publish(since_latest(self.report, root), root, now=datetime.now(UTC), png=png)

    def __repr__(self) -> str:
        """Return the board and what stands beside it as the command prints them."""
        from ratings.report.text import report_text

        return report_text(self.report)

    def _repr_html_(self) -> str:
        """Return the board as a table for a notebook, with its summary and notes; every name is escaped."""
        from ratings.report.html.boards import board_table
        from ratings.report.html.elements import paragraph

        below = (self.leaderboard.summary(), *self.notes)
        return "".join([board_table(self.leaderboard), *map(paragraph, below)])


def rate(
    votes: AnyVotes,
    *,
    method: Method = "bradley-terry",
    ties: Ties | None = None,
    choose: bool = False,
    both_bad: BothBad = "tie",
    prior: float | None = None,
    weights: bool = False,
    anchor: tuple[str, float] | str | None = None,
    interval: Literal["sandwich", "clustered", "bootstrap", "sequence"] | None = None,
    cluster: Literal["voter", "prompt"] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    category: str | Iterable[str] = (),
    by: Literal["day", "week"] | None = None,
    models: str | os.PathLike[str] | None = None,
    style: bool = False,
    position: bool | None = None,
    fragility: bool | None = None,
    voters: bool = False,
    elo_shuffles: int = 0,
) -> Board:
    """Return the board of the votes, which may be anything that `read_votes` reads.

    The options are those of ``python -m ratings.compute``, whose --help describes each; an anchor is
    ("base", 1000) or "base=1000". A model that cannot be rated keeps its row, which says why. Raises NoVotesError,
    TooFewModelsError, NotConvergedError, and SettingsError for a value out of range or two options that contradict
    each other.
    """
    options = dict(locals())
    vote_set = read_votes(options.pop("votes"))
    request = _request(options)
    from ratings.report.build import make_report

    return Board(make_report(vote_set.source(request.needs), request, now=datetime.now(UTC)))


@dataclass(frozen=True, repr=False)
class ModelComparison:
    """What the votes say about two models, in Elo points, as `compare_models` returns it; prints as sentences."""

    first: str
    second: str
    points: float
    """The first model's rating minus the second's."""
    lower: float
    """Of an interval that may be looked at after every vote."""
    upper: float
    answer: Answer
    """Which is better, "undecided", or "too early" for the interval to hold."""
    votes: int
    """Votes that entered the fit."""
    met: int
    """Those between the two."""
    pair_votes: float | None
    """More votes between the two until it is decided, if the estimate is true; None for never."""
    arena_votes: float | None
    """More votes of all kinds at the present rates until then; None for never."""
    text: str

    def __repr__(self) -> str:
        """Return what ``python -m ratings.compare`` prints."""
        return self.text


def compare_models(
    votes: AnyVotes,
    first: str,
    second: str,
    *,
    confidence: float = 0.95,
    horizon: float = 1000.0,
    both_bad: BothBad = "tie",
) -> ModelComparison:
    """Return whether `first` is better than `second` so far; it may be asked after every vote.

    The options are those of ``python -m ratings.compare``. Raises SettingsError where a model is unknown or has no
    rating beside the other, and NoVotesError without a vote.
    """
    from ratings.compare import compare, describe
    from ratings.scale import POINTS_PER_NAT

    counts = read_votes(votes).counts
    result = compare(counts, first, second, confidence=confidence, horizon=horizon, both_bad=both_bad)
    return ModelComparison(
        first=first,
        second=second,
        points=POINTS_PER_NAT * result.estimate,
        lower=POINTS_PER_NAT * result.lower,
        upper=POINTS_PER_NAT * result.upper,
        answer=result.answer,  # type: ignore[arg-type]
        votes=result.used,
        met=result.met,
        pair_votes=result.pair_votes,
        arena_votes=result.arena_votes,
        text=describe(result, confidence),
    )


def next_battles(
    votes: AnyVotes,
    *,
    newcomers: Iterable[str] = (),
    confidence: float = 0.95,
    both_bad: BothBad = "tie",
    exploration: float = 0.2,
    sharpness: float = 4.0,
) -> "pd.DataFrame":
    """Return all pairs of models with the chance to draw each next, so that few votes tell many models apart.

    The columns are model_a, model_b, votes (between the two so far) and chance, the largest first;
    ``.sample(weights="chance")`` draws a battle. `newcomers` are models without a vote. A share of `exploration`
    is drawn uniformly and the rest by what one more vote is worth, to the power of `sharpness`
    (ratings/analysis/next_battle.py). Raises SettingsError and TooFewModelsError.
    """
    import numpy as np
    import pandas as pd

    from ratings.analysis.next_battle import pair_chances, vote_worth
    from ratings.board.estimate import estimate
    from ratings.board.settings import Settings

    counts = read_votes(votes).counts
    names = list(dict.fromkeys([*counts.models, *newcomers]))
    found = estimate(counts, Settings(both_bad=both_bad, confidence=confidence))
    worth = vote_worth(found.strengths, found.covariance, confidence=confidence)
    chances = pair_chances(worth, rated=found.shown, models=len(names), exploration=exploration, sharpness=sharpness)
    met = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(met, tuple(counts.pairs.T), counts.outcomes.sum(axis=1).astype(np.int64))
    first, second = np.triu_indices(len(names), 1)
    columns = {
        "model_a": [names[i] for i in first],
        "model_b": [names[i] for i in second],
        "votes": (met + met.T)[first, second],
        "chance": chances[first, second],
    }
    return pd.DataFrame(columns).sort_values("chance", ascending=False, kind="stable", ignore_index=True)


def _read_path(path: Path) -> VoteSet:
    from ratings.report.sources import Needs, read_file_source, read_ledger_source

    if _is_ledger(path):
        read_ledger_source(path, Needs())  # what is wrong with it is reported now
        return VoteSet(str(path), partial(read_ledger_source, path))
    held = read_file_source(path, Needs()).votes
    assert held is not None

    def source(needs: "Needs") -> "Source":
        is_more = needs.left_out or needs.styles or needs.weights
        return read_file_source(path, needs) if is_more else _source_of(held, str(path), needs)

    return VoteSet(str(path), source)


def _is_ledger(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(15) == b"SQLite format 3"
    except OSError:
        return False  # the reader of files says why


def _source_of(votes: "Votes", origin: str, needs: "Needs") -> "Source":
    """Return votes that are held in memory as the source of a report."""
    from ratings.report.sources import Source
    from ratings.votes.counts import ALL, count, count_by_category

    if needs.weights:
        raise VotesError(f"{origin}: the votes do not say with what chance their pair was drawn; rate without weights")
    boards = count_by_category(votes) if needs.categories else {ALL: count(votes)}
    no_styles = (
        f"{origin}: holds no replies to measure; rate the file or ledger that holds them" if needs.styles else ""
    )
    return Source(boards.pop(ALL), votes, boards, no_styles=no_styles)


def _as_frame(votes: Any) -> tuple["pd.DataFrame", str]:
    """Return a frame, columns or rows as a frame that spells its outcomes, and what to call it."""
    import pandas as pd

    origin = "frame" if isinstance(votes, pd.DataFrame | Mapping) else "rows"
    try:
        frame = votes if isinstance(votes, pd.DataFrame) else _new_frame(votes)
    except (ValueError, TypeError) as problem:
        raise VotesError(
            f"{type(votes).__name__} is not votes ({problem}); give a file, a ledger, a frame, or rows of "
            "(model_a, model_b, outcome)"
        ) from None
    if "winner" not in frame or frame["winner"].dtype != object:
        return frame, origin
    spelled = frame["winner"].map(lambda value: value.value if isinstance(value, Outcome) else value)
    return frame.assign(winner=spelled), origin


def _new_frame(votes: Any) -> "pd.DataFrame":
    import pandas as pd

    if isinstance(votes, Mapping):
        return pd.DataFrame(dict(votes))
    rows = list(votes)
    named = not rows or isinstance(rows[0], Mapping)
    return pd.DataFrame(rows, columns=None if named and rows else ["model_a", "model_b", "winner"])


def _request(options: dict[str, Any]) -> "Request":
    """Return what the options of `rate` ask for, read by the rules of the command."""
    from typing import get_args

    from ratings.analysis.over_time import Period
    from ratings.cli import parser, read_request

    if options["by"] not in (None, *get_args(Period)):
        raise SettingsError(f"by is {options['by']!r}; choose one of {', '.join(get_args(Period))}")
    category, anchor, models = (options[name] for name in ("category", "anchor", "models"))
    options["category"] = [category] if isinstance(category, str) else list(category)
    options["models"] = None if models is None else Path(models)
    if isinstance(anchor, tuple):
        options["anchor"] = f"{anchor[0]}={float(anchor[1])!r}"
    given = parser().parse_args(["--votes", ""])
    vars(given).update(options)
    try:
        return read_request(given)
    except SettingsError as problem:
        spelled = re.sub(r"--([a-z-]+)", lambda option: option[1].replace("-", "_"), str(problem))
        raise SettingsError(spelled) from None
