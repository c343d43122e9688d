"""Snapshots are whole or absent, and what is read back is what was written."""

import json
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ratings.analysis.changes import compare_boards
from ratings.errors import OutputError, VotesError
from ratings.report import snapshots
from ratings.report.folder import list_snapshots
from ratings.report.snapshots import latest_snapshot, read_board, write_snapshot
from tests.ratings.helpers.reports import duel, ranked

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
STAMP = "2030-01-02T03-04-05Z"
PAIRS = np.array([[i, j] for i in range(4) for j in range(4) if i < j])
STRENGTHS = np.array([0.6, 0.2, -0.2, -0.6])


def texts(word: str) -> dict[str, str]:
    return {"leaderboard.json": word, "leaderboard.html": word}


def test_snapshot_is_a_folder_of_its_own_and_latest_points_to_it(tmp_path: Path) -> None:
    root = tmp_path / "boards"
    folder = write_snapshot(root, texts("one"), now=NOW)
    assert folder == root / STAMP
    assert (root / "latest" / "leaderboard.json").read_text() == "one"
    assert os.readlink(root / "latest") == STAMP  # relative, so the whole folder can be moved
    east = NOW.astimezone(timezone(timedelta(hours=9))) + timedelta(days=1)
    later = write_snapshot(root, texts("two"), now=east)
    assert later.name == "2030-01-03T03-04-05Z"
    assert (folder / "leaderboard.json").read_text() == "one"
    assert latest_snapshot(root) == later
    assert list_snapshots(root) == [folder, later]
    assert sorted(path.name for path in root.iterdir()) == [STAMP, later.name, "latest"]
    assert (folder.stat().st_mode & 0o777) == 0o755


def test_snapshots_of_one_second_keep_their_order(tmp_path: Path) -> None:
    folders = [write_snapshot(tmp_path, texts(str(i)), now=NOW) for i in range(11)]
    assert folders[1].name == f"{STAMP}-2"
    assert [(folder / "leaderboard.json").read_text() for folder in folders] == [str(i) for i in range(11)]
    (tmp_path / "notes").mkdir()
    (tmp_path / f"{STAMP}-old").mkdir()
    assert list_snapshots(tmp_path) == folders
    assert list_snapshots(tmp_path / "nowhere") == []


def test_snapshot_that_fails_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_snapshot(tmp_path, texts("one"), now=NOW)

    def full(*_: Any) -> None:
        raise OutputError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "write_files", full)
        with pytest.raises(OutputError, match="disk full"):
            write_snapshot(tmp_path, texts("two"), now=NOW + timedelta(1))
    assert sorted(path.name for path in tmp_path.iterdir()) == [STAMP, "latest"]
    assert (tmp_path / "latest" / "leaderboard.json").read_text() == "one"
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_snapshot(tmp_path / "file", texts("two"), now=NOW)
    (tmp_path / "taken" / "latest").mkdir(parents=True)
    with pytest.raises(OutputError, match="latest: was not written by this program"):
        write_snapshot(tmp_path / "taken", texts("two"), now=NOW)
    assert list_snapshots(tmp_path / "taken") == []


def test_latest_is_a_file_where_links_are_not_possible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert latest_snapshot(tmp_path) is None

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(1, "no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    for word in ("one", "two"):
        folder = write_snapshot(tmp_path, texts(word), now=NOW)
        assert (tmp_path / "latest").read_text() == f"{folder.name}\n"
        assert latest_snapshot(tmp_path) == folder
    (tmp_path / "latest").write_text("gone\n")
    with pytest.raises(VotesError, match="'gone', which is not there"):
        latest_snapshot(tmp_path)


def test_snapshots_on_disk_are_compared_and_broken_ones_named(tmp_path: Path) -> None:
    old, new = (ranked(duel("a", "b", won, 5)).to_json_dict() for won in (9, 12))
    folders = [
        write_snapshot(tmp_path, {"leaderboard.json": json.dumps(board)}, now=NOW + timedelta(days=day))
        for day, board in enumerate((old, new))
    ]
    assert compare_boards(*map(read_board, folders)) == compare_boards(old, new)
    for broken, message in (
        ("{", "cannot be read as a board"),
        ("[]", "is not a board"),
        ('{"created": "1", "method": 2, "settings": {}, "votes": {"read": 1}, "rows": [{"model": "a"}]}', "row 1"),
        ('{"created": "1", "method": 2, "settings": {}, "votes": {"read": 1}, "rows": 3}', "of another kind"),
        ("[" * 100_000, "cannot be read as a board"),
        (f'{{"rows": {"1" * 5000}}}', "cannot be read as a board"),
    ):
        (folders[0] / "leaderboard.json").write_text(broken)
        with pytest.raises(VotesError, match=message):
            read_board(folders[0])
    with pytest.raises(VotesError, match="no such file"):
        read_board(tmp_path)
