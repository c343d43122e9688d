"""Votes for a board, from a file, the arena's ledger, a frame or rows."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ratings.errors import VotesError
from ratings.outcomes import Outcome

if TYPE_CHECKING:
    import pandas as pd

    from ratings.files.naming import Naming
    from ratings.report.provenance import Provenance
    from ratings.report.sources import Needs, Source
    from ratings.votes.counts import Counts
    from ratings.votes.votes import Votes

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
    files: tuple[Path, ...] = ()
    """Those that it was read from."""

    @property
    def provenance(self) -> "Provenance":
        """Return where the votes came from, with the file that can be hashed."""
        from ratings.report.provenance import Provenance, source_of

        if self.files:
            return source_of(self.files)
        return Provenance(f"the ledger {self.origin}" if is_ledger(Path(self.origin)) else self.origin)

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


def read_votes(
    votes: AnyVotes, *, columns: Mapping[str, str] | None = None, outcomes: Mapping[str, str] | str | None = None
) -> VoteSet:
    """Return votes to rate, with the rows that cannot be used counted by reason.

    Takes the path of a JSON, JSON Lines, CSV or Parquet file, a list of them, a pattern, or the arena's ledger; a frame
    or a dict of columns, with those of any published data set, such as model_a, model_b and winner; or rows, each
    a tuple (model_a, model_b, outcome) or a dict of such columns. `columns` and `outcomes` say what others mean, as the
    options of that name do: {"winner": "verdict"}, {"same": "tie"}, or "names". Raises VotesError where there are no
    votes to read, UnknownOutcomeError for an outcome of unknown spelling, and SettingsError for a naming of no sense.
    """
    if isinstance(votes, VoteSet):
        return votes
    from ratings.files.naming import naming_of

    naming = naming_of(columns or {}, outcomes or {})
    if isinstance(votes, str | os.PathLike):
        return _read_path(Path(votes), naming)
    if isinstance(votes, list | tuple) and votes and all(isinstance(one, str | os.PathLike) for one in votes):
        return _read_files([Path(one) for one in votes], naming)
    from ratings.files.frames import read_frame

    frame, origin = _as_frame(votes)
    held = read_frame(frame, naming=naming, keep_left_out=True)
    return VoteSet(origin, partial(_source_of, held, origin))


def _read_path(path: Path, naming: "Naming") -> VoteSet:
    from ratings.report.sources import Needs, read_ledger_source

    if is_ledger(path):
        read_ledger_source(path, Needs())  # what is wrong with it is reported now
        return VoteSet(str(path), partial(read_ledger_source, path))
    return _read_files([path], naming)


def _read_files(paths: Sequence[Path], naming: "Naming") -> VoteSet:
    from ratings.files.read import expand
    from ratings.report.sources import Needs, read_file_source

    most = Needs(votes=True, voters=True)
    held = read_file_source(paths, most, naming).votes
    assert held is not None
    origin = ", ".join(map(str, paths))

    def source(needs: "Needs") -> "Source":
        is_more = needs.left_out or needs.styles or not needs.details <= most.details
        return read_file_source(paths, needs, naming) if is_more else _source_of(held, origin, needs)

    return VoteSet(origin, source, tuple(expand(paths)))


def is_ledger(path: Path) -> bool:
    """Return whether a file is a ledger of the arena's kind, a SQLite database."""
    try:
        with path.open("rb") as file:
            return file.read(15) == b"SQLite format 3"
    except OSError:
        return False  # the reader of files says why


def _source_of(votes: "Votes", origin: str, needs: "Needs") -> "Source":
    """Return votes that are held in memory as the source of a report."""
    from ratings.report.sources import Source, weigh
    from ratings.votes.counts import ALL, count, count_by_category

    boards = count_by_category(votes) if needs.categories else {}
    boards[ALL] = weigh(origin, votes) if needs.weights else count(votes)
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
    if not frame.columns.is_unique:
        raise VotesError(f"{origin}: column {frame.columns[frame.columns.duplicated()][0]!r} stands twice; rename one")
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
