"""The ledger of votes as counts, votes or texts.

The arena's ledger keeps counts of its own (schema.py). Reading them costs what the pairs of models cost, whatever
the number of votes. Any other ledger is aggregated where it lies by one GROUP BY, quickest with an index on what
is grouped by. Only what depends on more than counts, such as Elo on their order, asks for the votes one by one.

The ledger is opened read-only. Of its tables only `votes` with model_a, model_b, outcome and source is required:
`category`, the columns that no count needs, the view `preferences` and the tables `styles` and `set_aside` are
looked at where they are there.
"""

import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.words import plural
from ratings.errors import VotesError
from ratings.ledger.access import (
    CATEGORY_SQL,
    CODE_SQL,
    MISSING,
    OUTCOME,
    SIMULATED,
    UNREADABLE,
    Read,
    check_codes,
    columns_of,
    fetch,
    is_simulated,
    locate,
    moment,
    number_or_nan,
    open_ledger,
)
from ratings.ledger.groups import read_groups
from ratings.ledger.set_aside import count_set_aside, list_set_aside
from ratings.outcomes import parse_outcome
from ratings.votes.collect import RawVotes, keys_of, numbering, select
from ratings.votes.counts import ALL, Counts, count_groups, count_groups_by_category
from ratings.votes.votes import NO_OUTCOME, Preference, Votes, is_blank

_PREFERENCE_COLUMNS = ("battle_id", "prompt", "reply_a", "reply_b", "outcome", "source")
_STYLE_COLUMNS = tuple(f"{feature}_{side}" for side in "ab" for feature in ("length", "headers", "bold", "lists"))


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


def read_ledger_votes(path: Path, *, details: bool | tuple[str, ...] = True, keep_left_out: bool = False) -> Votes:
    """Return the votes of the ledger at `path` in the order they were stored.

    Without `details` only sides and outcomes are read, which is faster; a tuple names the columns to read beside
    them. With `keep_left_out` the
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
        rowids, columns = _read_beside(path, ledger, "styles", _STYLE_COLUMNS, [number_or_nan] * len(_STYLE_COLUMNS))
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
    with open_ledger(path, "preferences", _PREFERENCE_COLUMNS) as ledger:
        there = columns_of(ledger, "preferences")
        more = [name if name in there else "NULL" for name in ("model_a", "model_b", "created", "later_turns")]
        columns = ", ".join((*_PREFERENCE_COLUMNS, *more))
        for row in ledger.execute(f"SELECT {columns} FROM preferences ORDER BY created, battle_id"):
            battle_id, prompt, reply_a, reply_b, outcome, source, model_a, model_b, created, later = row
            try:
                parsed = parse_outcome(outcome) if outcome else None
                is_simulated(source)
            except VotesError as problem:
                raise locate(problem, f"{path}: battle {battle_id}") from None
            time = moment(created)
            texts = (battle_id, prompt, reply_a, reply_b, parsed, source)
            turns = tuple(map(tuple, json.loads(later))) if later else ()
            yield Preference(*texts, model_a, model_b, None if math.isnan(time) else time, turns)


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
    if columns_of(ledger, "vote_changes") != ["added", "mended"]:
        return None
    query = "SELECT (SELECT coalesce(max(rowid), 0) FROM votes), added, mended FROM vote_changes"
    return None if (row := ledger.execute(query).fetchone()) is None else Mark(*row)


def _read_rows(
    path: Path, ledger: sqlite3.Connection, details: bool | tuple[str, ...]
) -> tuple[RawVotes, NDArray[np.int64]]:
    """Return all votes in the order of their rowids, and (n,) these."""
    names, voters, categories = numbering(), numbering(), numbering()
    optional: dict[str, Read] = {
        "visitor": voters,
        "category": categories,
        "probability": number_or_nan,
        "created": cache(moment),
    }
    wanted = optional.keys() & details if isinstance(details, tuple) else optional if details else ()
    more = [name for name in columns_of(ledger, "votes") if name in wanted]
    asked = [CATEGORY_SQL if name == "category" else name for name in more]
    query = f"SELECT {', '.join(['rowid', 'model_a', 'model_b', CODE_SQL, *asked])} FROM votes ORDER BY rowid"
    reads: list[Read] = [None, names, names, None, *(optional[name] for name in more)]
    rowid, a, b, codes, *rest = fetch(ledger.execute(query), reads)
    check_codes(path, ledger, keys_of(names), codes)
    found = dict(zip(more, rest, strict=True))
    outcome = codes & OUTCOME
    time, notes = found.get("created"), []
    if time is not None and (unread := time == UNREADABLE).any():
        notes.append(f"{plural(int(unread.sum()), 'vote')} with a time that cannot be read")
        time = np.where(unread, np.nan, time)
    rows = RawVotes(
        names=[*keys_of(names), None],
        a=a,
        b=b,
        outcome=np.where(outcome == MISSING, NO_OUTCOME, outcome).astype(np.int8),
        is_simulated=codes & SIMULATED > 0,
        voter=found.get("visitor"),
        voter_ids=ShortHashes(keys_of(voters)),
        probability=found.get("probability"),
        time=time,
        notes=tuple(notes),
        category=found.get("category"),
        categories=(*((() if is_blank(name) else (name,)) for name in keys_of(categories)), ()),
    )
    return rows, rowid


class ShortHashes(Sequence[str]):
    """The names of a ledger's visitors in reports: the start of the SHA-256 of each id, which itself is private."""

    def __init__(self, ids: Sequence[str]) -> None:
        """Take the ids in order."""
        self._ids = ids

    def __len__(self) -> int:
        """Return how many visitors there are."""
        return len(self._ids)

    def __getitem__(self, place: Any) -> Any:
        """Return the name of one, ten hexadecimal digits."""
        return sha256(str(self._ids[place]).encode()).hexdigest()[:10]


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
    own, *found = fetch(ledger.execute(query), [None, *reads])
    use = np.isin(own, kept)
    return _Beside(kept, np.searchsorted(kept, own[use])), [column[use] for column in found]
