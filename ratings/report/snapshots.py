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
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from common.files import write_files
from common.words import one_line
from ratings.errors import OutputError, VotesError
from ratings.report.folder import LATEST, STAMP, aside, check_folder

LARGEST = 2**53
"""No number on a board comes near it; infinity and whole numbers of any length do not pass."""

_COLUMNS = {"model", "rating", "lower", "upper", "rank", "votes", "wins", "losses", "ties", "both_bad"}


def write_snapshot(root: Path, texts: Mapping[str, str | bytes], *, now: datetime) -> Path:
    """Write `texts` by name into a folder of their own under `root`, point `latest` to it, return it.

    `now` must know its offset from UTC. A second snapshot within a second gets "-2" behind its name.
    Raises OutputError where that cannot be done; what stood there before then still does.
    """
    name = now.astimezone(UTC).strftime(STAMP)
    try:
        root.mkdir(parents=True, exist_ok=True)
        check_folder(root, texts)
        with aside(root) as unfinished:
            write_files(unfinished / name, texts)
            folder = _settle(unfinished / name, root, name)
            _point(root, folder.name, unfinished)
    except OSError as problem:
        raise OutputError(f"{root}: cannot be written: {problem.strerror}") from None
    return folder


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
    except (OSError, ValueError, RecursionError) as problem:
        raise VotesError(f"{path}: cannot be read as a board: {one_line(str(problem), 100)}") from None
    if not isinstance(board, dict) or not {"created", "method", "settings", "votes", "rows"} <= board.keys():
        raise VotesError(f"{path}: is not a board; it lacks created, method, settings, votes or rows")
    if not (
        isinstance(board["created"], str)
        and isinstance(board["rows"], list)
        and isinstance(board["settings"], dict)
        and isinstance(board["votes"], dict)
        and _is_number(board["votes"].get("read"))
    ):
        raise VotesError(f"{path}: is not a board; its created, rows, settings or votes are of another kind")
    for number, row in enumerate(board["rows"], 1):
        if not isinstance(row, dict) or not row.keys() >= _COLUMNS:
            raise VotesError(f"{path}: row {number} is not a model's; it lacks one of {', '.join(sorted(_COLUMNS))}")
        values = [row[name] for name in _COLUMNS - {"model", "rank"} if row[name] is not None]
        if not isinstance(row["model"], str) or not all(map(_is_number, values)):
            raise VotesError(f"{path}: row {number} is not a model's; it holds a value that is no finite number")
    return board


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


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


def _point(root: Path, name: str, unfinished: Path) -> None:
    """Make `latest` name the folder, in one step."""
    pointer = unfinished / LATEST
    try:
        pointer.symlink_to(name, target_is_directory=True)
    except (OSError, NotImplementedError):  # a file system, or a Windows user, without links
        pointer.unlink(missing_ok=True)
        pointer.write_text(f"{name}\n", encoding="utf-8")
    os.replace(pointer, root / LATEST)
