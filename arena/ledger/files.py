"""The files of an open ledger, watched for what befalls them from outside: deleted, replaced, written over.

An open file that was deleted still takes writes, which nobody would ever read, and one that another was copied over
would be made a mixture of both. Deletion and replacement show in the files' identities. Writing over shows in a stamp:
a random number in SQLite's header (user_version), which changes whenever the log is written into the main file, so
that the stamp on disk is known, and a file with the same stamp has the same content.
"""

import contextlib
import os
import secrets
import shutil
import sqlite3
from pathlib import Path

BESIDE = ("-wal", "-shm")  # the write-ahead log and its index, which SQLite keeps by a ledger in use
STAMP = (60, 4)  # where the header of a database has its user_version: offset and bytes, big-endian
WRITE_VERSION = 18  # where it says whether it has a log (2) or not (1)
WRITES_PER_CHECKPOINT = 100  # some 4 MB of log


class LedgerFiles:
    """The main file, the log and its index, as one connection has them open."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Remember which files they are, and from now on write the log into the main file by checkpoint alone."""
        self.path = path
        self._connection = connection
        self._identities = _identities(path)
        self._rescued: Path | None = None
        self._overwritten = ""
        self._stamps: set[int] = set()  # those that the file may have; none before the first write
        self._data_version = 0  # SQLite's count of what other connections have committed
        self._writes = 0
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        # Open until close: closing any descriptor of a file drops every lock that this process has on it (POSIX).
        self._opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def before_write(self) -> None:
        """Check that the files are the ones that were opened, and now and then write the log into the main file.

        Raises:
            OSError: they are not; says what is kept where.
            sqlite3.Error: the ledger is locked or cannot be written.
        """
        self.require_same()
        if not self._stamps or self._writes >= WRITES_PER_CHECKPOINT:
            self._checkpoint()
        self._writes += 1

    def require_same(self) -> None:
        """Check that the files are the ones that were opened.

        Raises:
            OSError: they are not; says what is kept where.
        """
        try:
            is_same = _identities(self.path) == self._identities
        except FileNotFoundError:
            is_same = self._overwritten != ""
        if not is_same and not self._overwritten:
            raise OSError(f"it was deleted or replaced while in use: what it held is in {self._rescue()}")
        self._rescued = None  # a file that was moved away and back goes on
        if self._overwritten or not self._is_stamped():
            self._overwritten = self._overwritten or self._take_log()
            raise OSError(
                "another file was copied over it while in use: stop the arena, put back what the ledger should be "
                f"(python -m arena.backup --restore), start again; the log of the old one is {self._overwritten}"
            )

    def close(self, busy_seconds: float) -> bool:
        """Write everything into the main file, if it is still the same, and close; say whether no log is left.

        Raises:
            OSError: the files are not the ones that were opened: nothing was written into them.
            sqlite3.Error: the ledger cannot be written.
        """
        is_same = False
        try:
            self.require_same()
            is_same = True
            self._connection.execute(f"PRAGMA busy_timeout = {int(busy_seconds * 1000)}")
            is_busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            return not is_busy
        finally:
            self._connection.close()
            if not is_same and not self._overwritten:
                self._move_log_aside()
            os.close(self._opened)

    def _checkpoint(self) -> None:
        stamp = secrets.randbits(31)
        before = self._stamp()
        self._connection.execute(f"PRAGMA user_version = {stamp}")
        self._stamps |= {before, stamp}
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        if self._stamp() == stamp:  # readers of the log may hold it back
            self._stamps = {stamp}
        self._data_version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        self._writes = 0

    def _is_stamped(self) -> bool:
        if not self._stamps:
            return True
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        found = self._stamp()
        if found not in self._stamps and version == self._data_version:
            return False
        # Whatever changed came through SQLite, from another program, and is in order.
        self._stamps.add(found)
        self._data_version = version
        return True

    def _stamp(self) -> int:
        offset, n_bytes = STAMP
        return int.from_bytes(os.pread(self._opened, n_bytes, offset).ljust(n_bytes, b"\0"))

    def _take_log(self) -> str:
        """Copy the log away and empty it: SQLite writes it into the main file when the connection is closed."""
        real = self.path.resolve()
        own, aside = Path(f"{real}-wal"), _free(Path(f"{real}.overwritten-wal"))
        shutil.copyfile(own, aside)
        os.truncate(own, 0)
        for ending in BESIDE:
            Path(f"{real}{ending}").unlink()  # whoever opens the file that is there now begins a log of its own
        return aside.name

    def _move_log_aside(self) -> None:
        """Move the log of a file that was replaced away: SQLite would write it into the one that has its place now."""
        real = self.path.resolve()
        for ending, own in zip(BESIDE, self._identities[1:], strict=True):
            left = real.with_name(real.name + ending)
            with contextlib.suppress(OSError):
                about = left.stat()
                if (about.st_dev, about.st_ino) == own:
                    left.replace(real.with_name(f"{real.name}.replaced{ending}"))

    def _rescue(self) -> Path:
        """Write what the deleted file held, which this process still has open, beside it."""
        if self._rescued is None:
            aside = self.path.with_name(self.path.name + ".rescued")
            part = aside.with_name(aside.name + ".part")
            part.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            try:
                with contextlib.closing(sqlite3.connect(part)) as copy:
                    self._connection.backup(copy)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            self._rescued = part.rename(_free(aside))
        return self._rescued


def require_own_log(path: Path) -> None:
    """Check, before a ledger is opened, that a log beside it is its own: SQLite would write any into it.

    Raises:
        OSError: a copy that has no log was put beside the log of another file.
    """
    log = Path(f"{path.resolve()}-wal")
    if not path.is_file() or not log.exists() or not log.stat().st_size:
        return
    with path.open("rb") as file:
        header = file.read(100)
    if header[WRITE_VERSION : WRITE_VERSION + 1] == b"\1":
        raise OSError(f"{log} is the log of another file that was here: move both away, then restore the copy")


def _identities(path: Path) -> list[tuple[int, int]]:
    """Return device and inode of the ledger, of its write-ahead log and of the log's index."""
    real = path.resolve()  # SQLite writes the log beside the file, not beside a link to it
    found = [os.stat(f"{real}{ending}") for ending in ("", *BESIDE)]
    return [(each.st_dev, each.st_ino) for each in found]


def _free(path: Path) -> Path:
    """Return the path, or the first of path-2, path-3 and so on, that nothing has: what is there is never lost."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
