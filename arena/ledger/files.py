"""The files of an open ledger, watched for changes from outside: deleted, replaced, overwritten, truncated.

An open file that was deleted still accepts writes, which would be lost, and writes into a file that another was copied
over would mix the two. These checks need no lock and take microseconds:

- The identities of the three files, which change if one is deleted or replaced.
- A stamp in the header of the main file (SQLite's user_version), which counts up from a random number whenever the log
  is written into it. So the file has the log's stamp or the one before; another ledger, or an older copy, has not.
- The modification time of the main file. SQLite writes it only in a checkpoint, which the index of the log records.
- The size of the log, which must hold every frame that its index counts.

Formats: https://sqlite.org/fileformat2.html and https://sqlite.org/walformat.html.
"""

import contextlib
import os
import secrets
import shutil
import sqlite3
import struct
import time
from pathlib import Path
from typing import NamedTuple

from arena.ledger.log_files import LOG_HEADER, STAMP, STAMPS, WRITE_VERSION, frame_size, free_name

BESIDE = ("-wal", "-shm")  # the write-ahead log and its index, which SQLite keeps beside a ledger in use
WRITES_PER_CHECKPOINT = 100  # some 4 MB of log
LOOKS, LOOK_SECONDS = 10, 0.02
AHEAD = 1000  # so many stamps more are no older state of the ledger, and no other one by chance
RESTORE = "stop the arena, restore the right ledger (python -m arena.backup --restore), and start again"


class Index(NamedTuple):
    """The state of the log by its index: page size in bytes, frames, salts, and frames already in the main file."""

    page: int
    frames: int
    salts: bytes
    checkpoints: bytes


class LedgerFiles:
    """The main file, the log and its index, as one connection has them open."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Remember which files they are, and take over checkpoints, which write the log into the main file."""
        self.path = path
        self._connection = connection
        self._identities = _identities(path)
        self._rescued: Path | None = None
        self._overwritten = ""  # why nothing is written any more
        self._stamp: int | None = None  # of the log; None before the first write
        self._written = (0, 0)  # when the main file was written last, in nanoseconds, and its size
        self._index = Index(0, 0, b"", b"")
        self._counts = (0, 0)
        self._writes = 0
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        # Open until close: closing any descriptor of a file drops every lock that this process has on it (POSIX).
        self._main, self._shm = (os.open(f"{path.resolve()}{end}", os.O_RDONLY | os.O_CLOEXEC) for end in ("", "-shm"))

    def before_write(self) -> None:
        """Check that the files are the ones that were opened, and now and then write the log into the main file.

        Raises:
            OSError: they are not; the message names the file with the rescued data.
            sqlite3.Error: the ledger is locked or cannot be written.
        """
        self.require_same()
        if self._stamp is None or self._writes >= WRITES_PER_CHECKPOINT:
            self._checkpoint()
        self._writes += 1

    def after_write(self) -> None:
        """Remember how many votes and battles there are now."""
        self._counts = _count(self._connection)

    def require_same(self) -> None:
        """Check that the files are the ones that were opened, and that nothing but SQLite has written into them.

        Raises:
            OSError: they are not; the message names the file with the rescued data.
        """
        if self._overwritten:
            raise OSError(self._overwritten)
        try:
            is_same = _identities(self.path) == self._identities
        except FileNotFoundError:
            is_same = False
        if not is_same:
            raise OSError(f"it was deleted or replaced while in use: what it held is in {self._rescue()}")
        self._rescued = None  # a file that was moved away and back goes on
        if self._stamp is not None and (why := self._why_surely_spoilt()):
            self._overwritten = f"{why}: {RESTORE}; the log so far is {self._take_log()}"
            raise OSError(self._overwritten)

    def close(self, busy_seconds: float) -> bool:
        """Write everything into the main file, if it is still the same, and close; return whether no log is left.

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
            os.close(self._main)
            os.close(self._shm)

    def _checkpoint(self) -> None:
        if not self._read("PRAGMA user_version")[0]:  # a ledger without a stamp so far
            self._connection.execute(f"PRAGMA user_version = {1 + secrets.randbelow(STAMPS - 1)}")
        _, frames, backfilled = self._read("PRAGMA wal_checkpoint(PASSIVE)")
        if frames == backfilled:  # a reader may hold back the rest of the log
            self._stamp = (self._read("PRAGMA user_version")[0] + 1) % STAMPS
            self._connection.execute(f"PRAGMA user_version = {self._stamp}")
            self.after_write()
        self._remember()
        self._writes = 0

    def _read(self, query: str) -> tuple[int, ...]:
        row: tuple[int, ...] = self._connection.execute(query).fetchone()
        return row

    def _remember(self) -> None:
        # The index first: a checkpoint that begins in between then shows in both, and not in the time alone.
        self._index = self._read_index()
        about = os.fstat(self._main)
        self._written = (about.st_mtime_ns, about.st_size)

    def _why_surely_spoilt(self) -> str:
        """Look again where something is wrong: another program may be in the middle of a checkpoint."""
        why = self._why_spoilt()
        for _ in range(LOOKS):
            if not why:
                break
            time.sleep(LOOK_SECONDS)
            why = self._why_spoilt()
        return why

    def _why_spoilt(self) -> str:
        header = os.pread(self._main, 100, 0)
        index = self._read_index()
        if len(header) < 100 or header[WRITE_VERSION] != 2 or not self._is_ours(header):
            return "another file was copied over it while in use"
        log_size = os.stat(f"{self.path.resolve()}-wal").st_size
        if index.frames and log_size < LOG_HEADER + index.frames * frame_size(index.page):
            return "its log was cut while in use"
        about = os.fstat(self._main)
        if (about.st_mtime_ns, about.st_size) == self._written:
            return ""
        index = self._read_index()  # after the time, since a checkpoint is recorded before it writes
        is_by_sqlite = (index.salts, index.checkpoints) != (self._index.salts, self._index.checkpoints)
        if not is_by_sqlite or not self._is_whole():
            return "another file was copied over it while in use"
        self._remember()
        return ""

    def _is_ours(self, header: bytes) -> bool:
        assert self._stamp is not None
        ahead = (int.from_bytes(header[STAMP]) - self._stamp) % STAMPS
        if 0 < ahead < AHEAD:  # another process of this program writes to the ledger, and counts on
            [self._stamp] = self._read("PRAGMA user_version")
            ahead = (int.from_bytes(header[STAMP]) - self._stamp) % STAMPS
        return ahead in (0, STAMPS - 1)

    def _read_index(self) -> Index:
        # The header, and behind its two copies the number of frames already checkpointed; in native byte order.
        page, frames = struct.unpack("=HI", os.pread(self._shm, 6, 14))
        checkpoints = os.pread(self._shm, 4, 96) + os.pread(self._shm, 4, 128)  # frames done, and those begun
        return Index(65536 if page == 1 else page, frames, os.pread(self._shm, 8, 32), checkpoints)

    def _is_whole(self) -> bool:
        """Check the ledger after another program's checkpoint: it must hold at least what was written here."""
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=1)) as fresh:
                is_sound = fresh.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
                return is_sound and all(map(int.__ge__, _count(fresh), self._counts))
        except sqlite3.OperationalError:
            raise  # it cannot be read at the moment
        except sqlite3.DatabaseError:
            return False

    def _take_log(self) -> str:
        """Copy the log away and empty it, since SQLite writes it into the main file when the connection closes."""
        real = self.path.resolve()
        own, aside = Path(f"{real}-wal"), free_name(Path(f"{real}.overwritten-wal"))
        shutil.copyfile(own, aside)
        os.truncate(own, 0)
        for ending in BESIDE:
            Path(f"{real}{ending}").unlink()  # the next to open the new main file begins a log of its own
        return aside.name

    def _move_log_aside(self) -> None:
        """Move the log of a replaced file away, since SQLite would write it into the new file in its place."""
        real = self.path.resolve()
        for ending, own in zip(BESIDE, self._identities[1:], strict=True):
            left = real.with_name(real.name + ending)
            with contextlib.suppress(OSError):
                about = left.stat()
                if (about.st_dev, about.st_ino) == own:
                    left.replace(real.with_name(f"{real.name}.replaced{ending}"))

    def _rescue(self) -> Path:
        """Copy the deleted file, which this process still has open, to a file beside it."""
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
            self._rescued = part.rename(free_name(aside))
        return self._rescued


def _count(ledger: sqlite3.Connection) -> tuple[int, int]:
    """Return the number of votes ever stored and that of the last battle, which never decrease."""
    query = "SELECT (SELECT added FROM vote_changes), (SELECT coalesce(max(rowid), 0) FROM battles)"
    added, last = ledger.execute(query).fetchone()
    return added, last


def _identities(path: Path) -> list[tuple[int, int]]:
    """Return device and inode of the ledger, of its write-ahead log and of the log's index."""
    real = path.resolve()  # SQLite writes the log beside the file, not beside a link to it
    stats = [os.stat(f"{real}{ending}") for ending in ("", *BESIDE)]
    return [(each.st_dev, each.st_ino) for each in stats]
