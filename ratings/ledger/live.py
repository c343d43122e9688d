"""Counts kept up to date in a running process: a refresh reads only the votes since the last one.

The ledger records how many votes were ever added, and how often one was deleted or updated. Where the
first has grown by as many votes as lie beyond the last rowid seen, and the second has not moved, the
new votes are added to the old counts. In all other cases everything is counted again: a vote was
taken back or mended, the ledger was compacted so that rowids moved, or another file has its place. A
ledger that keeps no such record is counted again every time.

Where enough voters cast the votes to group them by, the votes themselves are kept too, by the same rules.
"""

import sqlite3
import threading
from pathlib import Path
from typing import NamedTuple

from ratings.ledger.access import open_ledger
from ratings.ledger.groups import read_groups
from ratings.ledger.live_voters import LiveVoters
from ratings.ledger.reader import Mark, read_mark
from ratings.ledger.voters import voters_of
from ratings.votes.clusters import ClusterSizes
from ratings.votes.counts import Counts, count_groups, merge
from ratings.votes.votes import Votes


class LiveBoard(NamedTuple):
    """What a board needs to know of a ledger at one moment."""

    counts: Counts
    votes: Votes | None
    """Those that were counted, with who cast them, where they can be grouped by that."""
    voters: ClusterSizes | None
    """How they are spread; None where the ledger does not record who cast them."""


class LiveCounts:
    """The counts of one ledger. Its methods may be called from any thread."""

    def __init__(self, path: Path, roster: tuple[str, ...] = ()) -> None:
        """Remember which ledger to read; models of the `roster` are included even without a vote."""
        self.path, self.roster = path, roster
        self._lock = threading.Lock()
        self._seen: tuple[tuple[int, int], Mark, Counts] | None = None
        self._voters: LiveVoters | None = None
        self._sizes: tuple[int, ClusterSizes | None] | None = None

    def refresh(self) -> Counts:
        """Return what `reader.read_ledger` does, with the same errors; the same object where nothing has changed."""
        with self._lock, open_ledger(self.path) as ledger:
            ledger.execute("BEGIN")  # all that follows sees the ledger of one moment
            return self._count(ledger)

    def refresh_board(self) -> LiveBoard:
        """Return what `refresh` does, and who cast the votes."""
        with self._lock, open_ledger(self.path) as ledger:
            ledger.execute("BEGIN")
            counts = self._count(ledger)
            if self._voters is None:
                sizes = self._spread(ledger, counts.used)
                if sizes is None or not sizes.is_enough:
                    return LiveBoard(counts, None, sizes)
            kept = self._voters or LiveVoters()
            kept.extend(self.path, ledger)
            self._voters = kept if self._seen else None
            votes = kept.votes(counts)
            return LiveBoard(counts, votes, None)

    def _spread(self, ledger: sqlite3.Connection, used: int) -> ClusterSizes | None:
        """Return how the votes are spread over the voters, as it was where they are many and few have come since."""
        if self._sizes and self._sizes[0] <= used < self._sizes[0] + used // 200:
            return self._sizes[1]
        sizes = voters_of(ledger)
        self._sizes = (used, sizes)
        return sizes

    def _count(self, ledger: sqlite3.Connection) -> Counts:
        about = self.path.stat()
        file, mark = (about.st_dev, about.st_ino), read_mark(ledger)
        counts = None
        if self._seen and mark and self._seen[0] == file and self._seen[1].mended == mark.mended:
            _, before, counts = self._seen
            if mark != before:
                new = count_groups(read_groups(self.path, ledger, after=before.last))
                counts = merge(counts, new) if new.read == mark.added - before.added else None
        if counts is None:
            self._voters = None
            counts = count_groups(read_groups(self.path, ledger), self.roster)
        self._seen = (file, mark, counts) if mark else None
        return counts
