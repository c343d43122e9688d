"""Votes from the files other arenas publish: JSON, JSON Lines and CSV.

The container is told from the first characters (FastChat's logs are JSON Lines named .json), and
which columns hold the vote is decided once per file, from the columns of its first row. An
unrecognised set of columns, a row of the wrong length or an unknown outcome stops the reading with
the file, row and value; a row that merely says nothing is left out under a reason (see votes.py).

What counts as a battle's id, for finding duplicates, depends on the release. `question_id` names a
battle in FastChat's and LMArena's dumps, which carry `tstamp`, but names a question that many votes
share in MT-bench's judgments, which do not. `id` names a battle in the 55k and 140k releases, but
a task that several workers answered in crowd files such as evalica's.
"""

import csv
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from ratings.errors import UnknownOutcomeError, VotesError
from ratings.outcomes import Outcome, parse_one_hot, parse_outcome
from ratings.votes import Record, Votes, collect

NOT_A_VOTE = "not a vote"
NOT_ANONYMOUS = "not anonymous"

Row = Mapping[str, Any]

_OTHER_EVENTS = frozenset({"chat", "upvote", "downvote", "flag", "share"})
"""Types of row in a FastChat log that are no votes on a battle."""


class Shape(NamedTuple):
    """A set of columns that tells a vote, and the function that reads it from one row."""

    columns: frozenset[str]
    read: Callable[[Row], Record]


def read_votes_file(path: Path) -> Votes:
    """Return the votes of a JSON, JSON Lines or CSV file, in its order.

    Votes marked as not anonymous (`anony` false) are left out, as the arenas that write the mark do.
    Raises VotesError, with the row, where the file is missing, broken or of an unknown shape, and
    UnknownOutcomeError where a row says something that is no outcome.
    """
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        return collect([])
    columns = frozenset(first[1])
    shape = _recognise(path, columns)
    id_column = _battle_id_column(columns)
    return collect(_records(path, chain([first], rows), shape, id_column))


def _recognise(path: Path, columns: frozenset[str]) -> Shape:
    for shape in SHAPES:
        if shape.columns <= columns:
            return shape
    accepted = " or ".join(f"({', '.join(sorted(shape.columns))})" for shape in SHAPES)
    found = ", ".join(sorted(columns)) or "none"
    raise VotesError(f"{path}: no votes in these columns: {found}; accepted are {accepted}")


def _battle_id_column(columns: frozenset[str]) -> str | None:
    if {"question_id", "tstamp"} <= columns:
        return "question_id"
    if "id" in columns and ("winner_tie" in columns or "evaluation_session_id" in columns):
        return "id"
    return None


def _records(path: Path, rows: Iterator[tuple[str, Row]], shape: Shape, id_column: str | None) -> Iterator[Record]:
    for where, row in rows:
        try:
            record = shape.read(row)
        except UnknownOutcomeError as problem:
            raise UnknownOutcomeError(problem.value, f"{path}: {where}") from None
        except VotesError as problem:
            raise VotesError(f"{path}: {where}: {problem}") from None
        if id_column and (battle_id := _present(row.get(id_column))) is not None:
            record = record._replace(battle_id=str(battle_id))
        if str(row.get("anony")).lower() == "false":
            record = record._replace(set_aside=NOT_ANONYMOUS)
        yield record


# One function a shape.


def _read_winner(row: Row) -> Record:
    return Record(_name(row.get("model_a")), _name(row.get("model_b")), _outcome(row.get("winner")))


def _read_left_right(row: Row) -> Record:
    return Record(_name(row.get("left")), _name(row.get("right")), _outcome(row.get("winner")))


def _read_one_hot(row: Row) -> Record:
    outcome = parse_one_hot(
        _present(row.get("winner_model_a")),
        _present(row.get("winner_model_b")),
        _present(row.get("winner_tie")),
    )
    return Record(_name(row.get("model_a")), _name(row.get("model_b")), outcome)


def _read_log(row: Row) -> Record:
    """Read a row of FastChat's log, where `models` is blank in anonymous battles but `states` is not."""
    if row.get("type") in _OTHER_EVENTS:
        return Record(None, None, None, set_aside=NOT_A_VOTE)
    models, states = row.get("models") or [], row.get("states") or []
    if not any(models):
        models = [state.get("model_name") for state in states if isinstance(state, dict)]
    if not isinstance(models, list) or len(models) not in (0, 2):
        raise VotesError(f"models is {models!r}, not a list of two names")
    a, b = models or (None, None)
    return Record(_name(a), _name(b), _outcome(row.get("type")))


SHAPES: tuple[Shape, ...] = (
    Shape(frozenset({"model_a", "model_b", "winner"}), _read_winner),
    Shape(frozenset({"model_a", "model_b", "winner_model_a", "winner_model_b", "winner_tie"}), _read_one_hot),
    Shape(frozenset({"left", "right", "winner"}), _read_left_right),
    Shape(frozenset({"type", "models"}), _read_log),
    Shape(frozenset({"type", "tstamp"}), _read_log),  # a log may open with a row that is no battle
)


def _present(value: Any) -> Any:
    """Return None for the ways in which a file says nothing: null, NaN and the empty string."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return None if value is None or value == "" or is_nan else value


def _name(value: Any) -> str | None:
    value = _present(value)
    if value is not None and not isinstance(value, str):
        raise VotesError(f"model {value!r} is not text")
    if value is not None and any("\ud800" <= c <= "\udfff" for c in value):
        raise VotesError(f"model {value!r} is half a character; mend its escapes")
    return value


def _outcome(value: Any) -> Outcome | None:
    value = _present(value)
    return None if value is None else parse_outcome(value)


# Containers: each yields ("row 1", {column: value}) from its first row on.


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    if not path.is_file():
        raise VotesError(f"{path}: {'is a directory' if path.is_dir() else 'no such file'}; expected votes")
    with path.open("rb") as file:
        start = file.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise VotesError(f"{path}: the file is empty")
    for magic, way_out in (
        (b"SQLite format 3", "read it with --db"),
        (b"PAR1", "convert Parquet to CSV or JSON"),
    ):
        if start.startswith(magic):
            raise VotesError(f"{path}: not JSON, JSON Lines or CSV; {way_out}")
    read = {b"[": _json_rows, b"{": _json_lines}.get(start[:1], _csv_rows)
    try:
        yield from read(path)
    except UnicodeDecodeError as problem:
        byte = problem.object[problem.start]
        raise VotesError(f"{path}: not UTF-8 text (byte 0x{byte:02x}); save it as UTF-8") from None
    except OSError as problem:
        raise VotesError(f"{path}: cannot be read: {problem.strerror}") from None


def _json_rows(path: Path) -> Iterator[tuple[str, Row]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as problem:
        raise VotesError(f"{path}: broken JSON at line {problem.lineno}: {problem.msg}") from None
    for number, row in enumerate(rows, 1):
        yield f"row {number}", _object(path, f"row {number}", row)


def _json_lines(path: Path) -> Iterator[tuple[str, Row]]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as problem:
                raise VotesError(f"{path}: broken JSON at line {number}: {problem.msg}") from None
            yield f"line {number}", _object(path, f"line {number}", row)


def _object(path: Path, where: str, row: Any) -> Row:
    if not isinstance(row, dict):
        raise VotesError(f"{path}: {where} is {str(row)[:40]!r}, not an object")
    return row


def _csv_rows(path: Path) -> Iterator[tuple[str, Row]]:
    limit = csv.field_size_limit(sys.maxsize)  # a conversation is longer than the default of 128 KiB
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            header = next(lines, [])
            for number, row in enumerate(filter(None, lines), 1):
                if len(row) != len(header):
                    raise VotesError(f"{path}: row {number} has {len(row)} fields where the header has {len(header)}")
                yield f"row {number}", dict(zip(header, row, strict=True))
    except csv.Error as problem:
        raise VotesError(f"{path}: broken CSV near line {lines.line_num}: {problem}") from None
    finally:
        csv.field_size_limit(limit)
