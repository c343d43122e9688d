"""What all readers of a ledger share: opening it, and turning its rows into numbers that are checked."""

import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings.errors import UnknownOutcomeError, VotesError
from ratings.outcomes import OUTCOMES, SPELLINGS, parse_outcome
from ratings.votes.votes import Record, parse_time

SOURCES = {"human": False, "simulated": True}
"""Who may have cast a vote, and whether it was a program."""

VOTE_COLUMNS = ("model_a", "model_b", "outcome", "source")
_CHUNK = 20_000

Read = dict[Any, int] | Callable[[Any], float] | None
"""How a column of the ledger becomes numbers; see `fetch`."""


# One number holds all of a row or group but its names: the outcome's code, or that it is missing or
# unknown, then the source, and above these bits the number of votes.
MISSING, UNKNOWN = len(OUTCOMES), len(OUTCOMES) + 1
SIMULATED = 1 << UNKNOWN.bit_length()
OUTCOME, UNKNOWN_SOURCE, BITS = SIMULATED - 1, 2 * SIMULATED, SIMULATED.bit_length() + 1
# The spellings a ledger stores come first, as the cases are tried in turn for every group.
_SPELT = {outcome.value: outcome for outcome in OUTCOMES} | SPELLINGS
_OUTCOME_SQL = " ".join(f"WHEN '{text}' THEN {outcome.code}" for text, outcome in _SPELT.items())
CODE_SQL = (
    f"(CASE outcome {_OUTCOME_SQL} WHEN '' THEN {MISSING} ELSE {MISSING} + (outcome IS NOT NULL) END"
    f" + CASE source WHEN 'human' THEN 0 WHEN 'simulated' THEN {SIMULATED} ELSE {UNKNOWN_SOURCE} END)"
)

CATEGORY_SQL = "CAST(category AS TEXT)"
"""A number is a category like any other, and one with the text of the same digits."""


UNREADABLE = -math.inf


def moment(text: Any) -> float:
    """Return seconds since 1970 of a time as text, NaN for none and UNREADABLE for what is no time."""
    try:
        seconds = parse_time(text)
    except VotesError:
        return UNREADABLE
    return math.nan if seconds is None else seconds


def number_or_nan(value: Any) -> float:
    """Return the number, NaN for none and for what is no number, which SQLite keeps in any column."""
    try:
        return math.nan if value is None else float(value)
    except (ValueError, TypeError):
        return math.nan


def fetch(cursor: sqlite3.Cursor, reads: list[Read]) -> list[NDArray[Any]]:
    """Return each column of the rows, as whole numbers, numbered by a `numbering`, or read by a function."""
    parts: list[list[NDArray[Any]]] = [[np.zeros(0, float if callable(read) else np.int64)] for read in reads]
    while rows := cursor.fetchmany(_CHUNK):  # few at a time: rows of Python objects are most of the memory
        for part, read, column in zip(parts, reads, zip(*rows, strict=True), strict=True):
            if callable(read):
                part.append(np.fromiter(map(read, column), np.float64, len(column)))
            else:
                codes = column if read is None else map(read.__getitem__, column)
                part.append(np.fromiter(codes, np.int64, len(column)))
    return [np.concatenate(part) for part in parts]


def check_codes(path: Path, ledger: sqlite3.Connection, names: list[Any], codes: NDArray[np.int64]) -> None:
    """Raise for the first row with an unknown outcome, an unknown source or a model that is not text."""
    is_bad = ((codes & OUTCOME) == UNKNOWN) | (codes & UNKNOWN_SOURCE > 0)
    if not is_bad.any() and all(isinstance(name, str) for name in names):
        return
    for *row, number in ledger.execute(f"SELECT {', '.join(VOTE_COLUMNS)}, rowid FROM votes ORDER BY rowid"):
        try:
            _record(*row)
        except VotesError as problem:
            raise locate(problem, f"{path}: row {number}") from None


def _record(a: str | None, b: str | None, outcome: str | None, source: str) -> Record:
    for name in (a, b):
        if name is not None and not isinstance(name, str):
            raise VotesError(f"model {name!r} is not text; mend the ledger")
    return Record(a, b, parse_outcome(outcome) if outcome else None, None, is_simulated(source))


def is_simulated(source: str) -> bool:
    """Return whether this source is a program; raise VotesError for an unknown one."""
    try:
        return SOURCES[source]
    except KeyError:
        raise VotesError(f"source {source!r} is none of {', '.join(SOURCES)}; mend the ledger") from None


def locate(problem: VotesError, where: str) -> VotesError:
    """Return the same error with the file and row it was met in."""
    if isinstance(problem, UnknownOutcomeError):
        return UnknownOutcomeError(problem.value, where)
    return VotesError(f"{where}: {problem}")


def columns_of(ledger: sqlite3.Connection, table: str) -> list[str]:
    """Return the names of a table's columns; none where there is no such table."""
    return [row[1] for row in ledger.execute(f"PRAGMA table_info({table})")]


@contextmanager
def open_ledger(
    path: Path, table: str = "votes", columns: tuple[str, ...] = VOTE_COLUMNS
) -> Iterator[sqlite3.Connection]:
    """Open the ledger read-only and check that `table` has `columns`; SQLite's errors become ours."""
    if not path.is_file():
        raise VotesError(f"{path}: {'is a directory' if path.is_dir() else 'no such file'}; expected a ledger")
    try:
        # as_uri quotes '?' and '#', which would otherwise end the path.
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as ledger:
            found = columns_of(ledger, table)
            if missing := [column for column in columns if column not in found]:
                what = f"lacks {', '.join(missing)}" if found else "does not exist"
                raise VotesError(f"{path}: {table} {what}; is this the arena's ledger of votes?")
            yield ledger
    except sqlite3.Error as problem:
        raise VotesError(f"{path}: cannot be read as a ledger of votes: {problem}") from None
