"""Votes to counts of (side a, side b, outcome): the only pass over the votes, and the only SQL.

Everything that rates models works on these counts, so its cost depends on the number of models and
not of votes. The ledger is aggregated where it lies by one GROUP BY, which a covering index on
(category, model_a, model_b, outcome, source) answers in its own order without touching the table.
A group comes back as two names and one number, because what Python costs is the objects it is
handed. Only online Elo, which depends on the order of the votes, asks for them one by one.

The ledger is opened read-only. Its table, `votes(battle_id, created, visitor, model_a, model_b,
outcome, probability, source, category)`, and its view, `preferences(battle_id, created, prompt,
reply_a, reply_b, model_a, model_b, outcome, source)`, belong to the arena, as does `styles(battle_id,
length_a, headers_a, bold_a, lists_a, length_b, ...)`. `source` is 'human' or 'simulated'. `category` is
optional, as are the columns that no count needs.
"""

import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.errors import UnknownOutcomeError, VotesError
from ratings.outcomes import OUTCOMES, SPELLINGS, Outcome, parse_outcome
from ratings.votes import (
    MISSING_MODEL,
    MISSING_OUTCOME,
    NO_OUTCOME,
    SELF_BATTLE,
    Record,
    Rows,
    Votes,
    is_blank,
    numbering,
    parse_time,
    said,
    select,
    sort_models,
)

SOURCES = {"human": False, "simulated": True}
"""Who may have cast a vote, and whether it was a program."""

ALL = ""
"""Key of the counts of all votes beside those of each category, which cannot have the empty name."""

_VOTE_COLUMNS = ("model_a", "model_b", "outcome", "source")
_PREFERENCE_COLUMNS = ("battle_id", "prompt", "reply_a", "reply_b", "outcome", "source")
_STYLE_COLUMNS = tuple(f"{feature}_{side}" for side in "ab" for feature in ("length", "headers", "bold", "lists"))
_CHUNK = 20_000

Read = dict[Any, int] | Callable[[Any], float] | None
"""How a column of the ledger becomes numbers; see `_fetch`."""


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
    weights: NDArray[np.float64] | None = None
    """(n_pairs, 4) sum of 1 / (chance of the pair when it was drawn), where asked for."""
    squared_weights: NDArray[np.float64] | None = None
    """(n_pairs, 4) sum of the squares of the same weights."""

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


class Groups(NamedTuple):
    """Groups of equal votes as columns, m of them."""

    names: list[str | None]
    """Distinct names of models; the last is None, so that code -1 is a missing one."""
    categories: list[str]
    category: NDArray[np.int64]
    """(m,) index into `categories`, -1 for none."""
    a: NDArray[np.int64]
    """(m,) index into `names`."""
    b: NDArray[np.int64]
    outcome: NDArray[np.int64]
    """(m,) `Outcome.code`, or NO_OUTCOME."""
    is_simulated: NDArray[np.bool_]
    votes: NDArray[np.int64]
    """(m,) number of votes."""
    weights: NDArray[np.float64] | None = None
    """(m,) sum of 1 / probability."""
    squared_weights: NDArray[np.float64] | None = None


def count(votes: Votes) -> Counts:
    """Return the counts of `votes`; their order no longer matters."""
    return replace(_tally(votes), read=votes.read, left_out=dict(votes.left_out), simulated=votes.simulated)


def count_by_category(votes: Votes) -> dict[str, Counts]:
    """Return the counts of each category of `votes`, and under ALL those of all votes.

    A vote may belong to several categories or none. Each entry has the same models. Rows left out
    and simulated votes are known for the whole only: they stand under ALL.
    """
    counted = {ALL: count(votes)}
    if votes.category is not None:
        for name in sorted({name for names in votes.categories for name in names}):
            belongs = np.array([name in names for names in votes.categories])[votes.category]
            counted[name] = _tally(votes, belongs)
    return counted


def _tally(votes: Votes, chosen: NDArray[np.bool_] | None = None) -> Counts:
    """Return the counts of the (n,) `chosen` votes; who was left out or simulated is not known for a part."""
    use = np.ones(votes.used, dtype=bool) if chosen is None else chosen
    size = len(votes.models)
    keys, to = np.unique(votes.a[use] * size + votes.b[use], return_inverse=True)
    cells = 4 * to.reshape(-1) + votes.outcome[use]
    outcomes = np.bincount(cells, minlength=4 * len(keys)).reshape(-1, 4).astype(np.float64)
    return Counts(votes.models, _pairs(keys, size), outcomes, int(use.sum()))


def merge(first: Counts, second: Counts) -> Counts:
    """Return the counts of the votes of both; weights are kept where both have them."""
    names = {name: number for number, name in enumerate(dict.fromkeys(first.models + second.models))}
    models, place = sort_models(names)
    positions = [place[[names[name] for name in part.models]].astype(np.int64) for part in (first, second)]
    keys = [
        position[part.pairs] @ np.array([len(models), 1])
        for part, position in zip((first, second), positions, strict=True)
    ]
    distinct = np.union1d(*keys)
    slots = [np.searchsorted(distinct, key) for key in keys]

    def added(*parts: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        total = np.zeros((len(distinct), len(OUTCOMES)))
        for slot, part in zip(slots, parts, strict=True):
            if part is None:
                return None
            total[slot] += part  # each pair stands once
        return total

    outcomes = added(first.outcomes, second.outcomes)
    assert outcomes is not None
    return Counts(
        models=models,
        pairs=_pairs(distinct, len(models)),
        outcomes=outcomes,
        read=first.read + second.read,
        left_out={
            reason: first.left_out.get(reason, 0) + second.left_out.get(reason, 0)
            for reason in first.left_out | second.left_out
        },
        simulated=first.simulated + second.simulated,
        weights=added(first.weights, second.weights),
        squared_weights=added(first.squared_weights, second.squared_weights),
    )


def read_ledger(path: Path, roster: tuple[str, ...] = (), *, weights: bool = False) -> Counts:
    """Return the counts of the vote ledger at `path`, aggregated by SQLite.

    Models of the `roster` are included even without a vote. With `weights` a second query sums
    1 / probability and its square, for which every usable vote must have a probability. Raises
    VotesError where the file is no ledger and UnknownOutcomeError for an outcome that is not known.
    """
    with open_ledger(path) as ledger:
        return count_groups(read_groups(path, ledger, weights=weights), roster)


def read_ledger_by_category(path: Path, roster: tuple[str, ...] = (), *, weights: bool = False) -> dict[str, Counts]:
    """Return the counts of each category of the ledger, and under ALL those of all votes, in one pass.

    A vote whose category is blank is only in the total. Each entry has the same models. Raises as
    `read_ledger` does.
    """
    with open_ledger(path) as ledger:
        groups = read_groups(path, ledger, weights=weights)
    return count_groups_by_category(groups, roster)


def read_ledger_votes(path: Path, *, details: bool = True, keep_left_out: bool = False) -> Votes:
    """Return the votes of the ledger at `path` in the order they were stored.

    Without `details` only sides and outcomes are read, which is faster. With `keep_left_out` the
    rows left out are listed. Raises VotesError where the file is no ledger and UnknownOutcomeError
    for an unknown outcome.
    """
    with open_ledger(path) as ledger:
        rows, rowids = _read_rows(path, ledger, details)
    return select(rows, (lambda i: f"row {rowids[i]}") if keep_left_out else None)


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
                said = parse_outcome(outcome) if outcome else None
                _is_simulated(source)
            except VotesError as problem:
                raise _locate(problem, f"{path}: battle {battle_id}") from None
            yield Preference(battle_id, prompt, reply_a, reply_b, said, source)


def count_groups(groups: Groups, roster: tuple[str, ...] = (), chosen: NDArray[np.bool_] | None = None) -> Counts:
    """Return the counts of the groups, or of the (m,) `chosen` ones, over all their models and the roster."""
    names = list(dict.fromkeys([*groups.names[:-1], *roster]))
    models, place = sort_models(
        {name: i for i, name in enumerate(names) if name and not is_blank(name)}, len(names) + 1
    )
    blank = np.array([is_blank(name) for name in groups.names])
    a, b, outcome = groups.a, groups.b, groups.outcome
    faults = {MISSING_MODEL: blank[a] | blank[b], SELF_BATTLE: a == b, MISSING_OUTCOME: outcome == NO_OUTCOME}
    use = rest = np.ones(len(a), dtype=bool) if chosen is None else chosen
    left_out: dict[str, int] = {}
    for reason, holds in faults.items():
        if n := int(groups.votes[use & holds].sum()):
            left_out[reason] = n
        use = use & ~holds
    keys, to = np.unique(place[a[use]] * len(models) + place[b[use]], return_inverse=True)
    cells = 4 * to.reshape(-1) + outcome[use]

    def summed(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(cells, values[use], minlength=4 * len(keys)).reshape(-1, 4).astype(np.float64)

    return Counts(
        models=models,
        pairs=_pairs(keys, len(models)),
        outcomes=summed(groups.votes),
        read=int(groups.votes[rest].sum()),
        left_out=left_out,
        simulated=int(groups.votes[use & groups.is_simulated].sum()),
        weights=None if groups.weights is None else summed(groups.weights),
        squared_weights=None if groups.squared_weights is None else summed(groups.squared_weights),
    )


def count_groups_by_category(groups: Groups, roster: tuple[str, ...] = ()) -> dict[str, Counts]:
    """Return the counts of each category that is not blank, and under ALL those of all groups."""
    counted = {ALL: count_groups(groups, roster)}
    for name in sorted(name for name in groups.categories if not is_blank(name)):
        counted[name] = count_groups(groups, roster, groups.category == groups.categories.index(name))
    return counted


# One number says all of a row or group but its names: the outcome's code, or that it is missing or
# unknown, then the source, and above these bits the number of votes.
_MISSING, _UNKNOWN, _SIMULATED, _UNKNOWN_SOURCE, _BITS = 4, 5, 8, 16, 5
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


def read_groups(path: Path, ledger: sqlite3.Connection, *, after: int | None = None, weights: bool = False) -> Groups:
    """Return the groups of all votes, or of those with a rowid over `after`; see `read_ledger`."""
    has_category = "category" in _columns_of(ledger, "votes")
    if weights and "probability" not in _columns_of(ledger, "votes"):
        raise VotesError(f"{path}: votes lacks probability, so its votes cannot be weighted")
    # A few new votes are found by their rowid; the index would have to be read from end to end.
    rows = "" if after is None else f"NOT INDEXED WHERE rowid > {int(after)}"
    columns = ", ".join(("category", *_VOTE_COLUMNS) if has_category else _VOTE_COLUMNS)
    query = (
        f"SELECT {'category' if has_category else 'NULL'}, model_a, model_b, {_CODE_SQL} + (count(*) << {_BITS})"
        f"{_WEIGHT_SQL if weights else ''} FROM votes {rows} GROUP BY {columns}"
    )
    names, categories = numbering(), numbering()
    reads: list[Read] = [categories, names, names, None, *[_number] * (4 * weights)]
    category, a, b, codes, *sums = _fetch(ledger.execute(query), reads)
    _check(path, ledger, said(names), codes)
    if weights:
        _check_probabilities(path, codes, *sums[2:])
    outcome = codes & 7
    return Groups(
        [*said(names), None],
        said(categories),
        category,
        a,
        b,
        np.where(outcome == _MISSING, NO_OUTCOME, outcome),
        codes & _SIMULATED > 0,
        codes >> _BITS,
        *sums[:2],
    )


def count_rows(ledger: sqlite3.Connection) -> int:
    """Return the number of votes. SQLite reads every page of the smallest index for it: 8 ms a million."""
    return int(ledger.execute("SELECT count(*) FROM votes").fetchone()[0])


def read_row(ledger: sqlite3.Connection, which: Literal["first", "last"] | int) -> tuple[int, str] | None:
    """Return the rowid and all fields, as text, of the first or last vote or of the one with a rowid."""
    order = "DESC" if which == "last" else "ASC"
    only = f"WHERE rowid = {which}" if isinstance(which, int) else ""
    row = ledger.execute(f"SELECT rowid, * FROM votes {only} ORDER BY rowid {order} LIMIT 1").fetchone()
    return None if row is None else (row[0], repr(row[1:]))


def count_pair(ledger: sqlite3.Connection, a: str, b: str, categories: list[str], up_to: int) -> NDArray[np.float64]:
    """Return (4,) votes by outcome with these sides among the rows up to a rowid, from the covering index."""
    # The index leads with the category, so that it must be named to reach the pair at once.
    among = f"category IN ({', '.join('?' * len(categories))}) AND" if categories else ""
    query = (
        f"SELECT {_CODE_SQL}, count(*) FROM votes WHERE {among} model_a = ? AND model_b = ? AND rowid <= ? "
        "GROUP BY outcome, source"
    )
    outcomes = np.zeros(8)
    for code, n in ledger.execute(query, (*categories, a, b, up_to)):
        outcomes[code & 7] += n
    return outcomes[: len(OUTCOMES)]


def _read_rows(path: Path, ledger: sqlite3.Connection, details: bool) -> tuple[Rows, NDArray[np.int64]]:
    """Return all votes in the order of their rowids, and (n,) these."""
    names, voters, categories = numbering(), numbering(), numbering()
    optional: dict[str, Read] = {
        "visitor": voters,
        "category": categories,
        "probability": _number,
        "created": _Times().__getitem__,
    }
    more = [name for name in _columns_of(ledger, "votes") if details and name in optional]
    query = f"SELECT {', '.join(['rowid', 'model_a', 'model_b', _CODE_SQL, *more])} FROM votes ORDER BY rowid"
    reads: list[Read] = [None, names, names, None, *(optional[name] for name in more)]
    rowid, a, b, codes, *rest = _fetch(ledger.execute(query), reads)
    _check(path, ledger, said(names), codes)
    found = dict(zip(more, rest, strict=True))
    outcome = codes & 7
    rows = Rows(
        names=[*said(names), None],
        a=a,
        b=b,
        outcome=np.where(outcome == _MISSING, NO_OUTCOME, outcome).astype(np.int8),
        is_simulated=codes & _SIMULATED > 0,
        voter=found.get("visitor"),
        probability=found.get("probability"),
        time=found.get("created"),
        category=found.get("category"),
        categories=(*((() if is_blank(name) else (name,)) for name in said(categories)), ()),
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


class _Times(dict[Any, float]):
    """Moments as the ledger writes them to seconds since 1970, each parsed once."""

    def __missing__(self, text: Any) -> float:
        seconds = parse_time(text)
        self[text] = math.nan if seconds is None else seconds
        return self[text]


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
    is_bad = ((codes & 7) == _UNKNOWN) | (codes & _UNKNOWN_SOURCE > 0)
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
    usable = (codes & 7) < _MISSING
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


def _pairs(keys: NDArray[np.int64], models: int) -> NDArray[np.int64]:
    return np.stack(np.divmod(keys, max(models, 1)), axis=1)


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
