"""Counts agree with the votes, however they were read, and the ledger is read as it stands."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratings.counts import count, read_ledger, read_ledger_votes, read_preferences
from ratings.errors import UnknownOutcomeError, VotesError
from ratings.outcomes import OUTCOMES, Outcome
from ratings.votes import Record, collect

MakeLedger = Callable[..., Path]

NAMES = st.sampled_from(["a", "b", "c", "", "  ", None])
SAID = st.sampled_from([*OUTCOMES, None])
ROWS = st.lists(st.builds(Record, NAMES, NAMES, SAID, st.none(), st.booleans(), st.none()), max_size=40)
IDS = st.sampled_from([None, "id1", "id2", "id3"])
ROWS_WITH_IDS = st.lists(st.builds(Record, NAMES, NAMES, SAID, IDS, st.booleans(), st.none()), max_size=40)


@given(ROWS_WITH_IDS)
def test_every_row_is_used_or_left_out_under_a_reason(rows: list[Record]) -> None:
    votes = collect(rows)
    counts = count(votes)
    assert counts.read == len(rows) == counts.used + sum(counts.left_out.values())
    assert votes.used == counts.used


@given(ROWS, st.randoms(use_true_random=False))
def test_order_of_the_votes_does_not_change_the_counts(rows: list[Record], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    before, after = count(collect(rows)), count(collect(shuffled))
    for outcome in OUTCOMES:
        assert np.array_equal(before.matrix(outcome), after.matrix(outcome))


def test_pairs_keep_the_sides_the_voter_saw() -> None:
    counts = count(collect([Record("x", "w", Outcome.A_WINS), Record("w", "x", Outcome.TIE)]))
    assert counts.models == ("w", "x")
    assert counts.pairs.tolist() == [[0, 1], [1, 0]]
    assert counts.outcomes.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]


def test_reasons_name_what_is_wrong_with_a_row() -> None:
    rows = [
        Record(None, "b", Outcome.TIE),
        Record("a", "a", Outcome.TIE),
        Record("a", "b", None),
        Record("a", "b", Outcome.TIE, "id1"),
        Record("a", "b", Outcome.A_WINS, "id1"),
    ]
    assert collect(rows).left_out == {
        "missing model": 1,
        "self-battle": 1,
        "missing outcome": 1,
        "duplicate id": 1,
    }


LEDGER = [
    ("a", "b", "model_a"),
    ("b", "a", "model_a"),
    ("a", "b", "model_a"),
    ("b", "c", "both_bad"),
    ("c", "c", "tie"),
    (None, "c", "tie"),
    ("a", "d", None),
]


def test_grouped_ledger_equals_its_votes_counted_one_by_one(make_ledger: MakeLedger) -> None:
    path = make_ledger(LEDGER, sources=["simulated", "human", "simulated", *["human"] * 4])
    grouped, counted = read_ledger(path), count(read_ledger_votes(path))
    assert grouped.models == counted.models == ("a", "b", "c", "d")
    assert (grouped.read, grouped.used, grouped.simulated) == (7, 4, 2)
    assert (counted.read, counted.used, counted.simulated) == (7, 4, 2)
    assert grouped.left_out == counted.left_out == {"self-battle": 1, "missing model": 1, "missing outcome": 1}
    for outcome in OUTCOMES:
        assert np.array_equal(grouped.matrix(outcome), counted.matrix(outcome))


def test_ledger_votes_come_in_the_order_they_were_stored(make_ledger: MakeLedger) -> None:
    votes = read_ledger_votes(make_ledger([("b", "a", "tie"), ("a", "b", "model_b"), ("a", "b", "model_a")]))
    assert votes.a.tolist() == [1, 0, 0]
    assert [OUTCOMES[code] for code in votes.outcome] == [Outcome.TIE, Outcome.B_WINS, Outcome.A_WINS]


def test_model_of_the_roster_is_counted_without_a_vote(make_ledger: MakeLedger) -> None:
    assert read_ledger(make_ledger([("a", "b", "tie")]), roster=("z", "a")).models == ("a", "b", "z")


def test_ledger_path_with_url_characters_is_opened(make_ledger: MakeLedger) -> None:
    assert read_ledger(make_ledger([("a", "b", "tie")], name="a?mode=rw#%41.db")).used == 1


def test_reading_leaves_the_ledger_as_it_was(make_ledger: MakeLedger) -> None:
    path = make_ledger(LEDGER)
    before = path.read_bytes()
    read_ledger(path)
    list(read_preferences(path))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("read", [read_ledger, read_ledger_votes, lambda path: list(read_preferences(path))])
def test_unknown_outcome_in_the_ledger_names_file_and_value(
    make_ledger: MakeLedger, read: Callable[[Path], object]
) -> None:
    with pytest.raises(UnknownOutcomeError, match=r"votes\.db: .*'modle_a'"):
        read(make_ledger([("a", "b", "tie"), ("a", "b", "modle_a")]))


def test_unknown_source_is_an_error(make_ledger: MakeLedger) -> None:
    with pytest.raises(VotesError, match="source 'bot'"):
        read_ledger(make_ledger([("a", "b", "tie")], sources=["bot"]))


@pytest.mark.parametrize("content", [b"", b"not a database at all, only text " * 10])
def test_file_that_is_no_ledger_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(content)
    with pytest.raises(VotesError, match="ledger"):
        read_ledger(path)


def test_database_of_something_else_is_an_error_that_names_the_table(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE songs (title)")
    with pytest.raises(VotesError, match="votes does not exist"):
        read_ledger(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE votes (model_a, model_b, outcome)")
    with pytest.raises(VotesError, match="votes lacks source"):
        read_ledger(path)


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir])
def test_missing_ledger_and_folder_are_errors_and_create_nothing(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "x.db")
    before = list(tmp_path.iterdir())
    with pytest.raises(VotesError, match=r"no such file|is a directory"):
        read_ledger(tmp_path / "x.db")
    assert list(tmp_path.iterdir()) == before
