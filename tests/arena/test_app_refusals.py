"""Bad input at start: one line on stderr, exit code 2, and nothing left behind."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

import app
from arena.ledger.store import Store
from arena.server.listening import listen
from tests.arena.helpers.folders import make_folder


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
    try:
        code = app.main(["--port", "0", *map(str, arguments)])
    except SystemExit as ended:
        code = int(str(ended.code))
    assert code == 2
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
    assert err == f"error: {bad}: a battle needs at least 2 contestants, got 0: add one\n"
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
    message = main_says(capsys, "--models", models, "--db", db)
    assert str(db) in message
    assert "a database of something else: pass --db another file" in message
    assert db.read_bytes() == before


def test_a_folder_as_ledger_is_refused(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = main_says(capsys, "--models", models, "--db", tmp_path)
    assert str(tmp_path) in message
    assert "pass --db another file" in message


def test_a_ledger_below_a_file_is_refused(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = main_says(capsys, "--models", models, "--db", models / "arena.db")
    assert "pass --db another file" in message


def test_a_ledger_of_a_newer_arena_is_refused(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = tmp_path / "arena.db"
    Store(db).close()
    with closing(sqlite3.connect(db)) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('arena', 'reactions', '')"
        )
        connection.commit()
    message = main_says(capsys, "--models", models, "--db", db)
    assert "newer arena (reactions)" in message
    assert "update this one" in message


def test_a_ledger_of_this_arena_is_opened_again(tmp_path: Path) -> None:
    Store(tmp_path / "arena.db").close()
    Store(tmp_path / "arena.db").close()


WRONG = {
    "a port beyond all": (["--port", "70000"], "'70000' is not a port: pass a number from 0 to 65535"),
    "a negative port": (["--port", "-1"], "'-1' is not a port"),
    "a port of letters": (["--port", "abc"], "'abc' is not a port"),
    "a port of other digits": (["--port", "７８６０"], "is not a port"),
    "a port with a sign": (["--port", "+80"], "'+80' is not a port"),
    "no port": (["--port"], "--port: expected one argument"),
    "no host": (["--host", ""], "'' is not an address"),
    "a host that nobody has": (["--host", "no-such-host.invalid"], "cannot listen on no-such-host.invalid:0: "),
    "a host that nobody can have": (["--host", "a..b"], "cannot listen on a..b:0: no such host"),
    "an address of another machine": (["--host", "192.0.2.1"], "Cannot assign requested address: pass another --port"),
    "an option that there is not": (["--nonsense"], "unrecognized arguments: --nonsense"),
    "an option cut short": (["--por", "80"], "unrecognized arguments"),
    "a root path without slash": (["--root-path", "arena"], "'arena' is not a root path: write it like /arena"),
    "any proxy": (["--proxy", "*"], "'*' is not a proxy's address"),
    "a proxy by name": (["--proxy", "127.0.0.1,localhost"], "'localhost' is not a proxy's address"),
    "any frame": (["--frame-ancestors", "*"], "'*' is not a frame ancestor"),
    "a header in a frame": (
        ["--frame-ancestors", "https://a.example; script-src *"],
        "'https://a.example;' is not a frame ancestor",
    ),
    "no ledger": (["--db", ""], "'' cannot be the name of a ledger"),
    "a key as ledger": (["--db", "data/arena.key"], "cannot be the name of a ledger"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_command_line_is_reported_in_one_line_before_anything_is_made(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    words, message = WRONG[wrong]
    assert message in main_says(capsys, "--models", models, *words)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_taken_port_is_named_before_anything_is_made(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = tmp_path / "data" / "arena.db"
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        message = main_says(capsys, "--models", models, "--db", db, "--port", str(port))
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use: pass another --port or --host" in message
    assert not db.parent.exists()


@pytest.mark.parametrize("content", [b"-----BEGIN PRIVATE KEY-----\n" + b"M" * 200, b"\xff" * 64, b"g" * 64])
def test_a_key_file_of_something_else_is_refused_and_left_as_it_was(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    key = tmp_path / "arena.key"
    key.write_bytes(content)
    message = main_says(capsys, "--models", models, "--db", tmp_path / "arena.db")
    assert f"{key} is not a key of an arena: move it away" in message
    assert key.read_bytes() == content


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "arena.key").mkdir()
    message = main_says(capsys, "--models", models, "--db", tmp_path / "arena.db")
    assert (
        f"{tmp_path / 'arena.key'}, the key of the visitors' cookies, cannot be read or created: Is a directory"
        in message
    )
