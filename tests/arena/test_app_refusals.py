"""Bad input at start: one line on stderr, exit code 2, and nothing left behind."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from folders import make_folder

import app
from arena.store import Store


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a good models.yaml."""
    contestants = []
    for name in ("one", "two"):
        make_folder(tmp_path / name)
        contestants.append({"name": name, "stage": "sft", "path": name, "prompt": {"style": "chat"}})
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump({"contestants": contestants}))
    return file


def run_app(root: Path, *arguments: str | Path) -> tuple[int, str, str]:
    """Run app.py as a user does."""
    done = subprocess.run(
        [sys.executable, "app.py", "--port", "0", *map(str, arguments)],  # 0 is any free port
        cwd=root,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def main_says(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Run main in this process, expect exit code 2 and return its one line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "listen", lambda *_: None, raising=False)  # no port is taken for these tests
        assert app.main(list(map(str, arguments))) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_the_program_ends_with_one_line_and_code_2_and_makes_no_ledger(root: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("contestants: []\n")
    db = tmp_path / "data" / "arena.db"
    code, out, err = run_app(root, "--models", bad, "--db", db)
    assert (code, out) == (2, "")
    assert err == f"error: {bad}: a battle needs at least 2 contestants, found 0: add one\n"
    assert not db.parent.exists()


def test_the_program_ends_the_same_way_on_a_bad_ledger(root: Path, tmp_path: Path, models: Path) -> None:
    db = tmp_path / "notes.db"
    db.write_text("not a database, but a shopping list: eggs, flour, butter. " * 40)
    before = db.read_bytes()
    code, out, err = run_app(root, "--models", models, "--db", db)
    assert (code, out) == (2, "")
    assert err == f"error: {db} cannot be used as the vote ledger: file is not a database: pass --db another file\n"
    assert db.read_bytes() == before
    assert sorted(tmp_path.glob("notes*")) == [db]


def test_a_foreign_database_is_refused_and_left_as_it_was(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = tmp_path / "foreign.db"
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("CREATE TABLE recipes (dish TEXT)")
        connection.commit()
    before = db.read_bytes()
    said = main_says(capsys, "--models", models, "--db", db)
    assert str(db) in said
    assert "a database of something else: pass --db another file" in said
    assert db.read_bytes() == before


def test_a_folder_as_ledger_is_refused(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = main_says(capsys, "--models", models, "--db", tmp_path)
    assert str(tmp_path) in said
    assert "pass --db another file" in said


def test_a_ledger_below_a_file_is_refused(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = main_says(capsys, "--models", models, "--db", models / "arena.db")
    assert "pass --db another file" in said


def test_a_ledger_of_a_newer_arena_is_refused(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = tmp_path / "arena.db"
    Store(db).close()
    with closing(sqlite3.connect(db)) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('arena', 'reactions', '')"
        )
        connection.commit()
    said = main_says(capsys, "--models", models, "--db", db)
    assert "newer arena (reactions)" in said
    assert "update this one" in said


def test_a_ledger_of_this_arena_is_opened_again(tmp_path: Path) -> None:
    Store(tmp_path / "arena.db").close()
    Store(tmp_path / "arena.db").close()
