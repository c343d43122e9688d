"""Votes in whatever people keep and send them in: each container is read, or named for what it is."""

import bz2
import io
import json
import lzma
import os
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from ratings.errors import VotesError
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


@pytest.mark.parametrize(
    "content",
    [
        CSV.replace(",", ";"),
        CSV.replace(",", "\t"),
        CSV.replace(",", "|"),
        "sep=;\n" + CSV.replace(",", ";"),
        CSV.replace("\n", ",,\n"),
        CSV.replace("\n", "\r\n"),
        CSV.replace("\n", "\r"),
        CSV.replace("\n", "\r").replace("\r", "\r\n", 1),
        CSV.encode("utf-16"),
        CSV.encode("utf-8-sig"),
        bz2.compress(CSV.encode()),
        lzma.compress(CSV.encode()),
        json.dumps(
            {
                "data": [
                    {"model_a": "x", "model_b": "y", "winner": "A"},
                    {"model_a": "y", "model_b": "x", "winner": "tie"},
                ]
            }
        ),
        json.dumps(
            {"model_a": {"0": "x", "1": "y"}, "model_b": {"0": "y", "1": "x"}, "winner": {"0": "A", "1": "tie"}}
        ),
        json.dumps(
            {"columns": ["model_a", "model_b", "winner"], "index": [0, 1], "data": [["x", "y", "A"], ["y", "x", "tie"]]}
        ),
        json.dumps({"model_a": "x", "model_b": "y", "winner": "A"}, indent=1)
        + json.dumps({"model_a": "y", "model_b": "x", "winner": "tie"}, indent=1),
    ],
    ids=str,
)
def test_containers(tmp_path: Path, content: str | bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(read(tmp_path, content)) == READ
    monkeypatch.setattr("ratings.files.read.LARGE", 0)
    assert said(read(tmp_path, content)) == READ


def test_archive_with_one_file(tmp_path: Path) -> None:
    path = tmp_path / "votes.zip"
    for names in (["votes.csv"], ["votes.csv", "__MACOSX/._votes.csv"]):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, CSV)
        assert said(read_votes_file(path)) == READ
    for names, message in ((["a.csv", "b.csv"], "holds 2 files"), (["xl/workbook.xml"], "Excel workbook; save")):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, CSV)
        with pytest.raises(VotesError, match=message):
            read_votes_file(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"%PDF-1.7", "PDF"),
        (b"\x80\x04\x95", "pickle"),
        (b"ARROW1\0\0", "Feather"),
        (bz2.compress(bz2.compress(CSV.encode())), "packed twice"),
        (b"\xd0\xcf\x11\xe0", "Excel"),
    ],
)
def test_what_is_no_file_of_votes_is_named_for_what_it_is(tmp_path: Path, content: bytes, what: str) -> None:
    with pytest.raises(VotesError, match=what):
        read(tmp_path, content)


def test_several_files_are_read_as_one(tmp_path: Path) -> None:
    head = "question_id,model_a,model_b,winner,judge,tstamp\n"
    (tmp_path / "1.csv").write_text(head + "q1,x,y,A,u,1\nq2,y,z,A,v,2\n")
    rows = [{"model_a": "z", "model_b": "x", "winner": "B", "question_id": "q2", "judge": "w", "tstamp": 3}]
    rows += [rows[0] | {"question_id": "q4", "judge": "u"}]
    (tmp_path / "2.json").write_text(json.dumps(rows))
    votes = read_votes_file(tmp_path / "*.*")
    assert said(votes) == [("x", "y", "model_a"), ("y", "z", "model_a"), ("z", "x", "model_b")]
    assert votes.left_out == {"duplicate id": 1}
    assert votes.voter is not None
    assert votes.voter_ids is not None
    assert [votes.voter_ids[code] for code in votes.voter.tolist()] == ["u", "v", "u"]
    with pytest.raises(VotesError, match="no file matches"):
        read_votes_file(tmp_path / "*.parquet")


def test_file_given_twice_is_noted(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(CSV)
    votes = read_votes_file(tmp_path / "a", tmp_path / "a")
    assert votes.used == 4
    assert "the same content as a file before it" in votes.notes[0]
    rows = CSV.split("\n", 1)[1] * 10
    assert "is a file in there twice?" in read(tmp_path, CSV.split("\n")[0] + "\n" + rows + rows).notes[0]


def test_name_of_a_file_may_read_as_a_pattern(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratings.files.read.LARGE", 0)
    monkeypatch.setattr("ratings.files.read._read_by_rows", lambda *given: pytest.fail("read by rows"))
    (folder := tmp_path / "model_a=z").mkdir()
    for name, write in (("v[1]*.csv", lambda p: p.write_text(CSV)), ("v[1]?.parquet", _write_parquet)):
        write(folder / name)
        assert said(read_votes_file(folder / name)) == READ


def _write_parquet(path: Path) -> None:
    pd.read_csv(io.StringIO(CSV)).to_parquet(path)


def test_pipe_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=(CSV,))
    writer.start()
    assert said(read_votes_file(tmp_path / "pipe")) == READ
    writer.join()


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(CSV.encode())))
    assert said(read_votes_file(Path("-"))) == READ
