"""The reader by columns and the reader by rows agree on every file, whatever is in it."""

import csv
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from ratings.errors import VotesError
from ratings.files import read as vote_files
from ratings.files.frames import read_frame
from ratings.files.read import read_votes_file
from ratings.files.scan import _Scan
from ratings.votes.votes import Votes

KINDS = ("csv", "json", "jsonl", "parquet", "frame")

TEXT = st.text("ab \u00e9\n\"',;\t\u200b\ufeff\\{[", max_size=4)
BIG = st.integers(2**53 - 3, 2**53 + 3) | st.integers(2**62, 2**63 - 1)
ID = st.sampled_from(["q1", "q2", "1", "1.0", " q1", "NULL", "", "  ", "a" * 40]) | BIG.map(str)
NAME = st.sampled_from(["m1", "m2", " m1", "M1", "m\u200b2", "7", "None", "NULL", "", "tie"]) | TEXT
WINNER = st.sampled_from(
    ["model_a", "model_b", "tie", "tie (bothbad)", "", "NULL", "draw", "A", "b", "1", "0", "0.5", "m1", "m2", "?"]
)
TIME = st.sampled_from(
    ["1.5", "1700000000", "2030-01-01", "2030-01-01T00:00:00Z", "2024-05-24 12:00:00.5 UTC", "", "soon"]
)
COLUMNS: dict[str, st.SearchStrategy[str]] = {
    "question_id": ID,
    "model_a": NAME,
    "model_b": NAME,
    "winner": WINNER,
    "judge": ID | TEXT,
    "language": st.sampled_from(["English", "French", "", "NA"]),
    "tstamp": TIME,
    "anony": st.sampled_from(["True", "False", "", "t", "0", "no", "perhaps"]),
    "dedup_tag": st.sampled_from(['{"high_freq": true, "sampled": false}', '{"high_freq": false}', ""]),
    "source": st.sampled_from(["human", "simulated", ""]),
    "probability": st.sampled_from(["0.5", "", "1e-3", "high"]),
    "x": TEXT,
}
"""As text, which is what a CSV file holds."""

MORE: dict[str, st.SearchStrategy[Any]] = {
    "question_id": st.none() | BIG,
    "model_a": st.integers(0, 3) | st.none() | st.just("m1"),
    "winner": st.none() | st.sampled_from([1, 0, 0.5, True, False]),
    "judge": st.none() | BIG | st.booleans(),
    "tstamp": st.none() | st.sampled_from([1700000000, 1.5]),
    "anony": st.none() | st.booleans(),
    "dedup_tag": st.none() | st.fixed_dictionaries({"high_freq": st.booleans(), "sampled": st.booleans()}),
    "probability": st.none() | st.sampled_from([0.5, 1]),
}
"""What JSON may hold instead of text."""

FIXED = ("model_a", "model_b", "winner")


@st.composite
def tables(draw: st.DrawFn, *, typed: bool) -> list[dict[str, Any]]:
    """Return rows with some of the columns, all rows with the same ones."""
    names = [*FIXED, *draw(st.lists(st.sampled_from([name for name in COLUMNS if name not in FIXED]), unique=True))]
    values = {name: COLUMNS[name] for name in names}
    if typed:
        values = {name: value | MORE[name] if name in MORE else value for name, value in values.items()}
    return draw(st.lists(st.fixed_dictionaries(values), min_size=1, max_size=8))


def write_csv(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    """Write rows as CSV and return the path."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    table.writeheader()
    table.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def write_json(path: Path, rows: list[dict[str, Any]], *, lines: bool) -> Path:
    """Write rows as JSON and return the path."""
    text = "".join(json.dumps(row) + "\n" for row in rows) if lines else json.dumps(rows)
    path.write_text(text, encoding="utf-8")
    return path


def told(read: Callable[[], Votes]) -> Votes | str:
    """Return the votes, or the message of the error."""
    try:
        return read()
    except VotesError as problem:
        return str(problem)


def in_short(votes: Votes | str) -> Any:
    """Return all that votes say, with codes by what they stand for."""
    if isinstance(votes, str):
        return votes
    ids = None
    if votes.voter is not None and votes.voter_ids is not None:
        ids = [(votes.voter_ids[int(code)], int((votes.voter == code).sum())) for code in votes.voter.tolist()]
    groups = None if votes.prompt is None else np.unique(votes.prompt, return_inverse=True)[1].tolist()
    return {
        "votes": [
            (votes.models[a], votes.models[b], code)
            for a, b, code in zip(votes.a.tolist(), votes.b.tolist(), votes.outcome.tolist(), strict=True)
        ],
        "models": votes.models,
        "counted": (votes.read, votes.simulated, votes.left_out),
        "voters": ids,
        "prompts": groups and [groups.index(group) for group in groups],
        "times": None if votes.time is None else [None if t != t else t for t in votes.time.tolist()],
        "chances": None if votes.probability is None else [None if p != p else p for p in votes.probability.tolist()],
        "categories": None if votes.category is None else [votes.categories[code] for code in votes.category.tolist()],
        "marks": [None if m is None else m.tolist() for m in (votes.is_simulated, votes.is_repeated)],
        "notes": votes.notes,
    }


def both(path: Path) -> tuple[Any, Any, bool]:
    """Return what the reader by rows and the one by columns say of a file, and whether the latter could read it."""
    given_up: list[bool] = []
    by_columns = vote_files._read_by_columns

    def watched(*given: Any) -> Votes | None:
        votes = by_columns(*given)
        given_up.append(votes is None)
        return votes

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(vote_files, "_read_by_columns", lambda *_: None)
        rows = in_short(told(lambda: read_votes_file(path)))
        patched.setattr(vote_files, "_read_by_columns", watched)
        patched.setattr(vote_files, "LARGE", 0)
        columns = in_short(told(lambda: read_votes_file(path)))
    return rows, columns, given_up == [False]


@given(tables(typed=False), st.sampled_from(",;\t|"))
def test_csv(rows: list[dict[str, Any]], delimiter: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        by_rows, by_columns, _ = both(write_csv(Path(folder) / "votes.csv", rows, delimiter))
        assert by_columns == by_rows


@given(tables(typed=True), st.booleans())
def test_json(rows: list[dict[str, Any]], lines: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        by_rows, by_columns, _ = both(write_json(Path(folder) / "votes.json", rows, lines=lines))
        assert by_columns == by_rows


@given(tables(typed=False))
def test_parquet_and_frames_of_text(rows: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(rows)
    with tempfile.TemporaryDirectory() as folder:
        frame.to_parquet(path := Path(folder) / "votes.parquet")
        by_rows, by_columns, _ = both(path)
        assert by_columns == by_rows
    of_frame = in_short(told(lambda: read_frame(frame)))
    assert of_frame == by_rows or str(of_frame).split("row ", 1)[-1] == str(by_rows).split("row ", 1)[-1]


@given(st.lists(st.tuples(st.none() | BIG, st.none() | st.integers(0, 2)), min_size=1, max_size=8))
def test_whole_numbers_with_gaps_stay_exact(ids: list[tuple[int | None, int | None]]) -> None:
    rows = [
        {"model_a": "a", "model_b": "b", "winner": "tie", "question_id": q, "judge": j, "tstamp": 1} for q, j in ids
    ]
    whole = {name: pyarrow.int64() for name in ("question_id", "judge", "tstamp")}
    fields = [(name, whole.get(name, pyarrow.string())) for name in rows[0]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.parquet"
        parquet.write_table(pyarrow.Table.from_pylist(rows, pyarrow.schema(fields)), path)
        by_rows, by_columns, is_read = both(path)
        said = [write_json(Path(folder) / "v", rows, lines=True), write_csv(Path(folder) / "w", rows)]
        others = [both(file) for file in said]
    assert is_read
    known = [q for q, _ in ids if q is not None]
    assert by_rows["counted"][2] == (
        {"duplicate id": len(known) - len(set(known))} if len(known) > len(set(known)) else {}
    )
    for rows_say, columns_say, is_read in [(by_rows, by_columns, True), *others]:
        assert is_read
        assert rows_say == columns_say == by_rows


def test_most_files_are_read_by_columns(tmp_path: Path) -> None:
    rows = [
        dict.fromkeys(COLUMNS, "") | {"model_a": "x", "model_b": "y", "winner": "A", "tstamp": "5", "judge": "u"}
    ] * 3
    pd.DataFrame(rows).to_parquet(tmp_path / "p")
    paths = [
        write_csv(tmp_path / "c", rows),
        write_json(tmp_path / "j", rows, lines=False),
        write_json(tmp_path / "l", rows, lines=True),
        tmp_path / "p",
    ]
    for path in paths:
        by_rows, by_columns, is_read = both(path)
        assert is_read
        assert by_rows == by_columns


def long_file(path: Path, *, rare: str | None) -> Path:
    """Write a CSV file of some 3 MB with texts that hold rows, and a rare value where a sample does not look."""
    text = "A text, and\n1,m9,m8,model_a,in it\n" * 3
    rows = [
        {"id": str(i), "model_a": f"m{i % 7}", "model_b": f"m{i % 5 + 7}", "winner": WINNERS[i % 3], "x": text}
        for i in range(30_000)
    ]
    if rare:
        rows[5000]["model_a"] = rare
    return write_csv(path, rows)


WINNERS = ("model_a", "model_b", "tie")


def test_a_csv_file_is_scanned_once_where_a_sample_of_its_texts_explains_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Scan, "_combinations", lambda *_: pytest.fail("scanned again"))
    by_rows, by_columns, is_read = both(long_file(tmp_path / "c", rare=None))
    assert is_read
    assert by_rows == by_columns
    assert "m9" in by_rows["models"]
    assert len(by_rows["models"]) == 12


@pytest.mark.parametrize("rare", ["m99", "m6 ", "m\u00e9"])
def test_a_text_that_the_sample_misses_is_found_by_another_scan(
    tmp_path: Path, rare: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned: list[Any] = []
    again = _Scan._combinations

    def watched(*given: Any) -> Any:
        scanned.append(given)
        return again(*given)

    monkeypatch.setattr(_Scan, "_combinations", watched)
    by_rows, by_columns, is_read = both(long_file(tmp_path / "c", rare=rare))
    assert is_read
    assert scanned
    assert by_rows == by_columns
