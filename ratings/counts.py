"""Votes to counts of (side a, side b, outcome): the only pass over the votes, and the only SQL.

Everything that rates models works on these counts, so its cost depends on the number of models and
not of votes. The ledger is aggregated where it lies by one GROUP BY, which a covering index on
(model_a, model_b, outcome, source) answers without touching the table. Only online Elo, which
depends on the order of the votes, asks for them one by one.

The ledger is opened read-only. Its table, `votes(battle_id, created, visitor, model_a, model_b,
outcome, probability, source)`, and its view, `preferences(battle_id, created, prompt, reply_a,
reply_b, model_a, model_b, outcome, source)`, belong to the arena. `source` is 'human' or 'simulated'.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.errors import UnknownOutcomeError, VotesError
from ratings.outcomes import OUTCOMES, Outcome, parse_outcome
from ratings.votes import Record, Votes, collect, fault, is_blank, sort_models

SOURCES = {"human": False, "simulated": True}
"""Who may have cast a vote, and whether it was a program."""

_VOTE_COLUMNS = ("model_a", "model_b", "outcome", "source")
_PREFERENCE_COLUMNS = ("battle_id", "prompt", "reply_a", "reply_b", "outcome", "source")


@dataclass(frozen=True)
class Counts:
    """How often each outcome occurred for each ordered pair of K models."""

    models: tuple[str, ...]
    """All models, sorted; some may have no usable vote."""
    pairs: NDArray[np.int64]
    """(n_pairs, 2) indices into `models`: side a, side b as shown to the voters, each pair once."""
    outcomes: NDArray[np.float64]
    """(n_pairs, 4) number of votes for A wins, B wins, tie, both bad."""
    read: int
    """Rows read, usable or not."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows left out, by reason."""
    simulated: int = 0
    """How many of the usable votes were cast by a program."""

    @property
    def used(self) -> int:
        """Return the number of usable votes."""
        return round(float(self.outcomes.sum()))

    def matrix(self, outcome: Outcome) -> NDArray[np.float64]:
        """Return (K, K) votes with this outcome; rows are side a, columns side b."""
        square = np.zeros((len(self.models), len(self.models)))
        np.add.at(square, (self.pairs[:, 0], self.pairs[:, 1]), self.outcomes[:, outcome.code])
        return square


class Preference(NamedTuple):
    """One vote of the ledger with the texts it was about."""

    battle_id: str
    prompt: str | None
    reply_a: str | None
    reply_b: str | None
    outcome: Outcome | None
    source: str


def count(votes: Votes) -> Counts:
    """Return the counts of `votes`; their order no longer matters."""
    pairs, place = np.unique(np.stack([votes.a, votes.b], axis=1), axis=0, return_inverse=True)
    outcomes = np.zeros((len(pairs), len(OUTCOMES)))
    np.add.at(outcomes, (place.reshape(-1), votes.outcome), 1.0)
    return Counts(votes.models, pairs, outcomes, votes.read, dict(votes.left_out), votes.simulated)


def read_ledger(path: Path, roster: tuple[str, ...] = ()) -> Counts:
    """Return the counts of the vote ledger at `path`, aggregated by SQLite.

    Models of the `roster` are included even without a vote. Raises VotesError where the file is no
    ledger and UnknownOutcomeError for an outcome that is not known.
    """
    index = {name: number for number, name in enumerate(dict.fromkeys(roster))}
    cells: dict[tuple[str | None, str | None], list[int]] = {}
    left_out: Counter[str] = Counter()
    read = simulated = 0
    for record, n in _read_groups(path):
        read += n
        for name in (record.model_a, record.model_b):
            if name is not None and not is_blank(name):
                index.setdefault(name, len(index))
        reason = fault(record.model_a, record.model_b, record.outcome)
        if reason is not None or record.outcome is None:
            left_out[str(reason)] += n
            continue
        simulated += n * record.is_simulated
        cells.setdefault((record.model_a, record.model_b), [0] * len(OUTCOMES))[record.outcome.code] += n
    models, place = sort_models(index)
    numbers = [[index[str(a)], index[str(b)]] for a, b in cells]
    pairs = place[np.array(numbers, dtype=np.int64).reshape(-1, 2)]
    outcomes = np.array(list(cells.values()), dtype=np.float64).reshape(-1, len(OUTCOMES))
    return Counts(models, pairs, outcomes, read, dict(left_out), simulated)


def read_ledger_votes(path: Path) -> Votes:
    """Return the votes of the ledger at `path` in the order they were stored.

    Raises VotesError where the file is no ledger and UnknownOutcomeError for an unknown outcome.
    """
    with _open(path, "votes", _VOTE_COLUMNS) as ledger:
        return collect(_read_rows(path, ledger))


def read_preferences(path: Path) -> Iterator[Preference]:
    """Yield every vote of the ledger at `path` with its prompt and replies, oldest first.

    Raises VotesError where the file is no ledger and UnknownOutcomeError for an unknown outcome.
    """
    columns = ", ".join(_PREFERENCE_COLUMNS)
    with _open(path, "preferences", _PREFERENCE_COLUMNS) as ledger:
        for row in ledger.execute(f"SELECT {columns} FROM preferences ORDER BY created, battle_id"):
            battle_id, prompt, reply_a, reply_b, outcome, source = row
            try:
                said = parse_outcome(outcome) if outcome else None
                _is_simulated(source)
            except VotesError as problem:
                raise _locate(problem, f"{path}: battle {battle_id}") from None
            yield Preference(battle_id, prompt, reply_a, reply_b, said, source)


def _read_groups(path: Path) -> Iterator[tuple[Record, int]]:
    """Yield each distinct (side a, side b, outcome, source) of the ledger and its number of votes."""
    columns = ", ".join(_VOTE_COLUMNS)
    with _open(path, "votes", _VOTE_COLUMNS) as ledger:
        for *row, n in ledger.execute(f"SELECT {columns}, count(*) FROM votes GROUP BY {columns}"):
            try:
                record = _record(*row)
            except VotesError as problem:
                raise _locate(problem, f"{path}: {n} votes on {row[0]} against {row[1]}") from None
            yield record, n


def _read_rows(path: Path, ledger: sqlite3.Connection) -> Iterator[Record]:
    columns = ", ".join(_VOTE_COLUMNS)
    for *row, number in ledger.execute(f"SELECT {columns}, rowid FROM votes ORDER BY rowid"):
        try:
            record = _record(*row)
        except VotesError as problem:
            raise _locate(problem, f"{path}: row {number}") from None
        yield record


def _record(a: str | None, b: str | None, outcome: str | None, source: str) -> Record:
    for name in (a, b):
        if name is not None and not isinstance(name, str):
            raise VotesError(f"model {name!r} is not text; mend the ledger")
    return Record(a, b, parse_outcome(outcome) if outcome else None, None, _is_simulated(source))


def _is_simulated(source: str) -> bool:
    try:
        return SOURCES[source]
    except KeyError:
        raise VotesError(f"source {source!r} is none of {', '.join(SOURCES)}; mend the ledger") from None


def _locate(problem: VotesError, where: str) -> VotesError:
    """Return the same error with the file and row it was met in."""
    if isinstance(problem, UnknownOutcomeError):
        return UnknownOutcomeError(problem.value, where)
    return VotesError(f"{where}: {problem}")


@contextmanager
def _open(path: Path, table: str, columns: tuple[str, ...]) -> Iterator[sqlite3.Connection]:
    """Open the ledger read-only and check that `table` has `columns`; SQLite's errors become ours."""
    if not path.is_file():
        raise VotesError(f"{path}: {'is a directory' if path.is_dir() else 'no such file'}; expected a ledger")
    try:
        # as_uri quotes '?' and '#', which would otherwise end the path.
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as ledger:
            found = [row[1] for row in ledger.execute(f"PRAGMA table_info({table})")]
            if missing := [column for column in columns if column not in found]:
                what = f"lacks {', '.join(missing)}" if found else "does not exist"
                raise VotesError(f"{path}: {table} {what}; is this the arena's ledger of votes?")
            yield ledger
    except sqlite3.Error as problem:
        raise VotesError(f"{path}: cannot be read as a ledger of votes: {problem}") from None
