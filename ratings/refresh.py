"""Counts kept beside the ledger, so that new votes are counted without reading the old ones again.

The arena owns the ledger and nobody else writes to it, so the counts live in a file of their own,
`FILE.counts` beside `FILE`: the counts of all votes and of each category, with the rowid they go up
to. A refresh adds the votes beyond it. The file is a cache that may be deleted at any time. It is
written aside and renamed, so a killed process leaves the earlier one; of two processes at once the
later rename wins, and either file is whole, as counts and rowid stand in it together. A file that
cannot be read or written only costs time.

Votes are only ever added, but a ledger may be mended by hand, replaced or vacuumed. Everything is
counted again where

- the first vote, or the last one that was counted, is no longer what it was in every field;
- the ledger has not as many votes as were counted, which is asked at every refresh up to a million
  votes and costs too much beyond;
- some pairs, others at each refresh, no longer have the outcomes that were counted;
- `recount` asks for it. A ledger changed by hand should be read so once.
"""

import json
import os
import sqlite3
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ratings.counts import (
    ALL,
    Counts,
    count_groups_by_category,
    count_pair,
    count_rows,
    merge,
    open_ledger,
    read_groups,
    read_row,
)

COUNT_UP_TO = 1_000_000
"""Votes up to which every refresh compares their number."""

AUDITED_VOTES = 4_000
AUDITED_PAIRS = 100
"""How many votes and pairs a refresh counts again, at most about, to see whether they changed."""

_VERSION = 1
_STALE = 3600.0
"""Seconds after which a file written aside has nobody who will rename it."""


@dataclass(frozen=True)
class Stored:
    """Counts up to a rowid, and what the ledger looked like."""

    counts: dict[str, Counts]
    """Of each category, and under ALL of all votes."""
    first: tuple[int, str] | None
    """Rowid and fields of the first vote; None for an empty ledger."""
    last: tuple[int, str] | None
    """The same of the last vote that was counted."""
    categories: tuple[str, ...] = ()
    """Every category, blank ones included; empty for a ledger without them."""


def refresh_counts(path: Path, roster: tuple[str, ...] = (), *, recount: bool = False) -> Counts:
    """Return the counts of the ledger at `path`, reading only the votes since the last call.

    The result is that of `read_ledger`, and so are the errors. With `recount` all votes are read.
    """
    return refresh_counts_by_category(path, roster, recount=recount)[ALL]


def refresh_counts_by_category(path: Path, roster: tuple[str, ...] = (), *, recount: bool = False) -> dict[str, Counts]:
    """Return what `read_ledger_by_category` does, reading only the votes since the last call."""
    with open_ledger(path) as ledger:
        ledger.execute("BEGIN")  # all that follows sees the ledger of one moment
        last = read_row(ledger, "last")
        stored = None if recount else _load(stored_path(path))
        fresh = stored and _advance(path, ledger, stored, last)
        if fresh is None:
            groups = read_groups(path, ledger)
            counted = count_groups_by_category(groups)
            fresh = Stored(counted, read_row(ledger, "first"), last, tuple(groups.categories))
    if fresh is not stored:
        _save(stored_path(path), fresh)
    if set(roster) <= set(fresh.counts[ALL].models):
        return fresh.counts
    return {name: merge(counts, _nothing(roster)) for name, counts in fresh.counts.items()}


def stored_path(path: Path) -> Path:
    """Return where the counts of the ledger at `path` are kept."""
    return path.with_name(f"{path.name}.counts")


def _advance(path: Path, ledger: sqlite3.Connection, stored: Stored, last: tuple[int, str] | None) -> Stored | None:
    """Return `stored` with the votes since then, or None where the old ones are not what they were."""
    if stored.first is None or stored.last is None or last is None:
        return None
    if read_row(ledger, "first") != stored.first or read_row(ledger, stored.last[0]) != stored.last:
        return None
    total = stored.counts[ALL]
    new = read_groups(path, ledger, after=stored.last[0]) if last != stored.last else None
    added = 0 if new is None else int(new.votes.sum())
    if total.read <= COUNT_UP_TO and count_rows(ledger) != total.read + added:
        return None
    if not _audit(ledger, stored):
        return None
    if new is None:
        return stored
    counted = count_groups_by_category(new)
    if bool(new.categories) != bool(stored.categories):
        return None  # the ledger has gained the column since
    before, after = _nothing(total.models), _nothing(counted[ALL].models)  # each category has all models
    merged = {
        name: merge(stored.counts.get(name, before), counted.get(name, after))
        for name in sorted(stored.counts | counted)
    }
    return Stored(merged, stored.first, last, tuple(dict.fromkeys([*stored.categories, *new.categories])))


def _audit(ledger: sqlite3.Connection, stored: Stored) -> bool:
    """Return whether a few pairs have the outcomes that were counted; which ones changes with the last vote."""
    total = stored.counts[ALL]
    if stored.last is None or len(total.pairs) == 0:
        return True
    start = stored.last[0] * 2_654_435_761 % len(total.pairs)  # Knuth's multiplicative hash
    votes = 0.0
    for row in (start + np.arange(min(AUDITED_PAIRS, len(total.pairs)))) % len(total.pairs):
        a, b = (total.models[model] for model in total.pairs[row])
        votes += total.outcomes[row].sum()
        if votes > AUDITED_VOTES:
            return True
        if (count_pair(ledger, a, b, list(stored.categories), stored.last[0]) != total.outcomes[row]).any():
            return False
    return True


def _nothing(models: tuple[str, ...]) -> Counts:
    return Counts(tuple(sorted(set(models))), np.zeros((0, 2), np.int64), np.zeros((0, 4)), 0)


def _load(path: Path) -> Stored | None:
    try:
        with path.open("rb") as whole, np.load(whole, allow_pickle=False) as file:
            about: dict[str, Any] = json.loads(bytes(file["about"]))
            if about["version"] != _VERSION:
                return None
            counts = {
                entry["name"]: Counts(
                    tuple(about["models"]),
                    file[f"pairs{number}"].astype(np.int64),
                    file[f"outcomes{number}"].astype(np.float64),
                    entry["read"],
                    entry["left_out"],
                    entry["simulated"],
                )
                for number, entry in enumerate(about["counts"])
            }
        first, last = (row and (row[0], row[1]) for row in (about["first"], about["last"]))
        return Stored(counts, first, last, tuple(about["categories"]))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def _save(path: Path, stored: Stored) -> None:
    about = {
        "version": _VERSION,
        "models": stored.counts[ALL].models,
        "first": stored.first,
        "last": stored.last,
        "categories": stored.categories,
        "counts": [
            {"name": name, "read": counts.read, "left_out": counts.left_out, "simulated": counts.simulated}
            for name, counts in stored.counts.items()
        ],
    }
    arrays = {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
    for number, counts in enumerate(stored.counts.values()):
        arrays[f"pairs{number}"] = counts.pairs.astype(np.int32)
        arrays[f"outcomes{number}"] = counts.outcomes.astype(np.int64)
    aside = None
    try:
        for left in path.parent.glob(f".{path.name}.*"):  # by a process that was killed
            if time.time() - left.stat().st_mtime > _STALE:
                left.unlink(missing_ok=True)
        handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(handle, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.chmod(aside, 0o644)  # mkstemp's files are private to their owner
        os.replace(aside, path)
    except OSError:
        if aside is not None:
            Path(aside).unlink(missing_ok=True)
