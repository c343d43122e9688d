"""Who cast each vote of a ledger, kept up to date in a running process: a refresh reads only the votes since the last.

A million votes take some ten megabytes beside the names of their voters. live.py decides when the votes have to be
read anew.
"""

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings.ledger.access import CODE_SQL, MISSING, OUTCOME, check_codes, fetch
from ratings.votes.collect import keys_of, numbering
from ratings.votes.counts import Counts
from ratings.votes.votes import Votes, is_blank


class LiveVoters:
    """The usable votes of one ledger, as sides, outcomes and voters."""

    def __init__(self) -> None:
        """Start without a vote."""
        self.last = 0
        self._names, self._voters = numbering(), numbering()
        self._columns: list[NDArray[Any]] = [np.zeros(0, kind) for kind in (np.int32, np.int32, np.int8, np.int32)]

    def extend(self, path: Path, ledger: sqlite3.Connection) -> None:
        """Read the votes with a rowid beyond the last; raises as `reader.read_ledger` does."""
        query = (
            f"SELECT rowid, model_a, model_b, {CODE_SQL}, visitor FROM votes WHERE rowid > {self.last} ORDER BY rowid"
        )
        rowid, a, b, codes, voter = fetch(ledger.execute(query), [None, self._names, self._names, None, self._voters])
        names = keys_of(self._names)
        check_codes(path, ledger, names, codes)
        outcome = codes & OUTCOME
        blank = np.array([*map(is_blank, names), True])  # the last is for -1, a missing name
        use = ~blank[a] & ~blank[b] & (a != b) & (outcome < MISSING)
        unsaid = use & (voter < 0)
        voter[unsaid] = [self._voters["", row] for row in rowid[unsaid].tolist()]  # such a vote stands for itself
        self._columns = [
            np.concatenate([old, new[use].astype(old.dtype)])
            for old, new in zip(self._columns, (a, b, outcome, voter), strict=True)
        ]
        self.last = int(rowid.max(initial=self.last))

    def votes(self, counts: Counts) -> Votes:
        """Return the votes, which are those of the `counts`, over the same models."""
        a, b, outcome, voter = self._columns
        numbers = {name: number for number, name in enumerate(counts.models)}
        place = np.array([numbers.get(name, -1) for name in keys_of(self._names)], dtype=np.int32)
        return Votes(
            models=counts.models,
            a=place[a],
            b=place[b],
            outcome=outcome,
            read=counts.read,
            left_out=dict(counts.left_out),
            simulated=counts.simulated,
            voter=voter,
        )
