"""The ledger of votes as counts, votes or texts: the only SQL here.

The arena's ledger keeps its own counts: `vote_counts(category, model_a, model_b, source, a_wins, b_wins,
ties, both_bad)`, and `vote_changes(added, mended)`, how many votes were ever added and how often one was
deleted or updated. Reading them costs what the pairs of models cost, whatever the number of votes. Any
other ledger is aggregated where it lies by one GROUP BY, quickest with an index on what is grouped by.
Only what depends on more than counts, such as Elo on their order, asks for the votes one by one.

The ledger is opened read-only. Its table, `votes(battle_id, created, visitor, model_a, model_b,
outcome, probability, source, category)`, and its view, `preferences(battle_id, created, prompt,
reply_a, reply_b, model_a, model_b, outcome, source)`, belong to the arena, as does `styles(battle_id,
length_a, headers_a, bold_a, lists_a, length_b, ...)`; for `set_aside` see set_aside.py. `source` is
'human' or 'simulated'. `category` is optional, as are the columns that no count needs.
"""

import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.errors import UnknownOutcomeError, VotesError
from ratings.ledger.set_aside import count_set_aside, list_set_aside
from ratings.outcomes import OUTCOMES, SPELLINGS, parse_outcome
from ratings.votes.collect import RawVotes, keys_of, numbering, select
from ratings.votes.counts import ALL, Counts, Groups, count_groups, count_groups_by_category
from ratings.votes.votes import NO_OUTCOME, Preference, Record, Votes, is_blank, parse_time

SOURCES = {"human": False, "simulated": True}
"""Who may have cast a vote, and whether it was a program."""

_VOTE_COLUMNS = ("model_a", "model_b", "outcome", "source")
_PREFERENCE_COLUMNS = ("battle_id", "prompt", "reply_a", "reply_b", "outcome", "source")
_STYLE_COLUMNS = tuple(f"{feature}_{side}" for side in "ab" for feature in ("length", "headers", "bold", "lists"))
_COUNT_COLUMNS = ("category", "model_a", "model_b", "source", *(outcome.column for outcome in OUTCOMES))
_CHUNK = 20_000

Read = dict[Any, int] | Callable[[Any], float] | None
"""How a column of the ledger becomes numbers; see `_fetch`."""


def read_ledger(path: Path, roster: tuple[str, ...] = (), *, weights: bool = False) -> Counts:
    """Return the counts of the vote ledger at `path`, aggregated by SQLite.

    Models of the `roster` are included even without a vote. With `weights` a second query sums
    1 / probability and its square, for which every usable vote must have a probability. Raises
    VotesError where the file is no ledger and UnknownOutcomeError for an outcome that is not known.
    """
    with open_ledger(path) as ledger:
        return count_set_aside(count_groups(read_groups(path, ledger, weights=weights), roster), ledger)


def read_ledger_by_category(path: Path, roster: tuple[str, ...] = (), *, weights: bool = False) -> dict[str, Counts]:
    """Return the counts of each category of the ledger, and under ALL those of all votes, in one pass.

    A vote whose category is blank is only in the total. Each entry has the same models. Raises as
    `read_ledger` does.
    """
    with open_ledger(path) as ledger:
        counted = count_groups_by_category(read_groups(path, ledger, weights=weights), roster)
        return counted | {ALL: count_set_aside(counted[ALL], ledger)}


def read_ledger_votes(path: Path, *, details: bool = True, keep_left_out: bool = False) -> Votes:
    """Return the votes of the ledger at `path` in the order they were stored.

    Without `details` only sides and outcomes are read, which is faster. With `keep_left_out` the
    rows left out are listed. Raises VotesError where the file is no ledger and UnknownOutcomeError
    for an unknown outcome.
    """
    with open_ledger(path) as ledger:
        rows, rowids = _read_rows(path, ledger, details)
        votes = select(rows, (lambda i: f"row {rowids[i]}") if keep_left_out else None)
        return list_set_aside(votes, ledger, keep_rows=keep_left_out)


def read_ledger_styles(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (n, 4) length, headers, bold and lists of the replies on side A, and of those on side B.

    Rows are those of `read_ledger_votes`, in their order; NaN is a reply that was not measured. Raises
    VotesError where the file is no ledger or has no styles.
    """
    with open_ledger(path, "styles", ("battle_id", *_STYLE_COLUMNS)) as ledger:
        rowids, columns = _read_beside(path, ledger, "styles", _STYLE_COLUMNS, [_number] * len(_STYLE_COLUMNS))
    measured = np.full((len(rowids.kept), len(columns)), np.nan)
    measured[rowids.place] = np.stack(columns, axis=1)
    half = len(_STYLE_COLUMNS) // 2
    return measured[:, :half], measured[:, half:]


def read_ledger_prompts(path: Path) -> NDArray[np.int64]:
    """Return (n,) codes from 0 of what was asked, in the order of `read_ledger_votes`.

    A vote whose battle has no prompt has a code of its own. Raises VotesError where the file is no
    ledger or has no prompts.
    """
    with open_ledger(path, "preferences", ("battle_id", "prompt")) as ledger:
        prompts = numbering()
        rowids, (codes,) = _read_beside(path, ledger, "preferences", ("prompt",), [prompts])
    asked = len(prompts) + np.arange(len(rowids.kept))
    asked[rowids.place] = np.where(codes < 0, asked[rowids.place], codes)
    return asked


def read_preferences(path: Path) -> Iterator[Preference]:
    """Yield every vote of the ledger at `path` with its prompt and replies, oldest first.

    Raises VotesError where the file is no ledger and UnknownOutcomeError for an unknown outcome.
    """
    columns = ", ".join(_PREFERENCE_COLUMNS)
    with open_ledger(path, "preferences", _PREFERENCE_COLUMNS) as ledger:
        for row in ledger.execute(f"SELECT {columns} FROM preferences ORDER BY created, battle_id"):
            battle_id, prompt, reply_a, reply_b, outcome, source = row
            try:
                parsed = parse_outcome(outcome) if outcome else None
                _is_simulated(source)
            except VotesError as problem:
                raise _locate(problem, f"{path}: battle {battle_id}") from None
            yield Preference(battle_id, prompt, reply_a, reply_b, parsed, source)


# One number holds all of a row or group but its names: the outcome's code, or that it is missing or
# unknown, then the source, and above these bits the number of votes.
_MISSING, _UNKNOWN = len(OUTCOMES), len(OUTCOMES) + 1
_SIMULATED = 1 << _UNKNOWN.bit_length()
_OUTCOME, _UNKNOWN_SOURCE, _BITS = _SIMULATED - 1, 2 * _SIMULATED, _SIMULATED.bit_length() + 1
# The spellings a ledger stores come first, as the cases are tried in turn for every group.
_SPELT = {outcome.value: outcome for outcome in OUTCOMES} | SPELLINGS
_OUTCOME_SQL = " ".join(f"WHEN '{text}' THEN {outcome.code}" for text, outcome in _SPELT.items())
_CODE_SQL = (
    f"(CASE outcome {_OUTCOME_SQL} WHEN '' THEN {_MISSING} ELSE {_MISSING} + (outcome IS NOT NULL) END"
    f" + CASE source WHEN 'human' THEN 0 WHEN 'simulated' THEN {_SIMULATED} ELSE {_UNKNOWN_SOURCE} END)"
)
_WEIGHT_SQL = (
    ", sum(1.0 / probability), sum(1.0 / (probability * probability))"
    ", min(coalesce(probability, 0)), max(coalesce(probability, 0))"
)


def read_groups(
    path: Path, ledger: sqlite3.Connection, *, after: int | None = None, weights: bool = False, kept: bool = True
) -> Groups:
    """Return the groups of all votes, or of those with a rowid over `after`; see `read_ledger`.

    The ledger's own counts are taken where it has them; without `kept` the votes themselves are counted.
    """
    if kept and after is None and not weights and _columns_of(ledger, "vote_counts") == list(_COUNT_COLUMNS):
        return _read_kept(path, ledger)
    has_category = "category" in _columns_of(ledger, "votes")
    if weights and "probability" not in _columns_of(ledger, "votes"):
        raise VotesError(f"{path}: votes lacks probability, so its votes cannot be weighted")
    # A few new votes are read by their rowid; an index would have to be read from end to end.
    rows = "" if after is None else f"NOT INDEXED WHERE rowid > {int(after)}"
    columns = ", ".join(("category", *_VOTE_COLUMNS) if has_category else _VOTE_COLUMNS)
    query = (
        f"SELECT {'category' if has_category else 'NULL'}, model_a, model_b, {_CODE_SQL} + (count(*) << {_BITS})"
        f"{_WEIGHT_SQL if weights else ''} FROM votes {rows} GROUP BY {columns}"
    )
    names, categories = numbering(), numbering()
    reads: list[Read] = [categories, names, names, None, *[_number] * (4 * weights)]
    category, a, b, codes, *sums = _fetch(ledger.execute(query), reads)
    _check(path, ledger, keys_of(names), codes)
    if weights:
        _check_probabilities(path, codes, *sums[2:])
    cells = np.arange(len(codes)), codes & _OUTCOME
    votes = np.zeros((len(codes), _MISSING + 1), dtype=np.int64)
    votes[cells] = codes >> _BITS
    spread = []
    for part in sums[:2]:
        spread.append(np.zeros(votes.shape))
        spread[-1][cells] = part
    return Groups([*keys_of(names), None], keys_of(categories), category, a, b, codes & _SIMULATED > 0, votes, *spread)


def _read_kept(path: Path, ledger: sqlite3.Connection) -> Groups:
    """Return the counts that the ledger keeps itself."""
    names, categories, sources = numbering(), numbering(), numbering()
    reads: list[Read] = [categories, names, names, sources, *[None for _ in OUTCOMES]]
    query = f"SELECT {', '.join(_COUNT_COLUMNS)} FROM vote_counts"
    category, a, b, source, *outcomes = _fetch(ledger.execute(query), reads)
    try:
        is_simulated = np.array([_is_simulated(name) for name in keys_of(sources)], dtype=bool)
    except VotesError as problem:
        raise _locate(problem, f"{path}: vote_counts") from None
    votes = np.stack([*outcomes, np.zeros_like(source)], axis=1)
    return Groups([*keys_of(names), None], keys_of(categories), category, a, b, is_simulated[source], votes)


class Mark(NamedTuple):
    """How far a ledger has been read."""

    last: int
    """The highest rowid of a vote; 0 for none."""
    added: int
    """Votes ever added."""
    mended: int
    """How often a vote was deleted or updated."""


def read_mark(ledger: sqlite3.Connection) -> Mark | None:
    """Return how far the ledger goes at this moment, or None where it keeps no record of changes."""
    if _columns_of(ledger, "vote_changes") != ["added", "mended"]:
        return None
    query = "SELECT (SELECT coalesce(max(rowid), 0) FROM votes), added, mended FROM vote_changes"
    return None if (row := ledger.execute(query).fetchone()) is None else Mark(*row)


def _read_rows(path: Path, ledger: sqlite3.Connection, details: bool) -> tuple[RawVotes, NDArray[np.int64]]:
    """Return all votes in the order of their rowids, and (n,) these."""
    names, voters, categories = numbering(), numbering(), numbering()
    optional: dict[str, Read] = {
        "visitor": voters,
        "category": categories,
        "probability": _number,
        "created": cache(_moment),
    }
    more = [name for name in _columns_of(ledger, "votes") if details and name in optional]
    query = f"SELECT {', '.join(['rowid', 'model_a', 'model_b', _CODE_SQL, *more])} FROM votes ORDER BY rowid"
    reads: list[Read] = [None, names, names, None, *(optional[name] for name in more)]
    rowid, a, b, codes, *rest = _fetch(ledger.execute(query), reads)
    _check(path, ledger, keys_of(names), codes)
    found = dict(zip(more, rest, strict=True))
    outcome = codes & _OUTCOME
    rows = RawVotes(
        names=[*keys_of(names), None],
        a=a,
        b=b,
        outcome=np.where(outcome == _MISSING, NO_OUTCOME, outcome).astype(np.int8),
        is_simulated=codes & _SIMULATED > 0,
        voter=found.get("visitor"),
        probability=found.get("probability"),
        time=found.get("created"),
        category=found.get("category"),
        categories=(*((() if is_blank(name) else (name,)) for name in keys_of(categories)), ()),
    )
    return rows, rowid


class _Beside(NamedTuple):
    """Which usable votes the rows of another table belong to."""

    kept: NDArray[np.int64]  # (n,) rowids of the usable votes
    place: NDArray[np.int64]  # (m,) index into them


def _read_beside(
    path: Path, ledger: sqlite3.Connection, table: str, columns: tuple[str, ...], reads: list[Read]
) -> tuple[_Beside, list[NDArray[Any]]]:
    """Return the columns of a table's rows that belong to usable votes, and to which."""
    rows, rowids = _read_rows(path, ledger, details=False)
    # The rowids go through the selection in the place of the times.
    time = select(replace(rows, time=rowids.astype(np.float64))).time
    kept = np.zeros(0, dtype=np.int64) if time is None else time.astype(np.int64)
    named = ", ".join(f"beside.{name}" for name in columns)
    query = f"SELECT votes.rowid, {named} FROM votes JOIN {table} AS beside USING (battle_id) ORDER BY votes.rowid"
    own, *found = _fetch(ledger.execute(query), [None, *reads])
    use = np.isin(own, kept)
    return _Beside(kept, np.searchsorted(kept, own[use])), [column[use] for column in found]


def _moment(text: Any) -> float:
    seconds = parse_time(text)
    return math.nan if seconds is None else seconds


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _fetch(cursor: sqlite3.Cursor, reads: list[Read]) -> list[NDArray[Any]]:
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


def _check(path: Path, ledger: sqlite3.Connection, names: list[Any], codes: NDArray[np.int64]) -> None:
    """Raise for the first row with an unknown outcome, an unknown source or a model that is not text."""
    is_bad = ((codes & _OUTCOME) == _UNKNOWN) | (codes & _UNKNOWN_SOURCE > 0)
    if not is_bad.any() and all(isinstance(name, str) for name in names):
        return
    for *row, number in ledger.execute(f"SELECT {', '.join(_VOTE_COLUMNS)}, rowid FROM votes ORDER BY rowid"):
        try:
            _record(*row)
        except VotesError as problem:
            raise _locate(problem, f"{path}: row {number}") from None


def _check_probabilities(
    path: Path, codes: NDArray[np.int64], least: NDArray[np.float64], most: NDArray[np.float64]
) -> None:
    usable = (codes & _OUTCOME) < _MISSING
    for value in (least[usable].min(initial=1.0), most[usable].max(initial=1.0)):
        if not 0 < value <= 1:
            raise VotesError(
                f"{path}: a vote has no probability of its pair, or one outside (0, 1] such as {value:g}; "
                "rate without weights"
            )


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


def _columns_of(ledger: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in ledger.execute(f"PRAGMA table_info({table})")]


@contextmanager
def open_ledger(
    path: Path, table: str = "votes", columns: tuple[str, ...] = _VOTE_COLUMNS
) -> Iterator[sqlite3.Connection]:
    """Open the ledger read-only and check that `table` has `columns`; SQLite's errors become ours."""
    if not path.is_file():
        raise VotesError(f"{path}: {'is a directory' if path.is_dir() else 'no such file'}; expected a ledger")
    try:
        # as_uri quotes '?' and '#', which would otherwise end the path.
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as ledger:
            found = _columns_of(ledger, table)
            if missing := [column for column in columns if column not in found]:
                what = f"lacks {', '.join(missing)}" if found else "does not exist"
                raise VotesError(f"{path}: {table} {what}; is this the arena's ledger of votes?")
            yield ledger
    except sqlite3.Error as problem:
        raise VotesError(f"{path}: cannot be read as a ledger of votes: {problem}") from None
