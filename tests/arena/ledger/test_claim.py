"""One arena per ledger: a second is refused by name, and only a running arena holds a ledger."""

import errno
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import app
from arena.ledger import claim
from arena.ledger.claim import Claim, ClaimError
from arena.ledger.store import Store
from benchmarks import board
from tests.arena.helpers.folders import make_folder
from tests.arena.helpers.played import PATIENCE
from tests.arena.helpers.program import arena_words, running, write_models

HOLDER = """
import sys
from pathlib import Path
from arena.ledger.claim import Claim
claim = Claim(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def hold(root: Path, db: Path) -> "subprocess.Popen[str]":
    """Start a process that claims a ledger until it ends."""
    words = [sys.executable, "-c", HOLDER, str(db)]
    holder = subprocess.Popen(words, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_second_claim_is_refused_by_whatever_name_the_ledger_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = tmp_path / "data" / "arena.db"
    with closing(Claim(db)):
        db.touch()
        (tmp_path / "link.db").symlink_to(db)
        (tmp_path / "folder").symlink_to(tmp_path / "data")
        monkeypatch.chdir(tmp_path)
        names = ["link.db", "folder/arena.db", "data/arena.db", "data/../data/arena.db"]
        for name in [db, *map(Path, names)]:
            with pytest.raises(ClaimError, match=f"{name} is in use by another arena .process {os.getpid()}.: stop it"):
                Claim(name)
    Claim(db).close()


def test_two_ledgers_in_one_folder_have_nothing_to_do_with_each_other(tmp_path: Path) -> None:
    with closing(Claim(tmp_path / "one.db")), closing(Claim(tmp_path / "two.db")):
        pass


def test_a_claim_that_was_given_up_leaves_nothing(tmp_path: Path) -> None:
    given = Claim(tmp_path / "arena.db")
    assert [path.name for path in tmp_path.iterdir()] == ["arena.db.lock"]
    given.close()
    given.close()
    assert list(tmp_path.iterdir()) == []


def test_a_claim_dies_with_its_holder(root: Path, tmp_path: Path) -> None:
    db = tmp_path / "arena.db"
    with hold(root, db) as holder:
        with pytest.raises(ClaimError, match=f"process {holder.pid}"):
            Claim(db)
        holder.send_signal(signal.SIGKILL)
        holder.wait(PATIENCE)
        Claim(db).close()


def test_a_lock_file_that_its_holder_removes_at_that_moment_lets_no_two_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise one process could lock the old file and another one the new file."""
    db, first = tmp_path / "arena.db", Claim(tmp_path / "arena.db")
    lock, second = claim.fcntl.flock, []

    def lock_late(*arguments: int) -> None:
        monkeypatch.setattr(claim.fcntl, "flock", lock)
        first.close()
        second.append(Claim(db))
        lock(*arguments)

    monkeypatch.setattr(claim.fcntl, "flock", lock_late)
    with pytest.raises(ClaimError, match="in use"):
        Claim(db)
    second[0].close()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_nothing_can_be_locked_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(claim.fcntl, "flock", refuse)
    with pytest.raises(ClaimError, match=r"lies where no file can be locked .*local disk"):
        Claim(tmp_path / "arena.db")


def test_what_cannot_be_a_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for wrong in (tmp_path, tmp_path / "file" / "arena.db", tmp_path / "loop", tmp_path / ("x" * 300)):
        with pytest.raises(ClaimError, match="pass --db") as raised:
            Claim(wrong)
        assert "\n" not in str(raised.value)


def models(folder: Path) -> Path:
    return write_models(folder / "models.yaml", make_folder(folder / "tiny"))


def test_a_second_arena_is_refused_before_it_touches_a_battle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = tmp_path / "arena.db"
    Store(db).close()
    before = db.read_bytes()
    with closing(Claim(db)):
        assert app.main([str(word) for word in arena_words(models(tmp_path), db)[1:]]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"error: {db} is in use by another arena")
    assert db.read_bytes() == before


def test_a_board_of_synthetic_voters_claims_its_ledger_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = tmp_path / "simulated.db"
    with closing(Claim(db)):
        assert board.main(["--db", str(db), "--models", str(models(tmp_path)), "--recipe", "nano"]) == 2
    assert f"error: {db} is in use" in capsys.readouterr().err
    assert not db.exists()


@pytest.mark.slow
def test_an_arena_holds_its_ledger_until_it_ends_and_readers_are_not_held_up(
    root: Path, checkpoint: Path, tmp_path: Path
) -> None:
    db = tmp_path / "arena.db"
    words = arena_words(write_models(tmp_path / "models.yaml", checkpoint), db)

    def run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
        line = [sys.executable, *map(str, command)]
        return subprocess.run(line, cwd=root, capture_output=True, text=True, timeout=60, check=False)

    with running(root, words, tmp_path / "log") as program:
        second = run(*words)
        assert (second.returncode, second.stdout) == (2, "")
        assert second.stderr == (
            f"error: {db} is in use by another arena (process {program.process.pid}): "
            "stop it, or pass --db another file\n"
        )
        for reader in (
            ["-m", "ratings.compute", "--db", db, "--out", tmp_path / "boards"],
            ["-m", "arena.backup", "--db", db, "--out", tmp_path / "backup.db"],
            ["-m", "arena.voters", "--db", db, "list"],
        ):
            done = run(*reader)
            assert done.returncode == 0 or "read 0; collect some votes first" in done.stderr, done.stderr
        program.process.kill()
        program.process.wait(PATIENCE)
    with running(root, words, tmp_path / "log") as third:
        assert third.stop()[0] == 0
