"""A copy of a ledger in use is complete and of one moment, and restoring one destroys nothing."""

import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from arena import backup
from arena.backup import main
from arena.ledger.claim import Claim
from arena.ledger.store import Store
from arena.server.stopping import Stopping
from tests.arena.helpers.ledgers import vote
from tests.arena.helpers.played import PATIENCE

WRITER = """
import itertools, sys
from pathlib import Path
from arena.ledger.store import Store
from tests.arena.helpers.ledgers import vote

store = Store(Path(sys.argv[1]))
for number in itertools.count():
    vote(store, number)
    print(number, flush=True)
"""


def fill(db: Path, battles: int = 3) -> Path:
    with closing(Store(db)) as store:
        for number in range(battles):
            vote(store, number)
    return db


def count(db: Path) -> int:
    with closing(sqlite3.connect(db)) as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return int(ledger.execute("SELECT count(*) FROM votes").fetchone()[0])


@contextmanager
def writing(root: Path, db: Path) -> Iterator[None]:
    """Let a process vote on a ledger as fast as it can."""
    words = [sys.executable, "-c", WRITER, str(db)]
    with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for number in range(20):
            assert writer.stdout.readline() == f"{number}\n"
        drain = threading.Thread(target=writer.stdout.read)
        drain.start()
        try:
            yield
        finally:
            assert writer.poll() is None, "the writer ended by itself"
            writer.kill()
            drain.join(PATIENCE)


def test_copies_made_while_votes_are_stored_are_whole_and_lose_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES", 1)  # many steps, with votes between them
    db = tmp_path / "arena.db"
    with writing(root, db):
        for number in range(5):
            out = tmp_path / f"copy{number}.db"
            assert main(["--db", str(db), "--out", str(out)]) == 0
            with closing(sqlite3.connect(out)) as copy:
                votes, states, kept = copy.execute(
                    "SELECT (SELECT count(*) FROM votes) + (SELECT count(*) FROM set_aside), "
                    "(SELECT count(*) FROM battles WHERE state = 'voted'), "
                    "(SELECT sum(a_wins + b_wins + ties + both_bad) FROM vote_counts)"
                ).fetchone()
                assert votes == states > 0
                assert kept == copy.execute("SELECT count(*) FROM votes").fetchone()[0]
                assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert copy.execute("PRAGMA journal_mode").fetchall() == [("delete",)]
    assert sorted(path.name for path in tmp_path.glob("copy*")) == [f"copy{number}.db" for number in range(5)]


def test_a_copy_is_a_file_of_the_same_mode_and_the_ledger_is_left_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db, out = fill(tmp_path / "arena.db"), tmp_path / "backups" / "copy.db"
    out.parent.mkdir()
    db.chmod(0o640)
    before = db.read_bytes()
    assert main(["--db", str(db), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: 3 battles, 3 votes\n"
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert (list(out.parent.iterdir()), list(tmp_path.glob("arena.db*"))) == ([out], [db])
    assert db.read_bytes() == before
    assert count(out) == 3


def test_what_only_the_log_holds_is_in_the_copy(tmp_path: Path) -> None:
    """As after kill -9."""
    db = fill(tmp_path / "arena.db")
    with closing(sqlite3.connect(db, isolation_level=None)) as ledger:
        ledger.execute("DELETE FROM votes WHERE visitor = 'visitor 0'")
        for suffix in ("", "-wal", "-shm"):
            shutil.copy(f"{db}{suffix}", tmp_path / f"killed.db{suffix}")
    assert main(["--db", str(tmp_path / "killed.db"), "--out", str(tmp_path / "copy.db")]) == 0
    assert count(tmp_path / "copy.db") == 2


def refusal(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """Run the command, expect code 2, and return its one line."""
    try:
        code = main([str(word) for word in words])
    except SystemExit as ended:
        code = int(str(ended.code))
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db, out = fill(tmp_path / "arena.db"), tmp_path / "copy.db"
    out.write_text("somebody's")
    assert "pass --force" in refusal(capsys, "--db", db, "--out", out)
    assert out.read_text() == "somebody's"
    assert main(["--db", str(db), "--out", str(out), "--force"]) == 0
    assert count(out) == 3


@pytest.mark.parametrize(
    "name", ["arena.db", "link.db", "hard.db", "arena.db-wal", "arena.db.lock", "arena.key", "./x/../arena.db"]
)
def test_a_ledger_is_never_copied_over_itself_or_its_own_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    db = fill(tmp_path / "arena.db")
    (tmp_path / "x").mkdir()
    (tmp_path / "link.db").symlink_to(db)
    (tmp_path / "hard.db").hardlink_to(db)
    assert "belongs to the ledger itself" in refusal(capsys, "--db", db, "--out", tmp_path / name, "--force")
    assert "belongs to the ledger itself" in refusal(capsys, "--db", db, "--restore", db)
    assert count(db) == 3


def test_what_is_no_ledger_is_not_copied_nor_put_in_ones_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = fill(tmp_path / "arena.db")
    (tmp_path / "text.db").write_text("eggs, flour, butter. " * 100)
    (tmp_path / "empty.db").touch()
    (tmp_path / "empty.db-wal").write_bytes(b"which SQLite would remove")
    with closing(sqlite3.connect(tmp_path / "foreign.db")) as foreign:
        foreign.execute("CREATE TABLE recipes (dish TEXT)")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for name in ("text.db", "empty.db", "foreign.db", "missing.db", ""):
        assert str(tmp_path / name) in refusal(capsys, "--db", tmp_path / name, "--out", tmp_path / "copy.db")
        assert str(tmp_path / name) in refusal(capsys, "--restore", tmp_path / name, "--db", db)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_place_that_takes_no_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = fill(tmp_path / "arena.db")
    for place in (tmp_path, tmp_path / "nowhere" / "copy.db", db / "copy.db", Path("/dev/null"), Path("/proc/copy.db")):
        assert str(place.parent) in refusal(capsys, "--db", db, "--out", place, "--force")


def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    db, out = fill(tmp_path / "arena.db"), tmp_path / "copy.db"
    out.write_text("yesterday's")
    monkeypatch.setattr(backup, "_check", fail)
    assert "disk is full" in refusal(capsys, "--db", db, "--out", out, "--force")
    assert "disk is full" in refusal(capsys, "--db", db, "--restore", fill(tmp_path / "other.db"))
    assert out.read_text() == "yesterday's"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arena.db", "copy.db", "other.db"]


def break_index(db: Path) -> None:
    """Damage a ledger where counting and copying do not notice it."""
    whole = db.read_bytes()
    place = whole.find(b"visitor 150")
    while True:
        db.write_bytes(whole[:place] + b"vixitor 150" + whole[place + 11 :])
        with closing(sqlite3.connect(db)) as ledger:
            if ledger.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                return
        place = whole.find(b"visitor 150", place + 1)
        assert place > 0


def test_a_damaged_ledger_is_not_passed_off_as_a_backup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torn, subtle = fill(tmp_path / "torn.db", battles=200), fill(tmp_path / "subtle.db", battles=200)
    with torn.open("r+b") as file:
        file.seek(torn.stat().st_size // 2)
        file.write(b"\xff" * 8192)
    break_index(subtle)
    for db in (torn, subtle):
        assert str(db) in refusal(capsys, "--db", db, "--out", tmp_path / "copy.db")
        assert not (tmp_path / "copy.db").exists()


def test_an_interrupted_copy_leaves_nothing(tmp_path: Path) -> None:
    db, stopping = fill(tmp_path / "arena.db"), Stopping()
    stopping.ask()
    with pytest.raises(backup.BackupError, match="interrupted"):
        backup.back_up(db, tmp_path / "copy.db", stopping)
    assert list(tmp_path.iterdir()) == [db]


def test_a_backup_is_put_back_and_what_was_there_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db, copy = fill(tmp_path / "arena.db"), tmp_path / "copy.db"
    (tmp_path / "arena.key").write_text("its key")
    assert main(["--db", str(db), "--out", str(copy)]) == 0
    with closing(Store(db)) as store:
        vote(store, 7)
        vote(store, 8)
    db.chmod(0o600)
    capsys.readouterr()
    assert main(["--restore", str(copy), "--db", str(db)]) == 0
    output = capsys.readouterr().out
    [aside] = tmp_path.glob("arena.db.*")
    assert output == f"{db}: restored from {copy}: 3 battles, 3 votes; what was there is {aside}\n"
    assert (count(db), count(aside), count(copy)) == (3, 5, 3)
    assert stat.S_IMODE(db.stat().st_mode) == 0o600
    assert (tmp_path / "arena.key").read_text() == "its key"
    with closing(Store(db)) as store:
        assert store.sweep() == 0


def test_what_was_there_is_kept_with_its_log_even_if_it_is_damaged(tmp_path: Path) -> None:
    copy = fill(tmp_path / "copy.db")
    db = tmp_path / "arena.db"
    for _ in range(2):  # in one second, too
        db.write_bytes(b"no database at all")
        Path(f"{db}-wal").write_bytes(b"its log")
        assert main(["--restore", str(copy), "--db", str(db)]) == 0
        assert count(db) == 3
    kept = [path for path in tmp_path.glob("arena.db.*") if not path.name.endswith("-wal")]
    assert len(kept) == 2
    for path in kept:
        assert path.read_bytes() == b"no database at all"
        assert Path(f"{path}-wal").read_bytes() == b"its log"


def test_a_backup_is_put_where_there_was_no_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy, db = fill(tmp_path / "copy.db"), tmp_path / "new" / "arena.db"
    assert main(["--restore", str(copy), "--db", str(db)]) == 0
    assert "what was there" not in capsys.readouterr().out
    assert list(db.parent.iterdir()) == [db]


def test_nothing_is_put_below_a_running_arena(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy, db = fill(tmp_path / "copy.db"), fill(tmp_path / "arena.db", battles=1)
    with closing(Claim(db)):
        assert f"{db} is in use by another arena" in refusal(capsys, "--restore", copy, "--db", db)
        assert main(["--db", str(db), "--out", str(tmp_path / "second.db")]) == 0
    assert count(db) == 1


def test_a_wrong_command_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--out"], ["--out", "x", "--restore", "y"], ["--nonsense"]):
        refusal(capsys, *words)


def test_progress_is_shown_and_votes_in_the_meantime_do_not_begin_the_copy_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, float]] = []
    db, out = fill(tmp_path / "arena.db"), tmp_path / "copy.db"

    class Bar(backup.tqdm):  # type: ignore[misc, type-arg]
        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            seen.append((self.n, self.total))
            assert len(seen) < 1000
            vote(store, 100 + len(seen))

    monkeypatch.setattr(backup, "tqdm", Bar)
    monkeypatch.setattr(backup, "PAGES", 2)
    with closing(Store(db)) as store:
        assert main(["--db", str(db), "--out", str(out)]) == 0
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] == seen[0][1]
    assert (count(out), count(db)) == (3, 3 + len(seen))
