"""The command refuses in one clear line: contradictions, values out of range, files that hold no votes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ratings.compare import main as compare_main
from ratings.compute import main

HEADER = "model_a,model_b,winner\n"

CONTRADICTIONS = [
    "--method elo --ties drop",
    "--method elo --choose",
    "--method elo --prior 100",
    "--method elo --interval sandwich",
    "--method elo --weights",
    "--method elo --style",
    "--method elo --by day",
    "--method elo --fragility",
    "--method elo --position",
    "--method elo --voters",
    "--method elo --models models.yaml",
    "--method elo --both-bad loss-to-the-field",
    "--choose --ties half",
    "--choose --method davidson",
    "--method davidson --ties half",
    "--method davidson --interval bootstrap",
    "--ties davidson --interval bootstrap",
    "--ties davidson --fragility",
    "--ties drop --voters",
    "--prior 100 --voters",
    "--weights --fragility",
    "--prior 100 --interval bootstrap",
    "--both-bad loss-to-the-field --style",
    "--both-bad loss-to-the-field --position",
    "--both-bad loss-to-the-field --elo-shuffles 3",
]


@pytest.mark.parametrize("options", CONTRADICTIONS)
def test_contradiction_is_one_line_that_names_both_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: str
) -> None:
    assert main(["--votes", str(tmp_path / "none.csv"), *options.split()]) == 2
    said = capsys.readouterr().err
    assert "contradict each other" in said
    assert said.count("\n") == 1
    assert all(word in said for word in options.split() if word.startswith("--"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--png", "give --out"),
        ("--cluster voter --interval sandwich", "--interval sandwich and --cluster voter contradict each other"),
        ("--elo-shuffles 1", "at least 2"),
        ("--anchor base", "--anchor is 'base'"),
        ("--anchor base=high", "--anchor is 'base=high'"),
        ("--anchor base=inf", "finite"),
        ("--anchor nobody=1000", "'nobody' is not a rated model"),
        ("--prior 0", "standard deviation is 0.0"),
        ("--seed -1", "seed is -1"),
        ("--category poems", "no votes in a category 'poems'; there are 'facts', 'stories'"),
        ("--models none.yaml", "none.yaml: no such file"),
        ("--confidence 1", "confidence is 1.0"),
    ],
)
def test_option_out_of_range_is_one_line(
    full_ledger: Path, capsys: pytest.CaptureFixture[str], options: str, message: str
) -> None:
    assert main(["--db", str(full_ledger), *options.split()]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def write(content: str | bytes) -> Callable[[Path], list[str]]:
    """Return a function that makes a file with this content and the arguments that read it."""

    def make(folder: Path) -> list[str]:
        path = folder / "given"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return ["--votes", str(path)]

    return make


TROUBLES: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "no rows": (write(HEADER), "no votes to rate by: read 0"),
    "one model": (write(HEADER + "a,a,tie\n"), "only one model has votes ('a')"),
    "unknown outcome": (write(HEADER + "a,b,better\n"), "row 1: unknown outcome 'better'"),
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


@pytest.mark.parametrize(
    "words",
    [
        "--method elo --confidence 0.95",
        "--method elo --seed 0",
        "--method elo --prior 0",
        "--interval sequence --seed 3",
        "--method bradley-terry --ties davidson",
        "--title Ours",
        "--png",
    ],
)
def test_an_option_that_would_do_nothing_is_refused_also_at_its_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    assert main([*write(HEADER + "a,b,tie\n")(tmp_path), *words.split()]) == 2
    said = capsys.readouterr().err
    assert "leave" in said or "give --out DIR" in said


@pytest.mark.parametrize("command", [main, compare_main])
def test_columns_of_a_ledger_cannot_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: Callable[[list[str]], int]
) -> None:
    first = ["a", "b"] if command is compare_main else []
    assert command([*first, "--db", str(tmp_path / "arena.db"), "--columns", "winner=verdict"]) == 2
    assert "--columns is for --votes" in capsys.readouterr().err


def test_unknown_feature_of_style_is_an_error_that_lists_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*write(HEADER + "a,b,tie\n")(tmp_path), "--style", "length,italics"]) == 2
    assert "'italics'; choose some of length, headers, bold, lists, or all" in capsys.readouterr().err
