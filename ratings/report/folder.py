"""The folder that boards are kept in: what in it is this program's, and what killed runs left there.

A name that this program would replace is its own where it is a link that this program makes, or, where links cannot be
made, a copy of a file in one of the snapshots. Whatever else has the name belongs to somebody else and is refused.

What is not complete yet lies in a hidden folder, locked as long as its run lives (flock(2)). The system drops the lock
of a killed run, so a folder that can be locked is nobody's, and the next run removes it. Where there are no such
locks nothing is removed.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from ratings.errors import OutputError

LATEST = "latest"

STAMP = "%Y-%m-%dT%H-%M-%SZ"  # a colon cannot stand in a file's name everywhere

ASIDE = ".arena-ratings."
"""How the names of hidden folders begin."""


def list_snapshots(root: Path) -> list[Path]:
    """Return the complete snapshots under `root`, oldest first."""
    found = [(stamp, path) for path in root.iterdir() if (stamp := _read_stamp(path))] if root.is_dir() else []
    return [path for _, path in sorted(found)]


def check_folder(root: Path, names: Iterable[str]) -> None:
    """Raise OutputError where a snapshot with these files under `root` would replace what is not this program's."""
    try:
        if not root.exists():
            return
        if not root.is_dir():
            raise OutputError(f"{root}: cannot be written: it is a file; give --out a folder")
        taken = [name for name in names if not _is_own_file(root, name)]
        if not _is_own_pointer(root / LATEST):
            taken.append(LATEST)
    except OSError as problem:
        raise OutputError(f"{root}: cannot be looked at: {problem.strerror}") from None
    if taken:
        raise OutputError(
            f"{root / taken[0]}: was not written by this program, which would replace it; move it away, or give --out "
            "another folder"
        )


@contextmanager
def aside(root: Path) -> Iterator[Path]:
    """Yield a hidden folder under `root` for what is not complete; it is removed at the end.

    What killed runs left is removed first. Raises OSError where `root` cannot be written.
    """
    for left in sorted(root.glob(f"{ASIDE}*")):
        with suppress(OSError):
            handle = _lock(left)
            if handle is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(handle)
    made, handle = _new(root)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def is_link_to(path: Path, target: str) -> bool:
    """Return whether the path is a symbolic link with exactly this target."""
    return path.is_symlink() and Path(os.readlink(path)) == Path(target)


def _new(root: Path) -> tuple[Path, int | None]:
    """Return a new folder and its lock; another run may take it for a dead one until it is locked."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=ASIDE, dir=root))
        try:
            handle = _lock(made)
        except (FileNotFoundError, BlockingIOError):
            continue
        if made.is_dir():
            return made, handle
        if handle is not None:
            os.close(handle)


def _lock(folder: Path) -> int | None:
    """Return a handle that holds the folder's lock, or None where there are no locks.

    Raises BlockingIOError where another run holds it, and FileNotFoundError.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:  # a file system without locks
        os.close(handle)
        return None
    return handle


def _is_own_pointer(pointer: Path) -> bool:
    if pointer.is_symlink():
        return _parse(os.readlink(pointer)) is not None
    if not pointer.exists():
        return True
    return pointer.is_file() and pointer.stat().st_size < 100 and _parse(_text(pointer)) is not None


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace").strip()


def _is_own_file(root: Path, name: str) -> bool:
    path = root / name
    if path.is_symlink():
        return is_link_to(path, f"{LATEST}/{name}")
    if not path.exists():
        return True
    if not path.is_file():
        return False
    copies = (folder / name for folder in reversed(list_snapshots(root)) if (folder / name).is_file())
    size = path.stat().st_size
    return any(copy.stat().st_size == size and copy.read_bytes() == path.read_bytes() for copy in copies)


def _read_stamp(path: Path) -> tuple[datetime, int] | None:
    """Return when a snapshot was made, and its number within that second; None for any other file."""
    made = _parse(path.name)
    return made if made and path.is_dir() else None


def _parse(name: str) -> tuple[datetime, int] | None:
    stamp, _, number = name.partition("Z")
    try:
        return datetime.strptime(f"{stamp}Z", STAMP), int(number.removeprefix("-") or 1)
    except ValueError:
        return None
