"""Files that appear whole or not at all."""

import os
from pathlib import Path

import pytest

from common.files import write_file, write_files


def test_files_are_written_readable_by_everybody_and_nothing_is_left_beside(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert write_files(folder, {"a.txt": "ä", "b.bin": b"\0"}) == [folder / "a.txt", folder / "b.bin"]
    assert (folder / "a.txt").read_bytes() == "ä".encode()
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "b.bin"]
    assert (folder / "a.txt").stat().st_mode & 0o777 == 0o644


def test_a_secret_is_its_owners_alone(tmp_path: Path) -> None:
    assert write_file(tmp_path / "key", "x", mode=0o600).stat().st_mode & 0o777 == 0o600


def test_a_failure_leaves_all_the_earlier_files_and_no_half_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, {"a": "old", "b": "old"})
    chmod, calls = os.chmod, []

    def fail_at_the_second(path: str, mode: int) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        chmod(path, mode)

    monkeypatch.setattr(os, "chmod", fail_at_the_second)
    with pytest.raises(OSError, match="No space"):
        write_files(tmp_path, {"a": "new", "b": "new"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old", "b": "old"}
