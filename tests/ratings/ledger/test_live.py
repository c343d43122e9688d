"""Live counts are those of a full reading, whatever happened to the ledger since the last refresh."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from arena.ledger.store import Store
from ratings.errors import VotesError
from ratings.ledger import live
from ratings.ledger.groups import read_groups
from ratings.ledger.live import LiveCounts
from ratings.ledger.reader import read_ledger, read_ledger_votes
from ratings.votes.counts import Counts, count

VOTES = [("a", "b", "model_a"), ("b", "a", "model_a"), ("a", "b", "both_bad"), ("b", "c", "tie"), ("c", "c", "tie")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a ledger of the arena's with five votes."""
    path = tmp_path / "arena.db"
    Store(path).close()
    for number, (a, b, outcome) in enumerate(VOTES):
        add(path, f"b{number}", a, b, outcome)
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Return a list of the rowids that were read from; None is a full reading."""
    starts: list[int | None] = []

    def watched(*given: object, after: int | None = None) -> object:
        starts.append(after)
        return read_groups(*given, after=after)  # type: ignore[arg-type]

    monkeypatch.setattr(live, "read_groups", watched)
    return starts


def run(path: Path, *statements: str) -> None:
    """Change the ledger."""
    with closing(sqlite3.connect(path, isolation_level=None)) as ledger:
        for statement in statements:
            ledger.execute(statement)


def add(path: Path, battle: str, a: str, b: str, outcome: str) -> None:
    """Add one vote."""
    run(path, f"INSERT INTO votes VALUES ('{battle}', '2030', 'v', '{a}', '{b}', '{outcome}', 0.5, 'simulated', '')")


def assert_same(first: Counts, second: Counts) -> None:
    """Fail unless both hold the same counts of the same models."""
    assert first.models == second.models
    assert np.array_equal(first.pairs, second.pairs)
    assert np.array_equal(first.outcomes, second.outcomes)
    assert (first.read, first.simulated, first.left_out) == (second.read, second.simulated, second.left_out)


def test_the_first_votes_are_added_to_a_ledger_that_was_read_empty(tmp_path: Path) -> None:
    path = tmp_path / "arena.db"
    Store(path).close()
    counts = LiveCounts(path, ("a", "b"))
    assert counts.refresh().used == 0
    add(path, "b0", "a", "b", "model_a")
    assert_same(counts.refresh(), read_ledger(path, ("a", "b")))
    assert counts.refresh().used == 1


def test_new_votes_and_models_are_added_without_reading_the_old_ones(path: Path, read: list[int | None]) -> None:
    counts = LiveCounts(path, ("z",))
    assert_same(counts.refresh(), read_ledger(path, ("z",)))
    for battle, a, b in (("n1", "b", "a"), ("n2", "aa", "c"), ("n3", "c", "c")):
        add(path, battle, a, b, "model_b")
        assert_same(counts.refresh(), read_ledger(path, ("z",)))
    assert read == [None, 5, 6, 7]


def test_nothing_new_gives_the_same_counts_and_reads_no_vote(path: Path, read: list[int | None]) -> None:
    counts = LiveCounts(path)
    assert counts.refresh() is counts.refresh()
    assert read == [None]


@pytest.mark.parametrize(
    "changes",
    [
        ["DELETE FROM votes WHERE rowid = 2"],
        ["DELETE FROM votes WHERE rowid = 5"],
        ["DELETE FROM votes"],
        ["UPDATE votes SET outcome = 'model_b' WHERE rowid = 2"],
        ["UPDATE votes SET model_b = 'q' WHERE rowid = 1"],
        ["DELETE FROM votes WHERE rowid = 1", "VACUUM"],
    ],
)
def test_votes_deleted_or_changed_are_counted_again(path: Path, changes: list[str]) -> None:
    counts = LiveCounts(path)
    counts.refresh()
    run(path, *changes)
    add(path, "n1", "a", "b", "tie")  # where the last vote was deleted, this one gets its rowid
    assert_same(counts.refresh(), read_ledger(path))
    add(path, "n2", "a", "c", "tie")
    assert_same(counts.refresh(), read_ledger(path))


def test_rowids_that_have_moved_past_the_record_are_noticed(path: Path, read: list[int | None]) -> None:
    counts = LiveCounts(path)
    counts.refresh()
    run(path, "DROP TRIGGER vote_mended", "UPDATE votes SET rowid = rowid - 3")
    add(path, "n1", "a", "b", "tie")  # its rowid is 3, and 5 was seen before
    assert_same(counts.refresh(), read_ledger(path))
    assert read == [None, 5, None]


def test_another_ledger_in_the_place_is_counted_afresh(path: Path, tmp_path: Path) -> None:
    counts = LiveCounts(path)
    counts.refresh()
    other = tmp_path / "other.db"
    Store(other).close()
    for number in range(5):
        add(other, f"o{number}", "x", "y", "tie")
    for wal in tmp_path.glob("arena.db-*"):
        wal.unlink()
    other.replace(path)
    assert counts.refresh().models == ("x", "y")


def test_ledger_that_keeps_no_record_of_changes_is_counted_every_time(
    make_ledger: Callable[..., Path], read: list[int | None]
) -> None:
    path = make_ledger(VOTES, loose=True)
    counts = LiveCounts(path)
    counts.refresh()
    run(path, "UPDATE votes SET outcome = 'tie'")
    assert_same(counts.refresh(), read_ledger(path))
    assert read == [None, None]


def test_failed_refresh_leaves_the_next_one_right(path: Path) -> None:
    counts = LiveCounts(path)
    counts.refresh()
    path.rename(path.with_name("away.db"))
    with pytest.raises(VotesError, match="no such file"):
        counts.refresh()
    path.with_name("away.db").rename(path)
    assert_same(counts.refresh(), read_ledger(path))


def test_threads_that_refresh_while_votes_come_all_see_whole_counts(path: Path) -> None:
    counts, seen = LiveCounts(path), []

    def look() -> None:
        for _ in range(20):
            seen.append(counts.refresh().read)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        add(path, f"t{number}", "a", "b", "tie")
    for thread in threads:
        thread.join()
    assert len(seen) == 80
    assert all(5 <= n <= 25 for n in seen)
    assert_same(counts.refresh(), read_ledger(path))


def cast(path: Path, number: int, visitor: str) -> None:
    """Add one vote of a visitor."""
    a, b = ("a", "b") if number % 3 else ("b", "c")
    run(path, f"INSERT INTO votes VALUES ('w{number}', '2030', '{visitor}', '{a}', '{b}', 'model_a', 0.5, 'human', '')")


def test_live_votes_are_those_of_a_full_reading_and_come_with_enough_voters(path: Path) -> None:
    live_counts = LiveCounts(path, ("a", "b", "c"))
    assert live_counts.refresh_board().votes is None  # five votes of one visitor
    for number in range(60):
        cast(path, number, f"v{number % 15}")
    for more in (0, 7):
        for number in range(60, 60 + more):
            cast(path, number, "new")
        counts, votes, voters = live_counts.refresh_board()
        assert votes is not None
        assert voters is None
        assert_same(count(votes), counts)
        whole = read_ledger_votes(path)
        assert votes.voter is not None
        assert whole.voter is not None
        assert sorted(np.bincount(votes.voter).tolist()) == sorted(np.bincount(whole.voter).tolist())
    run(path, "DELETE FROM votes WHERE visitor = 'new'")
    counts, votes, _ = live_counts.refresh_board()
    assert votes is not None
    assert votes.used == counts.used == 64
