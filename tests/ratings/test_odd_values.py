"""Values that are not what their column says end in a board that a person would accept, or in one clear line."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratings import rate
from ratings.compute import main
from tests.paths import ROOT
from tests.ratings.ledger.test_vote_counts import fill

OPTIONS = ["", "--weights", "--category all", "--by day", "--method elo", "--since 2000-01-01", "--list-left-out"]
TAMPERED = [
    "probability = 'often'",
    "probability = x'ff'",
    "probability = 0",
    "category = 7",
    "category = x'ff00'",
    "category = CAST(x'ff61' AS TEXT)",
    "created = 'soon'",
    "created = x'ff'",
    "created = 99999999999999999",
    "visitor = 7",
    "visitor = x'ff'",
    "outcome = 1",
    "source = NULL",
    "model_a = 3",
    "model_a = CAST(x'ff61' AS TEXT)",
]


def check(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Fail unless the command prints a board, or one line that is no fault of its own."""
    status, said = main([*arguments, "--no-fragility", "--no-position"]), capsys.readouterr()
    assert status in (0, 2)
    assert said.err.count("\n") == (status == 2)
    assert len(said.err) < 450
    return said.out or said.err


@pytest.fixture(scope="module")
def loose(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a ledger as another program might write it, without types or checks."""
    path = tmp_path_factory.mktemp("loose") / "loose.db"
    fill(path, 90)
    columns = "battle_id, created, visitor, model_a, model_b, outcome, probability, source, category"
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.executescript(
            f"CREATE TABLE kept AS SELECT {columns} FROM votes; DROP VIEW preferences; DROP TABLE vote_counts; "
            f"DROP TABLE vote_changes; DROP TABLE votes; CREATE TABLE votes ({columns}); "
            f"INSERT INTO votes SELECT {columns} FROM kept"
        )
    return path.read_bytes()


@pytest.mark.parametrize("tampered", TAMPERED)
def test_ledger_with_an_odd_value(
    tmp_path: Path, loose: bytes, capsys: pytest.CaptureFixture[str], tampered: str
) -> None:
    path = tmp_path / "odd.db"
    path.write_bytes(loose)
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute(f"UPDATE votes SET {tampered} WHERE rowid = 3")
    for options in OPTIONS:
        check(["--db", str(path), *options.split()], capsys)


def test_number_as_a_category_is_the_text_of_its_digits(tmp_path: Path, loose: bytes) -> None:
    path = tmp_path / "odd.db"
    path.write_bytes(loose)
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute("UPDATE votes SET category = CASE rowid % 2 WHEN 0 THEN 7 ELSE '7' END")
    for method in ("bradley-terry", "elo"):
        board = rate(path, category="7", method=method)  # type: ignore[arg-type]
        assert board.report.categories["7"].rows == board.rows


VOTES = {"model_a": ["a", "b", "c"] * 20, "model_b": ["b", "c", "a"] * 20, "winner": ["model_a", "model_b", "tie"] * 20}
BAD = pa.Array.from_buffers(pa.string(), 60, pa.array([b"\xff\xfe", b"b", b"c"] * 20, pa.binary()).buffers())
COLUMNS: dict[str, dict[str, Any]] = {
    "text in probability": {"probability": ["often", "0.5", "1"] * 20},
    "no number in probability": {"probability": [float("nan"), -1.0, 2.0] * 20},
    "integer category": {"category": [1, 2, 3] * 20},
    "list as category": {"category": [[1], [2], None] * 20},
    "bytes as language": {"language": [b"\xff\xfe", b"a", b"b"] * 20},
    "invalid UTF-8 in a name": {"model_a": BAD},
    "invalid UTF-8 in a category": {"language": BAD},
    "times beyond all bounds": {"tstamp": [2**62, 1, -(2**62)] * 20},
}


@pytest.mark.parametrize("what", COLUMNS)
def test_parquet_with_an_odd_column(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    path = tmp_path / "odd.parquet"
    pq.write_table(pa.table(VOTES | COLUMNS[what]), path)
    for options in OPTIONS:
        check(["--votes", str(path), *options.split()], capsys)


def test_parquet_with_a_column_twice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "twice.parquet"
    arrays, names = [pa.array(column) for column in VOTES.values()], list(VOTES)
    pq.write_table(pa.Table.from_arrays([*arrays, arrays[2]], names=[*names, "winner"]), path)
    assert "column 'winner' stands twice" in check(["--votes", str(path)], capsys)


LONG = "1" * 4400


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text(f"model_a,model_b,winner\na,b,{LONG}\n"),
        lambda path: path.write_text(f'[{{"model_a": "a", "model_b": "b", "winner": {LONG}}}]'),
        lambda path: path.write_text(f'{{"model_a": "a", "model_b": "b", "winner": "tie", "tstamp": {LONG}}}\n'),
        lambda path: path.write_text(f"model_a,model_b,winner,probability\na,b,tie,{LONG}\n"),
        lambda path: path.write_text("model_a,model_b,winner,winner\na,b,tie,tie\n"),
        lambda path: path.write_text("[" * 100_000),
    ],
)
def test_file_with_something_enormous(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], int]
) -> None:
    make(tmp_path / "odd")
    for options in OPTIONS:
        check(["--votes", str(tmp_path / "odd"), *options.split()], capsys)


@pytest.mark.parametrize(
    "options",
    [
        f"--votes {'x' * 5000}.csv",
        f"--db {'x' * 5000}",
        f"--votes votes.csv --out {'x' * 5000}",
        f"--votes votes.csv --models {'x' * 5000}",
        "--votes votes.csv --prior 1e-300",
        "--votes votes.csv --prior 1e300",
        "--votes votes.csv --prior nan",
        "--votes votes.csv --elo-shuffles 1000000000",
        f"--votes votes.csv --seed {LONG}9999",
        "--votes votes.csv --seed 99999999999999999999",
        "--votes votes.csv --confidence 0.9999999999999999",
        "--votes votes.csv --anchor a=1e308",
        f"--votes votes.csv --min-votes {LONG}",
        f"--votes votes.csv --since {LONG}",
    ],
)
def test_option_out_of_all_bounds_is_one_line(tmp_path: Path, options: str) -> None:
    (tmp_path / "votes.csv").write_text("model_a,model_b,winner\n" + "a,b,model_a\nb,a,model_a\n" * 10)
    command = [
        sys.executable,
        "-m",
        "ratings.compute",
        *options.replace("votes.csv", str(tmp_path / "votes.csv")).split(),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 420
