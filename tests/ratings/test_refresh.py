"""A refresh gives what a full count gives, whatever happened to the ledger or to the stored counts."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from ratings import refresh
from ratings.counts import Counts, read_ledger, read_ledger_by_category
from ratings.errors import VotesError
from ratings.refresh import refresh_counts, refresh_counts_by_category, stored_path

MakeLedger = Callable[..., Path]
VOTES = [("a", "b", "model_a"), ("b", "a", "model_a"), ("a", "b", "both_bad"), ("b", "c", "tie"), ("c", "c", "tie")]


@pytest.fixture
def path(make_ledger: MakeLedger) -> Path:
    """Return a ledger whose counts are stored."""
    path = make_ledger(VOTES)
    refresh_counts(path)
    assert stored_path(path).exists()
    return path


def run(path: Path, *statements: str) -> None:
    """Change the ledger."""
    with closing(sqlite3.connect(path)) as ledger, ledger:
        for statement in statements:
            ledger.execute(statement)


def add(path: Path, battle: str, a: str, b: str, outcome: str, more: str = "") -> None:
    """Add one vote."""
    run(path, f"INSERT INTO votes VALUES ('{battle}', '2030', 'v', '{a}', '{b}', '{outcome}', 0.5, 'simulated'{more})")


def assert_same(first: Counts, second: Counts) -> None:
    """Fail unless both hold the same counts of the same models."""
    assert first.models == second.models
    assert np.array_equal(first.pairs, second.pairs)
    assert np.array_equal(first.outcomes, second.outcomes)
    assert (first.read, first.simulated, first.left_out) == (second.read, second.simulated, second.left_out)


def test_new_votes_and_models_are_added(path: Path) -> None:
    for battle, a, b in (("n1", "b", "a"), ("n2", "aa", "c"), ("n3", "c", "c")):
        add(path, battle, a, b, "model_b")
        assert_same(refresh_counts(path), read_ledger(path))
    assert_same(refresh_counts(path, ("z",)), read_ledger(path, ("z",)))


def test_refresh_reads_only_the_new_votes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []
    read_groups = refresh.read_groups

    def watched(*given: object, after: int | None = None) -> object:
        starts.append(after)
        return read_groups(*given, after=after)  # type: ignore[arg-type]

    monkeypatch.setattr(refresh, "read_groups", watched)
    refresh_counts(path)
    add(path, "n1", "a", "b", "tie")
    refresh_counts(path)
    assert starts == [5]


@pytest.mark.parametrize("count_up_to", [0, 1000], ids=["audit alone", "with the number of votes"])
@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM votes WHERE rowid = 2",
        "UPDATE votes SET outcome = 'model_b' WHERE rowid = 2",
        "UPDATE votes SET model_b = 'q' WHERE rowid = 1",
        "DELETE FROM votes WHERE rowid = 5",
        "DELETE FROM votes",
    ],
)
def test_votes_deleted_or_changed_are_counted_again(
    path: Path, change: str, count_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "COUNT_UP_TO", count_up_to)
    run(path, change)
    assert_same(refresh_counts(path), read_ledger(path))
    add(path, "n1", "a", "b", "tie")
    assert_same(refresh_counts(path), read_ledger(path))


@pytest.mark.parametrize("content", [b"", b"noise", None], ids=["empty", "noise", "cut off"])
def test_stored_counts_that_are_broken_only_cost_time(path: Path, content: bytes | None) -> None:
    whole = stored_path(path).read_bytes()
    stored_path(path).write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert_same(refresh_counts(path), read_ledger(path))
    assert len(stored_path(path).read_bytes()) == len(whole)


def test_stored_counts_of_another_ledger_are_not_used(path: Path, make_ledger: MakeLedger) -> None:
    other = make_ledger([("x", "y", "tie")] * 9, name="other.db")
    other.rename(path)
    assert_same(refresh_counts(path), read_ledger(path))


def test_recount_reads_what_no_check_can_see(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "AUDITED_PAIRS", 0)
    run(path, "UPDATE votes SET outcome = 'tie' WHERE rowid = 2")
    assert refresh_counts(path).outcomes.sum(axis=0).tolist() == [2, 0, 1, 1]
    assert_same(refresh_counts(path, recount=True), read_ledger(path))
    assert_same(refresh_counts(path), read_ledger(path))


def test_categories_are_refreshed_apart(path: Path) -> None:
    run(path, "ALTER TABLE votes ADD COLUMN category TEXT NOT NULL DEFAULT ''")
    for battle, category in (("n1", "code"), ("n2", "chat"), ("n3", "code")):
        add(path, battle, "a", "b", "tie", f", '{category}'")
        refreshed, counted = refresh_counts_by_category(path), read_ledger_by_category(path)
        assert list(refreshed) == list(counted)
        for name in counted:
            assert_same(refreshed[name], counted[name])


def test_place_that_cannot_be_written_gives_the_counts_all_the_same(
    make_ledger: MakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object, **named: object) -> None:
        raise PermissionError

    path = make_ledger(VOTES)
    monkeypatch.setattr(refresh.tempfile, "mkstemp", refuse)
    assert_same(refresh_counts(path), read_ledger(path))
    assert not stored_path(path).exists()


def test_killed_while_writing_leaves_the_earlier_counts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*given: object) -> None:
        raise KeyboardInterrupt

    before = stored_path(path).read_bytes()
    add(path, "n1", "a", "b", "tie")
    with monkeypatch.context() as patched:
        patched.setattr(refresh.os, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            refresh_counts(path)
    assert stored_path(path).read_bytes() == before
    assert_same(refresh_counts(path), read_ledger(path))


def test_missing_ledger_is_an_error_and_stores_nothing(tmp_path: Path) -> None:
    with pytest.raises(VotesError, match="no such file"):
        refresh_counts(tmp_path / "x.db")
    assert list(tmp_path.iterdir()) == []


def test_unknown_outcome_among_the_new_votes_is_an_error_that_names_it(path: Path) -> None:
    add(path, "n1", "a", "b", "modle_a")
    with pytest.raises(VotesError, match="row 6: unknown outcome 'modle_a'"):
        refresh_counts(path)
