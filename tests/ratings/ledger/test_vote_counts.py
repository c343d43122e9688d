"""The ledger's own counts are those of its votes, whatever is done to the votes and whenever the process dies."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.ledger.store import Store
from ratings.ledger.access import open_ledger
from ratings.ledger.groups import read_groups
from ratings.ledger.reader import read_ledger, read_ledger_by_category
from ratings.votes.counts import ALL, Counts, count_groups, count_groups_by_category

KEPT = "SELECT category, model_a, model_b, source, a_wins, b_wins, ties, both_bad FROM vote_counts ORDER BY 1, 2, 3, 4"
COUNTED = """
SELECT category, model_a, model_b, source, sum(outcome = 'model_a'), sum(outcome = 'model_b'), sum(outcome = 'tie'),
       sum(outcome = 'both_bad') FROM votes GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
OUTCOME = st.sampled_from(["model_a", "model_b", "tie", "both_bad"])
VOTE = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from("abc"),
    OUTCOME,
    st.sampled_from(["human", "simulated"]),
    st.sampled_from(["", "code"]),
)
SPARED = st.integers(0, 20)
CHANGE = st.one_of(
    st.tuples(st.just("INSERT"), VOTE),
    st.tuples(st.just("INSERT OR REPLACE"), VOTE),
    st.tuples(st.just("INSERT OR IGNORE"), VOTE),
    st.tuples(st.just("UPDATE"), VOTE),
    st.tuples(st.just("DELETE"), st.none()),
)


def apply(ledger: sqlite3.Connection, how: str, battle: int, vote: tuple[str, ...] | None) -> None:
    """Make one change to the vote of a battle; what the ledger refuses is not made."""
    if how.startswith("INSERT"):
        assert vote is not None
        try:
            ledger.execute(f"{how} INTO votes VALUES (?, '2030', 'v', ?, ?, ?, 0.5, ?, ?)", (f"b{battle}", *vote))
        except sqlite3.IntegrityError:
            return
    elif how == "UPDATE":
        assert vote is not None
        ledger.execute(
            "UPDATE votes SET model_a = ?, model_b = ?, outcome = ?, source = ?, category = ? WHERE battle_id = ?",
            (*vote, f"b{battle}"),
        )
    else:
        ledger.execute("DELETE FROM votes WHERE battle_id = ?", (f"b{battle}",))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("counts") / "arena.db"
    Store(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        yield opened


def assert_same(first: Counts, second: Counts) -> None:
    """Fail unless both hold the same counts of the same models."""
    assert first.models == second.models
    assert np.array_equal(first.pairs, second.pairs)
    assert np.array_equal(first.outcomes, second.outcomes)
    assert (first.read, first.simulated, first.left_out) == (second.read, second.simulated, second.left_out)


@given(st.lists(st.tuples(CHANGE, st.integers(0, 8)), max_size=40))
def test_kept_counts_are_those_of_the_votes_after_any_changes(
    ledger: sqlite3.Connection, changes: list[tuple[tuple[str, tuple[str, ...] | None], int]]
) -> None:
    ledger.execute("BEGIN")
    for (how, vote), battle in changes:
        apply(ledger, how, battle, vote)
        assert ledger.execute(KEPT).fetchall() == ledger.execute(COUNTED).fetchall()
    ledger.execute("ROLLBACK")
    assert ledger.execute("SELECT count(*) FROM vote_counts").fetchone() == (0,)


def fill(path: Path, n: int, seed: int = 3) -> None:
    """Store n votes of both sources in three categories, some of them a model against itself."""
    rng = np.random.default_rng(seed)
    Store(path).close()
    with closing(sqlite3.connect(path)) as opened, opened:
        for i in range(n):
            a, b = rng.choice(list("abcde"), 2)
            outcome = rng.choice(["model_a", "model_b", "tie", "both_bad"])
            source, category = rng.choice(["human", "simulated"]), rng.choice(["", "code", "chat"])
            apply(opened, "INSERT", i, (str(a), str(b), str(outcome), str(source), str(category)))


def test_reader_gives_the_same_from_the_kept_counts_and_from_the_votes(tmp_path: Path) -> None:
    path = tmp_path / "arena.db"
    fill(path, 800)
    with open_ledger(path) as opened:
        votes = read_groups(path, opened, kept=False)
        assert read_groups(path, opened).votes.sum() == votes.votes.sum() == 800
    assert read_ledger(path).left_out["self-battle"] > 0
    assert_same(read_ledger(path, ("z",)), count_groups(votes, ("z",)))
    kept, counted = read_ledger_by_category(path), count_groups_by_category(votes)
    assert list(kept) == list(counted) == [ALL, "chat", "code"]
    for name in kept:
        assert_same(kept[name], counted[name])


def test_board_of_the_kept_counts_reads_no_vote_but_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ratings.ledger.kept_counts.FEW", 0)
    path = tmp_path / "arena.db"
    fill(path, 50)
    with open_ledger(path) as opened:
        asked: list[str] = []
        opened.set_trace_callback(asked.append)
        read_groups(path, opened)
    assert [query for query in asked if "FROM votes" in query] == ["SELECT count(*) FROM votes"]


def test_vote_is_never_replaced_in_place(tmp_path: Path) -> None:
    path = tmp_path / "arena.db"
    fill(path, 3)
    with closing(sqlite3.connect(path)) as opened, pytest.raises(sqlite3.IntegrityError, match="has its vote"):
        opened.execute("REPLACE INTO votes SELECT * FROM votes WHERE battle_id = 'b1'")
