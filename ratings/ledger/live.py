"""Counts kept up to date in a running process: a refresh reads only the votes since the last one.

The ledger records how many votes were ever added, and how often one was deleted or updated. Where the
first has grown by as many votes as lie beyond the last rowid seen, and the second has not moved, the
new votes are added to the old counts. In all other cases everything is counted again: a vote was
taken back or mended, the ledger was compacted so that rowids moved, or another file has its place. A
ledger that keeps no such record is counted again every time.
"""

import threading
from pathlib import Path

from ratings.ledger.access import open_ledger
from ratings.ledger.groups import read_groups
from ratings.ledger.reader import Mark, read_mark
from ratings.votes.counts import Counts, count_groups, merge


class LiveCounts:
    """The counts of one ledger. Its method may be called from any thread."""

    def __init__(self, path: Path, roster: tuple[str, ...] = ()) -> None:
        """Remember which ledger to read; models of the `roster` are included even without a vote."""
        self.path, self.roster = path, roster
        self._lock = threading.Lock()
        self._seen: tuple[tuple[int, int], Mark, Counts] | None = None

    def refresh(self) -> Counts:
        """Return what `reader.read_ledger` does, with the same errors; the same object where nothing has changed."""
        with self._lock, open_ledger(self.path) as ledger:
            ledger.execute("BEGIN")  # all that follows sees the ledger of one moment
            about = self.path.stat()
            file, mark = (about.st_dev, about.st_ino), read_mark(ledger)
            counts = None
            if self._seen and mark and self._seen[0] == file and self._seen[1].mended == mark.mended:
                _, before, counts = self._seen
                if mark != before:
                    new = count_groups(read_groups(self.path, ledger, after=before.last))
                    counts = merge(counts, new) if new.read == mark.added - before.added else None
            if counts is None:
                counts = count_groups(read_groups(self.path, ledger), self.roster)
            self._seen = (file, mark, counts) if mark else None
            return counts
