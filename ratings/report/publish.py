"""A report to a folder: one snapshot per run, `latest`, and the paths that stay.

    DIR/2030-01-02T03-04-05Z/leaderboard.json, .csv, .html, .png
    DIR/latest -> 2030-01-02T03-04-05Z
    DIR/leaderboard.json -> latest/leaderboard.json, and so the others

Everything is made before anything is written, and the links only ever name a complete snapshot
(snapshots.py). Where links cannot be made the files are copied.
"""

import os
import shutil
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from common.words import one_line
from ratings.analysis.changes import compare_boards
from ratings.errors import OutputError, RatingsError
from ratings.report.folder import LATEST, aside, check_folder, is_link_to
from ratings.report.json import to_csv, to_json
from ratings.report.report import Report
from ratings.report.snapshots import latest_snapshot, read_board, write_snapshot

NAMES = tuple(f"leaderboard.{kind}" for kind in ("json", "csv", "html", "png"))


def check_root(root: Path, *, png: bool = False) -> None:
    """Raise OutputError where a snapshot under `root` would replace what this program did not write."""
    check_folder(root, NAMES if png else NAMES[:-1])


def since_latest(report: Report, root: Path) -> Report:
    """Return the report with what changed since the latest snapshot under `root`, where there is one."""
    try:
        latest = latest_snapshot(root)
        if latest is None:
            return report
        changes = compare_boards(read_board(latest), report.board.to_json_dict())
    except (RatingsError, OSError) as problem:
        why = str(problem)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as problem:
        # Whatever stands in a file of earlier, it is passed over and never in the way of this board.
        why = f"{root / LATEST} is not a board as this program writes it ({type(problem).__name__})"
    else:
        return replace(report, changes=changes)
    return replace(report, notes=(*report.notes, f"changes: {one_line(why, 300)}; the earlier board is passed over"))


def publish(report: Report, root: Path, *, now: datetime, png: bool = False) -> list[Path]:
    """Write the report as a snapshot under `root`, point the links to it, and return its files.

    Raises OutputError where the folder cannot be written; what stood there before then still does.
    """
    from ratings.report.html.page import report_html

    files: dict[str, str | bytes] = {
        "leaderboard.json": to_json(report),
        "leaderboard.csv": to_csv(report.board),
        "leaderboard.html": report_html(report, beside=NAMES[:2]),
    }
    if png:
        files["leaderboard.png"] = _picture(report)
    folder = write_snapshot(root, files, now=now)
    try:
        with aside(root) as unfinished:
            for name in NAMES:
                _link(root, folder, name, unfinished)
    except OSError as problem:
        raise OutputError(f"{root}: cannot be written: {problem.strerror}") from None
    return [folder / name for name in files]


def _picture(report: Report) -> bytes:
    from ratings.report.html.png import write_png

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "leaderboard.png"
        write_png(report, path)
        return path.read_bytes()


def _link(root: Path, folder: Path, name: str, unfinished: Path) -> None:
    """Make `root/name` lead to the file in the latest snapshot, in one step; drop what leads nowhere."""
    target = root / name
    if not (folder / name).exists():
        if is_link_to(target, f"{LATEST}/{name}"):
            target.unlink()
        return
    made = unfinished / name
    try:
        if not (root / LATEST).is_symlink():
            raise NotImplementedError
        made.symlink_to(f"{LATEST}/{name}")
    except (OSError, NotImplementedError):  # a file system, or a Windows user, without links
        shutil.copyfile(folder / name, made)
    os.replace(made, target)
