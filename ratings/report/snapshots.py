"""Boards kept over time: one folder for each snapshot, and a pointer to the latest.

    DIR/2030-01-02T03-04-05Z/leaderboard.json, .csv, .html
    DIR/latest -> 2030-01-02T03-04-05Z

A snapshot is written aside and renamed once it is complete, and the pointer is replaced in one step,
so a reader meets the earlier snapshot or the new one, never half of either. `latest` is a relative
symbolic link, so the whole folder can be moved; where links are not possible it is a text file that
holds the folder's name. Snapshots are never overwritten.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from common.files import write_files
from ratings.errors import OutputError, VotesError

LATEST = "latest"

_STAMP = "%Y-%m-%dT%H-%M-%SZ"  # a colon cannot stand in a file's name everywhere
_COLUMNS = {"model", "rating", "lower", "upper", "rank", "votes", "wins", "losses", "ties", "both_bad"}


def write_snapshot(root: Path, texts: Mapping[str, str | bytes], *, now: datetime) -> Path:
    """Write `texts` by name into a folder of their own under `root`, point `latest` to it, return it.

    `now` must know its offset from UTC. A second snapshot within a second gets "-2" behind its name.
    Raises OutputError where that cannot be done; what stood there before then still does.
    """
    name = now.astimezone(UTC).strftime(_STAMP)
    aside = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        if (root / LATEST).is_dir() and not (root / LATEST).is_symlink():
            raise OutputError(f"{root / LATEST}: is a folder of its own; move it away, the name is for the pointer")
        aside = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=root))
        write_files(aside, texts)
        aside.chmod(0o755)  # mkdtemp's folders are private to their owner
        folder = _settle(aside, root, name)
        _point(root, folder.name)
    except OSError as problem:
        raise OutputError(f"{root}: cannot be written: {problem.strerror}") from None
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
    return folder


def list_snapshots(root: Path) -> list[Path]:
    """Return the complete snapshots under `root`, oldest first."""
    found = [(stamp, path) for path in root.iterdir() if (stamp := _read_stamp(path))] if root.is_dir() else []
    return [path for _, path in sorted(found)]


def latest_snapshot(root: Path) -> Path | None:
    """Return the folder `latest` points to, or None where there is none yet.

    Raises VotesError where the pointer leads nowhere.
    """
    pointer = root / LATEST
    if not pointer.is_symlink() and not pointer.exists():
        return None
    name = os.readlink(pointer) if pointer.is_symlink() else pointer.read_text(encoding="utf-8").strip()
    if not (root / name).is_dir():
        raise VotesError(f"{pointer}: points to {name!r}, which is not there; remove it or write a new snapshot")
    return root / name


def read_board(folder: Path) -> dict[str, Any]:
    """Return a snapshot's leaderboard.json; raise VotesError where it is missing or broken."""
    path = folder / "leaderboard.json"
    try:
        board = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise VotesError(f"{path}: no such file; expected a snapshot of a board") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise VotesError(f"{path}: cannot be read as a board: {problem}") from None
    if not isinstance(board, dict) or not {"created", "method", "settings", "votes", "rows"} <= board.keys():
        raise VotesError(f"{path}: is not a board; it lacks created, method, settings, votes or rows")
    for number, row in enumerate(board["rows"], 1):
        if not isinstance(row, dict) or not row.keys() >= _COLUMNS:
            raise VotesError(f"{path}: row {number} is not a model's; it lacks one of {', '.join(sorted(_COLUMNS))}")
    return board


def _settle(aside: Path, root: Path, name: str) -> Path:
    """Rename the complete folder to the first free name; a folder with files is never replaced."""
    for number in count(1):
        folder = root / (name if number == 1 else f"{name}-{number}")
        try:
            if not folder.exists():
                aside.rename(folder)
                return folder
        except OSError:
            if not folder.exists():
                raise  # not a race for the name
    raise AssertionError("unreachable")


def _point(root: Path, name: str) -> None:
    """Make `latest` name the folder, in one step."""
    with tempfile.TemporaryDirectory(prefix=f".{LATEST}.", dir=root) as folder:
        pointer = Path(folder) / LATEST
        try:
            pointer.symlink_to(name, target_is_directory=True)
        except (OSError, NotImplementedError):  # a file system, or a Windows user, without links
            pointer.unlink(missing_ok=True)
            pointer.write_text(f"{name}\n", encoding="utf-8")
        os.replace(pointer, root / LATEST)


def _read_stamp(path: Path) -> tuple[datetime, int] | None:
    """Return when a snapshot was made, and its number within that second; None for any other file."""
    stamp, _, number = path.name.partition("Z")
    try:
        made = datetime.strptime(f"{stamp}Z", _STAMP), int(number.removeprefix("-") or 1)
    except ValueError:
        return None
    return made if path.is_dir() else None
