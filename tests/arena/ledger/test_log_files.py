"""Logs beside a ledger; that a foreign one is refused is in test_files.py."""

from pathlib import Path

import pytest

from arena.ledger.log_files import LOG_HEADER, STAMP, frame_size, free_name, require_own_log

PAGE = 512
SALTS = b"12345678"


def write_ledger(path: Path, stamp: int, *, write_version: int = 2) -> None:
    header = bytearray(100)
    header[18] = write_version
    header[STAMP] = stamp.to_bytes(4)
    path.write_bytes(header)


def write_log(path: Path, *stamps: int, salts: bytes = SALTS) -> None:
    log = bytes(8) + PAGE.to_bytes(4) + bytes(4) + SALTS + bytes(8)
    for stamp in stamps:
        page = bytearray(PAGE)
        page[STAMP] = stamp.to_bytes(4)
        log += (1).to_bytes(4) + bytes(4) + salts + bytes(8) + page
    path.with_name(path.name + "-wal").write_bytes(log)
    assert len(log) == LOG_HEADER + len(stamps) * frame_size(PAGE)


@pytest.mark.parametrize(("stamp", "logged"), [(7, [7]), (7, [8]), (7, [3, 8]), (7, []), ((1 << 31) - 1, [0])])
def test_a_log_with_the_ledgers_stamp_or_the_next_is_its_own(tmp_path: Path, stamp: int, logged: list[int]) -> None:
    write_ledger(tmp_path / "arena.db", stamp)
    write_log(tmp_path / "arena.db", *logged)
    require_own_log(tmp_path / "arena.db")


@pytest.mark.parametrize(("stamp", "logged"), [(7, [6]), (7, [9]), (7, [7, 70])])
def test_a_log_with_another_stamp_is_refused(tmp_path: Path, stamp: int, logged: list[int]) -> None:
    write_ledger(tmp_path / "arena.db", stamp)
    write_log(tmp_path / "arena.db", *logged)
    with pytest.raises(OSError, match="log of another file"):
        require_own_log(tmp_path / "arena.db")


def test_a_log_beside_a_ledger_that_has_none_is_refused(tmp_path: Path) -> None:
    write_ledger(tmp_path / "arena.db", 7, write_version=1)
    write_log(tmp_path / "arena.db", 7)
    with pytest.raises(OSError, match="log of another file"):
        require_own_log(tmp_path / "arena.db")


def test_frames_of_an_earlier_log_do_not_count(tmp_path: Path) -> None:
    write_ledger(tmp_path / "arena.db", 7)
    write_log(tmp_path / "arena.db", 70, salts=b"87654321")
    require_own_log(tmp_path / "arena.db")


def test_a_free_name_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "copy"
    for expected in ("copy", "copy-2", "copy-3"):
        assert free_name(path) == tmp_path / expected
        (tmp_path / expected).touch()
