"""Whether a write-ahead log beside a ledger belongs to it, checked before the ledger is opened.

SQLite writes any log that it finds into the main file. A killed arena leaves its log behind; if a copy then replaced
the main file, SQLite would mix the two.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

STAMP = slice(60, 64)  # of a database's header: user_version, big-endian
STAMPS = 1 << 31
WRITE_VERSION = 18  # of the header: 2 with a log, 1 without
LOG_HEADER, FRAME_HEADER = 32, 24  # bytes


def require_own_log(path: Path) -> None:
    """Check that a log beside a ledger belongs to it, by its stamp (arena/ledger/files.py), if it has one.

    Raises:
        OSError: it is another file's log.
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
    """Yield the stamps in a log, one from each frame with the first page, oldest first."""
    with log.open("rb") as file:
        header = file.read(LOG_HEADER)
        page, salts = int.from_bytes(header[8:12]), header[16:24]
        while len(frame := file.read(FRAME_HEADER)) == FRAME_HEADER and frame[8:16] == salts:
            content = file.read(page)
            if frame[:4] == b"\0\0\0\1" and len(content) == page:
                yield int.from_bytes(content[STAMP])


def frame_size(page: int) -> int:
    """Return the size in a log of a page of so many bytes."""
    return FRAME_HEADER + page


def free_name(path: Path) -> Path:
    """Return the path, or the first of path-2, path-3 and so on, that does not exist yet."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
