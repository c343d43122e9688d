"""Votes as people have them: each spelling, container and habit is read as a person would, or named for what it is."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pytest
from pyarrow import parquet

from ratings.errors import SettingsError, UnknownOutcomeError, VotesError
from ratings.files.frames import read_frame
from ratings.files.naming import Naming, read_naming
from ratings.files.read import read_votes_file
from ratings.outcomes import OUTCOMES
from ratings.votes.votes import Votes

CSV = "model_a,model_b,winner\nx,y,model_a\ny,x,tie\n"
READ = [("x", "y", "model_a"), ("y", "x", "tie")]


def said(votes: Votes) -> list[tuple[str, str, str]]:
    """Return the votes as (model_a, model_b, outcome)."""
    return [
        (votes.models[a], votes.models[b], OUTCOMES[code].value)
        for a, b, code in zip(votes.a, votes.b, votes.outcome, strict=True)
    ]


def read(folder: Path, content: str | bytes, **named: Any) -> Votes:
    """Return the votes of a file with this content."""
    path = folder / "votes"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_votes_file(path, **named)


def outcomes(folder: Path, column: str, values: list[str], **named: Any) -> list[str]:
    """Return what the values of an outcome's column are read as."""
    rows = "".join(f"x,y,{value}\n" for value in values)
    return [outcome for _, _, outcome in said(read(folder, f"model_a,model_b,{column}\n{rows}", **named))]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("winner", "A B Tie"),
        ("winner", "a b tie"),
        ("winner", "1 0 0.5"),
        ("winner", "x y draw"),
        ("choice", "left right tie"),
        ("outcome", "model_a model_b tie"),
        ("verdict", "MODEL_A Model_B DRAW"),
    ],
)
def test_spellings_of_an_outcome(tmp_path: Path, column: str, values: str) -> None:
    assert outcomes(tmp_path, column, values.split()) == ["model_a", "model_b", "tie"]


def test_index_of_the_accepted_reply(tmp_path: Path) -> None:
    assert outcomes(tmp_path, "acceptedIndex", ["0", "1"]) == ["model_a", "model_b"]


def test_scores_are_read_with_a_note(tmp_path: Path) -> None:
    (note,) = read(tmp_path, "model_a,model_b,winner\nx,y,1\nx,y,0\n").notes
    assert note.startswith("winner 1 is read as a win of the first model")


def test_name_that_is_also_a_side_has_to_be_told(tmp_path: Path) -> None:
    rows = "model_a,model_b,winner\nb,a,a\n"
    with pytest.raises(VotesError, match=r"row 1: winner 'a' is a side and the name of a model.*--outcomes names"):
        read(tmp_path, rows)
    assert said(read(tmp_path, rows, naming=read_naming(None, "names"))) == [("b", "a", "model_b")]
    assert said(read(tmp_path, rows, naming=read_naming(None, "a=model_a"))) == [("b", "a", "model_a")]
    assert said(read(tmp_path, "model_a,model_b,winner\na,b,a\n")) == [("a", "b", "model_a")]


def test_unknown_outcome_lists_what_is_accepted_and_no_source_file(tmp_path: Path) -> None:
    with pytest.raises(UnknownOutcomeError, match=r"'better'; accepted are .*--outcomes") as caught:
        outcomes(tmp_path, "winner", ["better"])
    assert ".py" not in str(caught.value)
    assert outcomes(tmp_path, "winner", ["better"], naming=read_naming(None, "better=both_bad")) == ["both_bad"]


def test_columns_of_any_name(tmp_path: Path) -> None:
    naming = read_naming("model_a=l,model_b=r,winner=said,voter=who", None)
    votes = read(tmp_path, "l,r,said,who\nx,y,A,me\ny,x,tie,me\n", naming=naming)
    assert said(votes) == READ
    assert votes.voter_ids is not None
    assert votes.voter_ids[0] == "me"
    with pytest.raises(VotesError, match="no column 'lost' for winner; there are l, r, said"):
        read(tmp_path, "l,r,said\nx,y,A\n", naming=Naming({"winner": "lost"}))


@pytest.mark.parametrize(
    ("columns", "outcomes", "message"),
    [
        ("winner", None, "--columns: 'winner' is no pair"),
        ("won=a", None, "'won' is no part of a vote"),
        ("winner=a,winner=b", None, "'winner' stands twice"),
        (None, "1=first", "'first' is none of both_bad, model_a, model_b, tie"),
    ],
)
def test_naming_that_makes_no_sense_is_refused(columns: str | None, outcomes: str | None, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_naming(columns, outcomes)


@pytest.mark.parametrize("no", ["0", "f", "False", "no", "0.0"])
def test_votes_with_names_showing_are_left_out_in_every_spelling(tmp_path: Path, no: str) -> None:
    votes = read(tmp_path, f"model_a,model_b,winner,anony\nx,y,A,{no}\nx,y,A,t\nx,y,A,\nx,y,A,well\n")
    assert votes.used == 2
    assert votes.left_out == {"not anonymous": 1, "anony is neither true nor false": 1}


@pytest.mark.parametrize("empty", ["", "NULL", "\\N", "NA", "None", "nan", "  "])
def test_empty_names_are_missing_and_no_contestant(tmp_path: Path, empty: str) -> None:
    votes = read(tmp_path, f"model_a,model_b,winner,judge\nx,y,A,{empty}\nx,{empty},B,v\n")
    assert (votes.models, votes.left_out, votes.voter) == (("x", "y"), {"missing model": 1}, None)


def test_blanks_around_a_name_are_taken_off(tmp_path: Path) -> None:
    assert read(tmp_path, "model_a,model_b,winner\n x,y\u00a0,A\nx\u200b,y,B\n").models == ("x", "y")


def test_names_that_only_blanks_told_apart_are_noted(tmp_path: Path) -> None:
    votes = read(tmp_path, "model_a,model_b,winner\nx,y,A\n\u200bx,y,B\n y,z,A\n")
    assert votes.models == ("x", "y", "z")
    assert votes.notes == (
        "'x', 'y': also written with blanks or invisible characters around it, and taken as the same",
    )


def test_names_that_look_alike_are_kept_apart_and_noted(tmp_path: Path) -> None:
    votes = read(tmp_path, "model_a,model_b,winner\ngpt 4,y,A\nGPT 4,y,A\ngp\u200bt 4,y,B\nz\u00e9,y,B\nze\u0301,y,A\n")
    assert len(votes.models) == 6
    (note,) = votes.notes
    assert "'GPT 4' and 'gpt 4' and 'gp\\u200bt 4'; 'ze\\u0301' and 'z\\xe9'" in note


@pytest.mark.parametrize(
    "time",
    [
        "2024-05-24 12:00:00 UTC",
        "2024-05-24T12:00:00Z",
        "2024-05-24 14:00:00.000+02:00",
        "Fri, 24 May 2024 12:00:00 GMT",
        "Fri, 24 May 2024 14:00:00 +0200",
        "1716552000",
        "1716552000000",
        "1716552000000000",
        "1716552000.0",
        "45436.5",
    ],
)
def test_times_of_all_kinds(tmp_path: Path, time: str) -> None:
    votes = read(tmp_path, f'model_a,model_b,winner,timestamp\nx,y,A,"{time}"\n')
    assert votes.time is not None
    assert votes.time.tolist() == [1716552000.0]


@pytest.mark.parametrize("date", ["2024-05-24", "20240524", "45436"])
def test_dates_are_the_start_of_their_day(tmp_path: Path, date: str) -> None:
    votes = read(tmp_path, f"model_a,model_b,winner,timestamp\nx,y,A,{date}\n")
    assert votes.time is not None
    assert votes.time.tolist() == [1716508800.0]


def test_time_that_cannot_be_read_costs_the_vote_nothing_else(tmp_path: Path) -> None:
    votes = read(tmp_path, "model_a,model_b,winner,timestamp\nx,y,A,soon\nx,y,A,2024-05-24\n")
    assert votes.used == 2
    assert votes.notes == ("1 vote with a time that cannot be read, such as 'soon'",)


def test_whole_number_written_with_a_point_is_the_same_voter(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("model_a,model_b,winner,judge\nx,y,A,3.0\n")
    (tmp_path / "2.csv").write_text("model_a,model_b,winner,judge\nx,y,A,3\n")
    votes = read_votes_file(tmp_path / "1.csv", tmp_path / "2.csv")
    assert votes.voter is not None
    assert votes.voter.tolist() == [0, 0]


def test_list_of_languages_is_as_many_categories(tmp_path: Path) -> None:
    row = {"model_a": "x", "model_b": "y", "winner": "A", "language": ["en", "de"]}
    assert read(tmp_path, json.dumps([row])).categories == (("language=en", "language=de"),)
    assert read(tmp_path, json.dumps([row | {"language": []}])).category is None


def test_numbers_are_names_in_json_as_in_csv(tmp_path: Path) -> None:
    rows = [{"model_a": 1, "model_b": 2.5, "winner": "A"}]
    assert read(tmp_path, json.dumps(rows)).models == read(tmp_path, "model_a,model_b,winner\n1,2.5,A\n").models


def test_integer_of_any_length_is_an_id(tmp_path: Path) -> None:
    row = '{"model_a": "x", "model_b": "y", "winner": "A", "judge": ' + "9" * 4400 + "}"
    votes = read(tmp_path, row)
    assert votes.voter_ids is not None
    assert votes.voter_ids[0] == "9" * 4400


def test_column_that_stands_twice_in_parquet_is_refused(tmp_path: Path) -> None:
    column = pyarrow.array(["x"])
    table = pyarrow.Table.from_arrays([column] * 4, names=["model_a", "model_b", "winner", "winner"])
    parquet.write_table(table, tmp_path / "p")
    with pytest.raises(VotesError, match="column 'winner' stands twice"):
        read_votes_file(tmp_path / "p")


def test_ids_that_were_rounded_before_are_not_used(tmp_path: Path) -> None:
    rows = [{"model_a": "x", "model_b": "y", "winner": "A", "question_id": 2.0**60, "tstamp": 1.0}] * 2
    frame = pd.DataFrame(rows)
    frame.to_parquet(tmp_path / "p")
    for votes in (
        read_frame(frame),
        read_votes_file(tmp_path / "p"),
        read_votes_file(tmp_path / "p", keep_left_out=True),
    ):
        assert votes.used == 2
        assert votes.notes[0].startswith("question_id holds floating-point numbers too large to be exact")


def test_frame_with_a_column_twice_is_refused() -> None:
    frame = pd.DataFrame([["x", "y", "A", "B"]], columns=["model_a", "model_b", "winner", "winner"])
    with pytest.raises(VotesError, match="column 'winner' stands twice"):
        read_frame(frame)
