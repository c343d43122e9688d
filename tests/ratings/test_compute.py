"""The command: what it prints and writes, and one clear line for everything that goes wrong."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ratings import output
from ratings.compute import main

MakeLedger = Callable[..., Path]

VOTES = [("a", "b", "model_a"), ("b", "a", "model_a"), ("a", "b", "both_bad"), ("b", "a", "tie")]


@pytest.mark.parametrize("method", ["bradley-terry", "elo"])
def test_three_files_and_a_table_tell_the_same_board(
    make_ledger: MakeLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    out = tmp_path / "board" / "today"
    assert main(["--db", str(make_ledger(VOTES)), "--out", str(out), "--method", method]) == 0
    assert sorted(path.name for path in out.iterdir()) == [f"leaderboard.{kind}" for kind in ("csv", "html", "json")]
    told = json.loads((out / "leaderboard.json").read_text())
    assert (told["method"], told["votes"]["used"]) == (method, 4)
    table = list(csv.DictReader((out / "leaderboard.csv").read_text().splitlines()))
    assert [(row["model"], float(row["rating"])) for row in table] == [
        (row["model"], row["rating"]) for row in told["rows"]
    ]
    assert f"{method}: 4 votes read, 4 used" in capsys.readouterr().out


def test_votes_file_is_rated_like_the_ledger(
    make_ledger: MakeLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\n" + "".join(f"{a},{b},{o}\n" for a, b, o in VOTES))
    printed = []
    for source in (["--votes", str(path)], ["--db", str(make_ledger(VOTES))]):
        assert main(source) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def test_options_reach_the_board(make_ledger: MakeLedger, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--both-bad", "drop", "--confidence", "0.8", "--out", str(out)]
    assert main(["--db", str(make_ledger(VOTES)), *options]) == 0
    told = json.loads((out / "leaderboard.json").read_text())
    assert (told["settings"]["both_bad"], told["settings"]["confidence"]) == ("drop", 0.8)
    assert told["votes"]["left_out"] == {"both bad, dropped": 1}


def write(content: str | bytes) -> Callable[[Path], list[str]]:
    """Return a function that makes a file with this content and the arguments that read it."""

    def make(folder: Path) -> list[str]:
        path = folder / "given"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return ["--votes", str(path)]

    return make


HEADER = "model_a,model_b,winner\n"
TROUBLES: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "no rows": (write(HEADER), "no votes to rate by: read 0"),
    "one model": (write(HEADER + "a,a,tie\n"), "only one model has votes ('a')"),
    "unknown outcome": (write(HEADER + "a,b,draw\n"), "row 1: unknown outcome 'draw'"),
    "truncated json": (write('[{"model_a": "a",'), "broken JSON at line 1"),
    "not utf-8": (write(HEADER.encode() + b"\xe9,b,tie\n"), "not UTF-8"),
    "wrong columns": (write("x,y\n1,2\n"), "no votes in these columns: x, y"),
    "empty file": (write(""), "the file is empty"),
    "missing file": (lambda folder: ["--votes", str(folder / "none.csv")], "no such file"),
    "folder": (lambda folder: ["--votes", str(folder)], "is a directory"),
    "missing ledger": (lambda folder: ["--db", str(folder / "none.db")], "no such file"),
    "no database": (lambda folder: ["--db", write("a" * 200)(folder)[1]], "file is not a database"),
    "no ledger": (lambda folder: ["--db", write("")(folder)[1]], "votes does not exist"),
    "confidence": (
        lambda folder: [*write(HEADER + "a,b,tie\n")(folder), "--confidence", "95"],
        "confidence is 95.0",
    ),
    "unwritable": (
        lambda folder: [*write(HEADER + "a,b,tie\n")(folder), "--out", str(folder / "given")],
        "cannot be written",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_is_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str], trouble: str) -> None:
    arguments, message = TROUBLES[trouble]
    assert main(arguments(tmp_path)) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert said.count("\n") == 1


def test_real_process_ends_without_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ratings.compute", "--db", str(tmp_path / "none.db")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("error: ")
    assert run.stderr.count("\n") == 1


def test_earlier_board_survives_a_write_that_fails(
    make_ledger: MakeLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    arguments = ["--db", str(make_ledger(VOTES)), "--out", str(out)]
    assert main(arguments) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output.os, "chmod", full_disk)
    assert main([*arguments, "--confidence", "0.5"]) == 2
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
