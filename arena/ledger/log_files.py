"""A write-ahead log that lies beside a ledger before it is opened: whether it is the ledger's own.

SQLite writes any log that it finds into the main file. After a kill, whose log stays, a copy that is put in the place
of the main file would become a mixture of both.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

STAMP = slice(60, 64)  # where the header of a database has its user_version, big-endian
STAMPS = 1 << 31
WRITE_VERSION = 18  # where it says whether it has a log (2) or not (1)
LOG_HEADER, FRAME_HEADER = 32, 24  # bytes


def require_own_log(path: Path) -> None:
    """Check that a log beside a ledger belongs to it: by its stamp (arena/ledger/files.py), where it has one.

    Raises:
        OSError: it is the log of another file.
    """
    log = Path(f"{path.resolve()}-wal")
    if not path.is_file() or not log.exists() or not log.stat().st_size:
        return
    with path.open("rb") as file:
        header = file.read(100)
    stamp = next(iter(deque(_stamps(log), maxlen=1)), None)
    is_own = stamp is None or (stamp - int.from_bytes(header[STAMP])) % STAMPS in (0, 1)
    if header[WRITE_VERSION : WRITE_VERSION + 1] == b"\1" or not is_own:
        raise OSError(f"{log.name} is the log of another file that was here: move both away, then restore the copy")


def _stamps(log: Path) -> Iterator[int]:
    """Yield the stamp in each frame of a log that holds the first page, oldest first."""
    with log.open("rb") as file:
        header = file.read(LOG_HEADER)
        page, salts = int.from_bytes(header[8:12]), header[16:24]
        while len(frame := file.read(FRAME_HEADER)) == FRAME_HEADER and frame[8:16] == salts:
            content = file.read(page)
            if frame[:4] == b"\0\0\0\1" and len(content) == page:
                yield int.from_bytes(content[STAMP])


def frame_size(page: int) -> int:
    """Return the bytes that a page of so many bytes takes in a log."""
    return FRAME_HEADER + page


def free_name(path: Path) -> Path:
    """Return the path, or the first of path-2, path-3 and so on, that nothing has: what is there is never lost."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
