"""Counts agree with the votes, however they were read, and the ledger is read as it stands."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.ledger.store import Store
from ratings.errors import UnknownOutcomeError, VotesError
from ratings.ledger.reader import read_ledger, read_ledger_by_category, read_ledger_votes, read_preferences
from ratings.outcomes import OUTCOMES, SPELLINGS, Outcome
from ratings.votes.collect import collect
from ratings.votes.counts import ALL, Counts, count, count_by_category, merge
from ratings.votes.votes import Record, keep

MakeLedger = Callable[..., Path]

NAMES = st.sampled_from(["a", "b", "c", "", "  ", None])
SAID = st.sampled_from([*OUTCOMES, None])


def rows_with(ids: st.SearchStrategy[str | None]) -> st.SearchStrategy[list[Record]]:
    """Return lists of rows whose battle ids are drawn from `ids`."""
    fields = st.tuples(NAMES, NAMES, SAID, ids, st.booleans(), st.none())
    return st.lists(fields.map(lambda row: Record(*row)), max_size=40)


ROWS = rows_with(st.none())
IDS = st.sampled_from([None, "id1", "id2", "id3"])
ROWS_WITH_IDS = rows_with(IDS)


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


def same(first: Counts, second: Counts) -> bool:
    """Return whether both hold the same counts of the same models."""
    return (
        first.models == second.models
        and np.array_equal(first.pairs, second.pairs)
        and np.array_equal(first.outcomes, second.outcomes)
        and (first.read, first.simulated, first.left_out) == (second.read, second.simulated, second.left_out)
    )


@given(ROWS, st.integers(0, 40))
def test_counts_of_two_halves_merge_to_those_of_the_whole(rows: list[Record], cut: int) -> None:
    halves = merge(count(collect(rows[:cut])), count(collect(rows[cut:])))
    assert same(halves, count(collect(rows)))


def test_merging_adds_what_both_have_and_moves_models_to_their_place_by_name() -> None:
    late = [Record("m", "z", Outcome.TIE)]
    early = [Record("a", "m", Outcome.A_WINS), Record("m", "z", Outcome.TIE)]
    merged = merge(count(collect(late)), count(collect(early)))
    assert (merged.models, merged.pairs.tolist()) == (("a", "m", "z"), [[0, 1], [1, 2]])
    assert merged.outcomes.tolist() == [[1, 0, 0, 0], [0, 0, 2, 0]]


@given(ROWS, st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_counts_in_any_order_merge_with_their_weights(rows: list[Record], cut: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    halves = []
    for half in (count(collect(rows[:cut])), count(collect(rows[cut:]))):
        order = rng.permutation(len(half.pairs))
        outcomes = half.outcomes[order]
        weighted = {"weights": 3 * outcomes, "squared_weights": 9 * outcomes}
        halves.append(replace(half, pairs=half.pairs[order], outcomes=outcomes, **weighted))
    merged, whole = merge(*halves), count(collect(rows))
    assert same(merged, whole)
    assert np.array_equal(merged.weights, 3 * whole.outcomes)
    assert np.array_equal(merged.squared_weights, 9 * whole.outcomes)
    assert merge(halves[0], replace(halves[1], weights=None)).weights is None


def test_merging_leaves_the_counts_as_they_were() -> None:
    first, second = (count(collect([Record("a", "b", outcome)])) for outcome in (Outcome.TIE, Outcome.A_WINS))
    merged = merge(first, second)
    assert merged.outcomes.tolist() == [[1, 0, 1, 0]]
    assert (first.outcomes.tolist(), second.outcomes.tolist()) == ([[0, 0, 1, 0]], [[1, 0, 0, 0]])


def test_vote_without_a_voter_shares_its_code_with_no_other() -> None:
    voters = ["v", None, "w", "v", None]
    votes = collect(Record("a", "b", Outcome.TIE, voter=voter) for voter in voters)
    assert votes.voter is not None
    assert votes.voter.tolist() == [0, 2, 1, 0, 3]
    assert collect([Record("a", "b", Outcome.TIE)]).voter is None


def add_category(path: Path, categories: list[str]) -> None:
    """Give the votes of the ledger these categories in turn."""
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.executemany(
            "UPDATE votes SET category = ? WHERE rowid = ?", [(c, i) for i, c in enumerate(categories, 1)]
        )
        ledger.execute("CREATE INDEX to_count ON votes (category, model_a, model_b, outcome, source)")


def test_categories_are_counted_apart_and_in_the_total(make_ledger: MakeLedger) -> None:
    path = make_ledger(LEDGER)
    before = read_ledger(path)
    add_category(path, ["code", "code", "", "chat", "code", "chat", ""])
    counted = read_ledger_by_category(path, ("z",))
    assert list(counted) == [ALL, "chat", "code"]
    assert {counts.models for counts in counted.values()} == {("a", "b", "c", "d", "z")}
    assert same(read_ledger(path), before)
    assert (counted[ALL].used, counted["code"].used, counted["chat"].used) == (4, 2, 1)
    assert (counted["code"].left_out, counted["chat"].left_out) == ({"self-battle": 1}, {"missing model": 1})
    assert count_by_category(read_ledger_votes(path))["code"].outcomes.tolist() == counted["code"].outcomes.tolist()


def test_weights_sum_the_inverse_chances_of_each_cell(make_ledger: MakeLedger) -> None:
    path = make_ledger([("a", "b", "tie"), ("a", "b", "tie"), ("b", "a", "model_a")])
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute("UPDATE votes SET probability = 0.25 WHERE battle_id = 'b0'")
    counts = read_ledger(path, weights=True)
    assert counts.weights is not None
    assert counts.squared_weights is not None
    assert counts.weights.tolist() == [[0, 0, 6, 0], [2, 0, 0, 0]]
    assert counts.squared_weights.tolist() == [[0, 0, 20, 0], [4, 0, 0, 0]]
    assert read_ledger(path).weights is None


@pytest.mark.parametrize("probability", [None, 0, 1.5])
def test_vote_without_a_chance_cannot_be_weighted(make_ledger: MakeLedger, probability: float | None) -> None:
    path = make_ledger([("a", "b", "tie")], loose=True)
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute("UPDATE votes SET probability = ?", (probability,))
    with pytest.raises(VotesError, match="probability"):
        read_ledger(path, weights=True)


def test_ledger_votes_tell_voter_time_chance_and_what_was_left_out(make_ledger: MakeLedger) -> None:
    votes = read_ledger_votes(make_ledger(LEDGER), keep_left_out=True)
    assert votes.voter is not None
    assert votes.time is not None
    assert votes.probability is not None
    assert votes.voter.tolist() == [0] * 4
    assert votes.time.tolist() == [1893456000.0 + i for i in range(4)]
    assert votes.probability.tolist() == [0.5] * 4
    assert votes.left_out_rows == (("row 5", "self-battle"), ("row 6", "missing model"), ("row 7", "missing outcome"))
    assert read_ledger_votes(make_ledger(LEDGER, name="other.db"), details=False).time is None


def test_kept_votes_keep_all_their_columns(make_ledger: MakeLedger) -> None:
    votes = read_ledger_votes(make_ledger(LEDGER))
    kept = keep(votes, np.array([False, True, False, True]))
    assert kept.outcome.tolist() == [Outcome.A_WINS.code, Outcome.BOTH_BAD.code]
    assert kept.time is not None
    assert kept.time.tolist() == [1893456001.0, 1893456003.0]
    assert kept.prompt is None


def test_every_spelling_of_an_outcome_is_counted_by_the_ledger_too(make_ledger: MakeLedger) -> None:
    counts = read_ledger(make_ledger([("a", "b", text) for text in SPELLINGS]))
    assert counts.outcomes.tolist() == [[sum(said is outcome for said in SPELLINGS.values()) for outcome in OUTCOMES]]


def test_ledger_of_these_tests_is_one_that_the_arena_goes_on_with(make_ledger: MakeLedger) -> None:
    path = make_ledger([("a", "b", "tie"), ("b", "a", "model_a")])
    with closing(Store(path)):
        assert read_ledger(path).used == 2
