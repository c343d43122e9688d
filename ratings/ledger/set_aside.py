"""Votes that the arena keeps without counting them: how many, and why.

The ledger holds them in a table of their own, `set_aside(battle_id, ..., reason)`, so that whoever reads `votes`
cannot count them by mistake. A board reports how many there are, beside the votes that could not be used.
"""

import sqlite3
from collections import Counter
from dataclasses import replace

from ratings.votes.counts import Counts
from ratings.votes.votes import Votes


def read_set_aside(ledger: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return (battle, reason) of every vote set aside; none where the ledger has no such table."""
    if not ledger.execute("SELECT 1 FROM sqlite_master WHERE name = 'set_aside'").fetchone():
        return []
    return list(ledger.execute("SELECT 'battle ' || battle_id, reason FROM set_aside ORDER BY created, battle_id"))


def count_set_aside(counts: Counts, ledger: sqlite3.Connection) -> Counts:
    """Return the counts with the votes set aside among what was read and left out."""
    rows = read_set_aside(ledger)
    return replace(counts, read=counts.read + len(rows), left_out=_by_reason(counts.left_out, rows))


def list_set_aside(votes: Votes, ledger: sqlite3.Connection, *, keep_rows: bool) -> Votes:
    """Return the votes with those set aside among what was read and left out; with keep_rows, each is listed."""
    rows = read_set_aside(ledger)
    listed = (*votes.left_out_rows, *rows) if keep_rows else votes.left_out_rows
    left_out = _by_reason(votes.left_out, rows)
    return replace(votes, read=votes.read + len(rows), left_out=left_out, left_out_rows=listed)


def _by_reason(left_out: dict[str, int], rows: list[tuple[str, str]]) -> dict[str, int]:
    return dict(Counter(left_out) + Counter(reason for _, reason in rows))
