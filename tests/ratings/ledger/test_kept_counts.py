"""Counts that disagree with the votes are never believed silently, whatever was done to either."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arena.backup import main as back_up
from arena.ledger.store import Store
from ratings.compare import main as compare
from ratings.compute import main
from ratings.ledger.access import open_ledger
from ratings.ledger.groups import read_groups
from ratings.ledger.kept_counts import disagreement
from ratings.ledger.live import LiveCounts
from ratings.ledger.reader import read_ledger, read_ledger_by_category
from ratings.votes.counts import Counts, count_groups
from tests.ratings.ledger.test_vote_counts import assert_same, fill

CELL = st.sampled_from(["a_wins", "b_wins", "ties", "both_bad"])
KEY = "category, model_a, model_b, source"
ROW = f"({KEY}) IN (SELECT {KEY} FROM vote_counts LIMIT 1 OFFSET {{}})"
VALUE = st.sampled_from(
    ["{0} + 1", "{0} - 1", "{0} + 109000", "-{0} - 662", "'many'", "1e300", "1.5", "9007199254740993"]
)
TAMPERED = st.one_of(
    st.builds(
        lambda row, cell, value: f"UPDATE vote_counts SET {cell} = {value.format(cell)} WHERE {ROW.format(row)}",
        st.integers(0, 20),
        CELL,
        VALUE,
    ),
    st.builds(lambda row: f"DELETE FROM vote_counts WHERE {ROW.format(row)}", st.integers(0, 20)),
    st.just("INSERT INTO vote_counts VALUES ('', 'new', 'a', 'human', 5, 5, 5, 5)"),
    st.just("INSERT INTO vote_counts VALUES ('', 'new', 'a', 'martian', 0, 0, 0, 0)"),
    st.just("DROP TRIGGER vote_deleted; DELETE FROM votes WHERE rowid % 3 = 0"),
    st.just(
        "DROP TRIGGER vote_added; INSERT INTO votes SELECT battle_id || 'x', created, visitor, model_a, model_b, "
        "outcome, probability, source, category FROM votes WHERE rowid < 9"
    ),
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sound") / "arena.db"
    fill(path, 300)
    return path.read_bytes()


def tamper(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as opened, opened:
        for statement in statements:
            opened.executescript(statement)


def counted(path: Path) -> Counts:
    """Return the counts of the votes themselves."""
    with open_ledger(path) as opened:
        return count_groups(read_groups(path, opened, kept=False))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(TAMPERED, min_size=1, max_size=3, unique=True))
def test_any_count_that_was_added_lost_or_negative_is_noticed_and_the_votes_are_counted(
    tmp_path: Path, sound: bytes, statements: list[str]
) -> None:
    path = tmp_path / "tampered.db"
    path.write_bytes(sound)
    tamper(path, *statements)
    with open_ledger(path) as opened:
        cheap, full = disagreement(opened), disagreement(opened, is_full=True)
    right, read, live = counted(path), read_ledger(path), LiveCounts(path).refresh()
    by_category = read_ledger_by_category(path)[""]
    if cheap:
        for counts in (read, live, by_category):
            assert_same(counts, right)
            assert "its votes are counted" in counts.notes[0]
    elif not full:  # the changes cancel out
        assert_same(read, right)


@pytest.fixture
def tampered(tmp_path: Path, sound: bytes) -> Path:
    path = tmp_path / "tampered.db"
    path.write_bytes(sound)
    tamper(path, f"UPDATE vote_counts SET a_wins = a_wins + 109000 WHERE {ROW.format(0)}")
    return path


def test_commands_count_the_votes_and_say_so(tampered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command, arguments in ((main, []), (compare, ["a", "b"])):
        assert command([*arguments, "--db", str(tampered)]) == 0
        said = capsys.readouterr().out
        assert "for 300 votes, so its votes are counted" in " ".join(said.split())
        assert "109,300 counted" not in said


def test_arena_that_opens_the_ledger_mends_its_counts(tampered: Path, caplog: pytest.LogCaptureFixture) -> None:
    live = LiveCounts(tampered)
    before = live.refresh()
    with caplog.at_level(logging.WARNING):
        Store(tampered).close()
    assert "come to 109,300 for 300 votes" in caplog.text
    with open_ledger(tampered) as opened:
        assert disagreement(opened, is_full=True) == ""
    assert_same(live.refresh(), before)
    assert live.refresh().notes == ()


@pytest.mark.parametrize("change", ["SET a_wins = b_wins, b_wins = a_wins", "SET model_a = 'zz' WHERE model_a = 'a'"])
def test_counts_of_few_votes_that_moved_between_cells_are_not_believed(
    tmp_path: Path, sound: bytes, change: str
) -> None:
    path = tmp_path / "moved.db"
    path.write_bytes(sound)
    tamper(path, f"UPDATE vote_counts {change}")
    read = read_ledger(path)
    assert "are not those of the votes" in read.notes[0]
    assert_same(read, counted(path))


def test_backup_sees_counts_that_moved_between_cells_and_mends_its_copy(
    tmp_path: Path, sound: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ratings.ledger.kept_counts.FEW", 0)
    path, copy = tmp_path / "moved.db", tmp_path / "copy.db"
    path.write_bytes(sound)
    tamper(path, "UPDATE vote_counts SET a_wins = b_wins, b_wins = a_wins")
    with open_ledger(path) as opened:
        assert disagreement(opened) == ""  # as many as before
        assert "not those of the votes" in disagreement(opened, is_full=True)
    assert back_up(["--db", str(path), "--out", str(copy)]) == 0
    assert "made anew from its votes" in capsys.readouterr().out
    assert_same(read_ledger(copy), counted(path))
