"""Each published shape of a votes file is read, and each way to break one is an error that says so."""

import csv
import gzip
import io
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ratings.errors import UnknownOutcomeError, VotesError
from ratings.files import read as vote_files
from ratings.files.frames import read_frame
from ratings.files.read import read_votes_file
from ratings.outcomes import OUTCOMES, Outcome
from ratings.votes.counts import count_by_category
from ratings.votes.votes import Votes

A, B, TIE, BAD = Outcome.A_WINS, Outcome.B_WINS, Outcome.TIE, Outcome.BOTH_BAD


def write(folder: Path, rows: list[dict[str, Any]], kind: str) -> Path:
    """Write rows as json, jsonl or csv and return the path."""
    path = folder / f"votes.{kind}"
    if kind == "csv":
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
        path.write_text(text.getvalue(), encoding="utf-8")
    elif kind == "json":
        path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def said(votes: Votes) -> list[tuple[str, str, Outcome]]:
    """Return the votes as (model_a, model_b, outcome)."""
    return [
        (votes.models[a], votes.models[b], OUTCOMES[code])
        for a, b, code in zip(votes.a, votes.b, votes.outcome, strict=True)
    ]


SIMPLE = [
    {"model_a": "m1", "model_b": "m2", "winner": "model_a", "judge": "u", "anony": True, "tstamp": 1.5},
    {"model_a": "m2", "model_b": "m3", "winner": "tie (bothbad)", "judge": "u", "anony": True, "tstamp": 2.5},
]
CLEAN = [
    {
        "question_id": f"q{i}",
        **row,
        "conversation_a": [{"role": "user", "content": 'hi, "x"\nthere'}],
        "turn": 1,
    }
    for i, row in enumerate(SIMPLE)
]
ONE_HOT = [
    {
        "id": i,
        "model_a": a,
        "model_b": b,
        "prompt": 'p,\n"q"',
        "winner_model_a": x,
        "winner_model_b": y,
        "winner_tie": z,
    }
    for i, (a, b, x, y, z) in enumerate([("m1", "m2", 1, 0, 0), ("m2", "m1", 0, 1, 0), ("m1", "m3", 0, 0, 1)])
]
LATEST = [
    {"id": f"i{i}", "model_a": "m1", "model_b": "m2", "winner": winner, "evaluation_session_id": "s"}
    for i, winner in enumerate(["model_a", "model_b", "tie", "both_bad"])
]
CROWD = [
    {"id": 0, "worker": worker, "left": "m1", "right": "m2", "winner": winner}
    for worker, winner in enumerate(["left", "right", "tie"])
]


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv"])
@pytest.mark.parametrize(
    ("rows", "outcomes"),
    [
        (SIMPLE, [("m1", "m2", A), ("m2", "m3", BAD)]),
        (CLEAN, [("m1", "m2", A), ("m2", "m3", BAD)]),
        (ONE_HOT, [("m1", "m2", A), ("m2", "m1", B), ("m1", "m3", TIE)]),
        (LATEST, [("m1", "m2", outcome) for outcome in OUTCOMES]),
        (CROWD, [("m1", "m2", A), ("m1", "m2", B), ("m1", "m2", TIE)]),
    ],
    ids=["simple", "clean", "one-hot", "latest", "crowd"],
)
def test_published_shape_is_read_from_every_container(
    tmp_path: Path, rows: list[dict[str, Any]], outcomes: list[tuple[str, str, Outcome]], kind: str
) -> None:
    votes = read_votes_file(write(tmp_path, rows, kind))
    assert said(votes) == outcomes
    assert votes.left_out == {}


def test_fastchat_log_is_read_with_names_hidden_until_the_vote(tmp_path: Path) -> None:
    hidden = {"models": ["", ""], "states": [{"model_name": "m1"}, {"model_name": "m2"}]}
    log = [
        {"tstamp": 1, "type": "chat", "model": "m1"},
        {"tstamp": 2, "type": "leftvote", **hidden},
        {"tstamp": 3, "type": "bothbad_vote", "models": ["m3", "m1"], "states": []},
        {"tstamp": 4, "type": "tievote", "models": ["", ""], "states": []},
    ]
    votes = read_votes_file(write(tmp_path, log, "jsonl").rename(tmp_path / "log-conv.json"))
    assert said(votes) == [("m1", "m2", A), ("m3", "m1", BAD)]
    assert votes.left_out == {"not a vote": 1, "missing model": 1}


@pytest.mark.parametrize("rows", [CLEAN, ONE_HOT, LATEST], ids=["question_id", "id", "session"])
def test_same_battle_id_twice_counts_once(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    votes = read_votes_file(write(tmp_path, [*rows, rows[0]], "csv"))
    assert (votes.read, votes.used, votes.left_out) == (len(rows) + 1, len(rows), {"duplicate id": 1})


def test_question_that_many_voters_share_is_no_duplicate(tmp_path: Path) -> None:
    judgments = [
        {"question_id": 81, "model_a": "m1", "model_b": "m2", "winner": "tie", "judge": judge, "turn": 1}
        for judge in ("expert_1", "expert_2")
    ]
    assert read_votes_file(write(tmp_path, judgments, "jsonl")).used == 2


def test_blank_battle_id_is_no_duplicate(tmp_path: Path) -> None:
    rows = [{**row, "question_id": None} for row in CLEAN]
    assert read_votes_file(write(tmp_path, rows, "json")).used == 2


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_row_that_says_nothing_is_left_out_and_never_a_tie(tmp_path: Path, kind: str) -> None:
    rows = [
        *SIMPLE,
        {**SIMPLE[0], "winner": None},
        {**SIMPLE[0], "model_b": ""},
        {**SIMPLE[0], "model_b": "m1"},
        {**SIMPLE[0], "anony": False},
    ]
    votes = read_votes_file(write(tmp_path, rows, kind))
    assert said(votes) == [("m1", "m2", A), ("m2", "m3", BAD)]
    assert votes.left_out == {"missing outcome": 1, "missing model": 1, "self-battle": 1, "not anonymous": 1}


@pytest.mark.parametrize(("kind", "where"), [("json", "row 2"), ("jsonl", "line 2"), ("csv", "row 2")])
def test_unknown_outcome_names_file_row_and_value(tmp_path: Path, kind: str, where: str) -> None:
    with pytest.raises(UnknownOutcomeError, match=rf"votes\.{kind}: {where}: .*'Model_X'"):
        read_votes_file(write(tmp_path, [SIMPLE[0], {**SIMPLE[1], "winner": "Model_X"}], kind))


def test_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\nm1,m2,tie\n", encoding="utf-8-sig")
    assert read_votes_file(path).used == 1


def test_conversation_longer_than_the_csv_default_is_read(tmp_path: Path) -> None:
    rows = [{**SIMPLE[0], "conversation_a": "x" * 200_000}]
    limit = csv.field_size_limit()
    assert read_votes_file(write(tmp_path, rows, "csv")).used == 1
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b'[{"model_a": "m1", "model_b"', "broken JSON at line 1"),
        (b'{"model_a":"a","model_b":"b","winner":"tie"}\n{"model_a":', "broken JSON at line 2"),
        (b"[3]", "row 1 is '3', not an object"),
        (b"model_a,model_b,winner\nm\xff1,m2,tie\n", "not UTF-8 text .byte 0xff."),
        (b'[{"model_a": "\xff"}]', "not UTF-8 text"),
        (b"model_a,model_b,winner\nm1,m2,tie\nm1,m2\n", "row 2 has 2 fields where the header has 3"),
        (b'model_a,model_b,winner\nm1,"m2,tie\n', "broken CSV near line 2"),
        (
            b"first,second,verdict\nm1,m2,tie\n",
            "these columns: first, second, verdict; accepted are .*model_a",
        ),
        (b'[{"model_a": ["m"], "model_b": "b", "winner": "tie"}]', r"row 1: model .*m.* is not a name"),
        (b'[{"model_a": "a", "model_a": "b", "winner": "tie"}]', "row 1: key 'model_a' stands twice"),
        (b'{"type": "leftvote", "models": ["m1"]}', r"line 1: models is \['m1'\]"),
        (b'[{"model_a": "\\ud800", "model_b": "b", "winner": "tie"}]', "row 1: model .* is half a character"),
        (b"SQLite format 3\x00", "read a ledger with --db"),
        (b"PAR1....", "broken Parquet"),
        (b"model_a,model_b,winner\nm\x001,m2,tie\n", "row 1: model .* holds a NUL character"),
        (b"model_a,model_a,winner\nm1,m2,tie\n", "column 'model_a' stands twice"),
        (b'[{"model_a": "a", "model_b": "b", "winner": "tie"}] x', "broken JSON at line 1: Extra data"),
        (b'[{"model_a": "a", "model_b": "b", "winner": "tie"}\n,\n]', "broken JSON at line 3"),
        (b"\x1f\x8b\x08cut", "broken gzip"),
    ],
)
def test_broken_file_is_one_line_that_names_file_and_fault(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "votes"
    path.write_bytes(content)
    with pytest.raises(VotesError, match=message) as caught:
        read_votes_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(VotesError, match="no such file"):
        read_votes_file(tmp_path / "none.csv")
    with pytest.raises(VotesError, match="is a directory"):
        read_votes_file(tmp_path)


@pytest.mark.parametrize("content", ["[]", "model_a,model_b,winner\n"])
def test_file_without_rows_has_no_votes(tmp_path: Path, content: str) -> None:
    path = tmp_path / "votes"
    path.write_text(content)
    assert read_votes_file(path).read == 0


def assert_same(first: Votes, second: Votes) -> None:
    """Fail unless both say the same in every field; categories are compared by name."""
    for field in fields(Votes):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if field.name in ("category", "categories", "voter_ids"):
            continue
        if isinstance(one, np.ndarray):
            assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), field.name
        else:
            assert one == other, field.name
    assert categories_of(first) == categories_of(second)


def categories_of(votes: Votes) -> list[tuple[str, ...]]:
    """Return the category names of each vote."""
    return [] if votes.category is None else [votes.categories[code] for code in votes.category]


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
def test_large_file_is_read_by_columns(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vote_files, "LARGE", 0)
    monkeypatch.setattr(vote_files, "_read_by_rows", lambda *given: pytest.fail("read by rows"))
    assert said(read_votes_file(write(tmp_path, SIMPLE, kind))) == [("m1", "m2", A), ("m2", "m3", BAD)]


def test_rows_left_out_are_listed_by_their_place(tmp_path: Path) -> None:
    rows = [SIMPLE[0], {**SIMPLE[0], "winner": None}, {**SIMPLE[0], "model_b": "m1"}]
    expected = (("row 2", "missing outcome"), ("row 3", "self-battle"))
    assert read_votes_file(write(tmp_path, rows, "csv"), keep_left_out=True).left_out_rows == expected
    assert read_frame(pd.DataFrame(rows), keep_left_out=True).left_out_rows == expected
    assert read_votes_file(write(tmp_path, rows, "csv")).left_out_rows == ()


def test_worker_and_prompt_of_crowd_files_are_clusters(tmp_path: Path) -> None:
    rows = [{**CROWD[0], "worker": worker, "prompt": prompt} for worker, prompt in [(7, 1), (8, 1), (7, 2)]]
    votes = read_votes_file(write(tmp_path, rows, "csv"))
    assert votes.voter is not None
    assert votes.prompt is not None
    assert (votes.voter.tolist(), votes.prompt.tolist()) == ([0, 1, 0], [0, 0, 1])


def test_categories_are_named_after_their_columns(tmp_path: Path) -> None:
    tags = {"math_v0.1": {"math": True}, "if_v0.1": {"if": False, "score": 4}}
    rows = [
        {**SIMPLE[0], "language": "English", "is_code": True, "category_tag": tags},
        {**SIMPLE[1], "language": "French"},
    ]
    counted = count_by_category(read_votes_file(write(tmp_path, rows, "json")))
    assert {name: counts.used for name, counts in counted.items()} == {
        "": 2,
        "category_tag=math": 1,
        "is_code=true": 1,
        "language=English": 1,
        "language=French": 1,
    }
    assert categories_of(read_frame(pd.DataFrame(rows))) == categories_of(
        read_votes_file(write(tmp_path, rows, "json"))
    )


def test_comparia_votes_name_the_chosen_model(tmp_path: Path) -> None:
    pair = {"model_a_name": "m1", "model_b_name": "m2"}
    said_of = [("m1", False), ("m2", False), (None, True), (None, False)]
    rows = [{**pair, "chosen_model_name": chosen, "both_equal": equal} for chosen, equal in said_of]
    votes = read_votes_file(write(tmp_path, rows, "jsonl"))
    assert [outcome for _, _, outcome in said(votes)] == [A, B, TIE]
    assert votes.left_out == {"missing outcome": 1}
    with pytest.raises(UnknownOutcomeError, match="chosen_model_name=m3"):
        read_votes_file(write(tmp_path, [{**pair, "chosen_model_name": "m3", "both_equal": False}], "json"))


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv"])
def test_gzipped_file_is_read_like_its_content(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, CLEAN, kind)
    expected = read_votes_file(path)
    packed = tmp_path / f"{path.name}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for large in (1 << 20, 0):
        monkeypatch.setattr(vote_files, "LARGE", large)
        assert_same(read_votes_file(packed), expected)


@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_noise_in_a_long_file_is_told_without_reading_on(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ratings.files.rows._BUFFER", 256)
    path = write(tmp_path, SIMPLE * 40, kind)
    lines = path.read_text().replace('"m2"', "m2", 1)
    path.write_text(lines + "x" * 1_000_000)
    with pytest.raises(VotesError, match=r"broken JSON at line [1-9]:"):
        read_votes_file(path)


def test_array_is_read_in_parts_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, CLEAN * 3, "json")
    expected = read_votes_file(path)
    for size in (1, 7, 64):
        monkeypatch.setattr("ratings.files.rows._BUFFER", size)
        assert_same(read_votes_file(path), expected)


def test_noise_of_any_length_is_refused_by_its_first_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "noise.csv"
    file.write_text("model_a,model_b,winner\n" + "".join(f"x,y,w{n}\n" for n in range(200_000)))
    assert file.stat().st_size > vote_files.LARGE
    monkeypatch.setattr(vote_files, "_read_by_columns", lambda *_: pytest.fail("read it all"))
    with pytest.raises(UnknownOutcomeError, match=r"row 1: unknown outcome 'w0'"):
        vote_files.read_votes_file(file)
