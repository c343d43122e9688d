"""A ledger that is deleted or replaced while in use takes no more votes, and its content is kept."""

import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from arena.backup import main as backup
from arena.battle import BattleError
from arena.ledger import files as ledger_files
from arena.ledger.store import LedgerUnavailable, Store, StoreError
from ratings.outcomes import Outcome
from tests.arena.helpers.ledgers import cast, make_ready, votes
from tests.arena.helpers.stage import Stage, run
from tests.arena.helpers.troubles import REST, hasty_store, moved_away


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with hasty_store(tmp_path, monkeypatch) as ledger:
        yield ledger


def delete_all(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink()


def delete_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def replace_by_another(path: Path) -> None:
    other = path.with_name("other.db")
    Store(other).close()
    delete_all(path)
    other.rename(path)


def replace_by_text(path: Path) -> None:
    path.unlink()
    path.write_text("something else")


LOSSES: dict[str, Callable[[Path], None]] = {
    "the file": Path.unlink,
    "the log": lambda path: path.with_name(path.name + "-wal").unlink(),
    "the index of the log": lambda path: path.with_name(path.name + "-shm").unlink(),
    "all three": delete_all,
    "the folder": delete_folder,
    "by another ledger": replace_by_another,
    "by another file": replace_by_text,
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_ledger_that_is_deleted_or_replaced_takes_no_vote_and_what_it_held_is_kept(store: Store, loss: str) -> None:
    kept = cast(store, 40)
    waiting = make_ready(store)
    LOSSES[loss](store.path)
    for _ in range(3):
        with pytest.raises(LedgerUnavailable, match=r"deleted or replaced .* what it held is in .*arena\.db\.rescued$"):
            store.vote(waiting.id, "ann", Outcome.A_WINS)
        time.sleep(REST)
    rescued = store.path.with_name("arena.db.rescued")
    assert votes(rescued) == kept
    assert [path.name for path in store.path.parent.glob("*rescued*")] == [rescued.name]
    with closing(Store(rescued)) as again:  # the file is a whole ledger, in which the battle still waits
        assert again.vote(waiting.id, "ann", Outcome.A_WINS) == ""
    assert votes(rescued) == kept | {waiting.id}


def test_a_vote_that_was_stored_a_moment_before_the_file_was_deleted_is_rescued_by_closing(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    kept = cast(store, 3)
    delete_all(store.path)
    store.close()
    assert votes(store.path.with_name("arena.db.rescued")) == kept
    assert "deleted or replaced" in caplog.text


def test_what_was_rescued_before_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "arena.db"
    kept = []
    for round_number in range(3):
        store = Store(path)
        kept.append(cast(store, 3, start=10 * round_number))
        delete_all(path)
        store.close()
    names = ["arena.db.rescued", "arena.db.rescued-2", "arena.db.rescued-3"]
    assert [votes(tmp_path / name) for name in names] == kept


def test_a_ledger_behind_a_link_is_used_and_guarded_like_any_other(tmp_path: Path) -> None:
    real, link = tmp_path / "disk" / "real.db", tmp_path / "arena.db"
    Store(real).close()
    link.symlink_to(real)
    store = Store(link)
    kept = cast(store, 3)
    assert votes(real) == kept
    link.unlink()
    link.symlink_to(tmp_path / "another.db")
    Store(tmp_path / "another.db").close()
    with pytest.raises(LedgerUnavailable, match="replaced"):
        store.check()
    store.close()
    assert votes(tmp_path / "arena.db.rescued") == kept


def test_a_ledger_that_was_moved_away_and_back_goes_on_and_is_rescued_anew_when_it_is_lost(store: Store) -> None:
    kept = cast(store, 3)
    with moved_away(store), pytest.raises(LedgerUnavailable):
        store.check()
    time.sleep(REST)
    kept |= cast(store, 3, start=10)
    delete_all(store.path)
    with pytest.raises(LedgerUnavailable):
        store.check()
    assert votes(store.path.with_name("arena.db.rescued")) == kept


def test_a_rescue_that_fails_is_tried_again_and_leaves_no_half_file(store: Store) -> None:
    kept = cast(store, 3)
    delete_all(store.path)
    part = store.path.with_name("arena.db.rescued.part")
    part.mkdir()  # nothing can be written there
    with pytest.raises(LedgerUnavailable):
        store.check()
    assert not store.path.with_name("arena.db.rescued").exists()
    part.rmdir()
    time.sleep(REST)
    with pytest.raises(LedgerUnavailable, match="rescued"):
        store.check()
    assert votes(store.path.with_name("arena.db.rescued")) == kept


def test_a_rescue_that_breaks_off_leaves_no_half_file(store: Store) -> None:
    kept = cast(store, 200)
    store._connection.execute("PRAGMA wal_checkpoint")
    delete_all(store.path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # as on a disk without room
    try:
        with pytest.raises(LedgerUnavailable):
            store.check()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in store.path.parent.iterdir()] == []
    time.sleep(REST)
    with pytest.raises(LedgerUnavailable, match="rescued"):
        store.check()
    assert votes(store.path.with_name("arena.db.rescued")) == kept


def test_a_host_whose_ledger_is_gone_says_so_and_reveals_nothing(store: Store) -> None:
    stage = Stage(store)

    async def test() -> None:
        battle = await stage.fight()
        delete_all(store.path)
        with pytest.raises(BattleError, match="not stored"):
            await stage.service.vote("ann", battle.id, Outcome.TIE)
        with pytest.raises(BattleError):
            battle.reveal()
        assert (await stage.service.health())["status"] == "failing"
        assert not store.path.exists()

    run(test())


def copy_of(path: Path, votes_in_it: int) -> Path:
    """Return a backup of another ledger with so many votes."""
    other = path.with_name("other.db")
    with closing(Store(other)) as ledger:
        cast(ledger, votes_in_it)
    assert backup(["--db", str(other), "--out", str(path.with_name("copy.db"))]) == 0
    return path.with_name("copy.db")


def test_a_backup_moved_in_place_by_hand_takes_no_vote_and_is_not_spoilt_by_the_old_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data" / "arena.db"
    with closing(Store(path)) as before:
        cast(before, 40)
    with hasty_store(tmp_path, monkeypatch) as store:
        cast(store, 3)
        ready = make_ready(store)
        copy_of(path, 25).replace(path)
        with pytest.raises(LedgerUnavailable, match="replaced while in use"):
            store.vote(ready.id, ready.visitor, Outcome.TIE)
        store.close()
    Store(path).close()
    assert len(votes(path)) == 25


def plain_copy(path: Path) -> Path:
    """Return a copy of the three files as they stand, made without SQLite."""
    for ending in ("", "-wal", "-shm"):
        cp(f"{path}{ending}", path.with_name(f"plain.db{ending}"))
    return path.with_name("plain.db")


@pytest.mark.parametrize("checkpoint_every", [3, 100])
def test_a_backup_copied_over_a_ledger_in_use_stops_the_votes_and_is_not_spoilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint_every: int
) -> None:
    monkeypatch.setattr(ledger_files, "WRITES_PER_CHECKPOINT", checkpoint_every)
    path = tmp_path / "data" / "arena.db"
    with closing(Store(path)) as before:
        cast(before, 40)
    with hasty_store(tmp_path, monkeypatch) as store:
        cast(store, 3)
        ready = make_ready(store)
        copy = copy_of(path, 25)
        content = copy.read_bytes()
        cp(copy, path)
        for _ in range(3):
            with pytest.raises(LedgerUnavailable, match=r"copied over it while in use.*arena\.db\.overwritten-wal$"):
                store.vote(ready.id, ready.visitor, Outcome.TIE)
            time.sleep(REST)
        with pytest.raises(LedgerUnavailable):
            store.check()
    assert path.read_bytes() == content
    assert path.with_name("arena.db.overwritten-wal").stat().st_size > 0
    with closing(Store(path)) as after:
        assert len(votes(path)) == 25
        cast(after, 2, start=100)
    assert len(votes(path)) == 27


def test_an_older_state_of_the_ledger_itself_copied_over_it_stops_the_votes(store: Store) -> None:
    cast(store, 3)
    store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    older = plain_copy(store.path)
    content = older.read_bytes()
    cast(store, ledger_files.WRITES_PER_CHECKPOINT, start=10)
    cp(older, store.path)
    with pytest.raises(LedgerUnavailable, match="copied over it"):
        store.check()
    store.close()
    assert store.path.read_bytes() == content


def test_a_copy_that_is_still_being_written_over_the_ledger_stops_the_votes(store: Store) -> None:
    cast(store, 3)
    with store.path.open("wb"), pytest.raises(LedgerUnavailable, match="copied over it"):  # where cp begins
        store.check()
    store.close()
    assert store.path.stat().st_size == 0


def cp(source: Path | str, target: Path | str) -> Path:
    """Copy by another process, as a hand would: closing a file would drop the locks that this one has on it (POSIX)."""
    subprocess.run(["cp", str(source), str(target)], check=True, timeout=60)
    return Path(target)


def other_program(path: Path, *statements: str) -> None:
    code = "import sqlite3, sys\nledger = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
    code += "for statement in sys.argv[2:]: ledger.execute(statement).fetchall()\n"
    subprocess.run([sys.executable, "-c", code, str(path), *statements], check=True, timeout=60)


WRITE = "INSERT INTO voters_left_out VALUES ('x', 'y', '')"
CHECKPOINT = "PRAGMA wal_checkpoint(TRUNCATE)"


def write_and_copy_another(store: Store) -> None:
    copy = copy_of(store.path, 25)
    other_program(store.path, WRITE)
    cp(copy, store.path)


def write_and_copy_its_backup(store: Store) -> None:
    copy = backup_of(store.path)
    cast(store, 3, start=200)
    other_program(store.path, WRITE)
    cp(copy, store.path)


def checkpoint_and_copy_its_backup(store: Store) -> None:
    copy = backup_of(store.path)
    cast(store, 10, start=200)
    other_program(store.path, CHECKPOINT)
    cp(copy, store.path)


def checkpoint_vote_and_copy_its_backup(store: Store) -> None:
    copy = backup_of(store.path)
    cast(store, 10, start=200)
    other_program(store.path, CHECKPOINT)
    cast(store, 5, start=300)
    cp(copy, store.path)


def copy_itself_between_two_checkpoints(store: Store) -> None:
    other_program(store.path, CHECKPOINT)
    copy = cp(store.path, store.path.with_name("plain.db"))
    cast(store, 10, start=200)
    other_program(store.path, CHECKPOINT)
    cp(copy, store.path)


def copy_its_backup(store: Store) -> None:
    cp(backup_of(store.path), store.path)


def restore_through_sqlite(store: Store) -> None:
    with closing(sqlite3.connect(copy_of(store.path, 25))) as source, closing(sqlite3.connect(store.path)) as target:
        source.backup(target)
        target.execute(CHECKPOINT)


def cut_the_log(store: Store) -> None:
    with store.path.with_name("arena.db-wal").open("r+b") as log:
        log.truncate(0)


def cut_the_file(store: Store) -> None:
    subprocess.run(["truncate", "--size=-4096", str(store.path)], check=True, timeout=60)


def write_into_the_middle(store: Store) -> None:
    words = ["dd", "if=/dev/zero", f"of={store.path}", "bs=4096", "seek=4", "count=3", "conv=notrunc", "status=none"]
    subprocess.run(words, check=True, timeout=60)


@pytest.mark.parametrize(
    "deed",
    [
        *(write_and_copy_another, write_and_copy_its_backup, checkpoint_and_copy_its_backup, copy_its_backup),
        *(checkpoint_vote_and_copy_its_backup, copy_itself_between_two_checkpoints, restore_through_sqlite),
        *(cut_the_log, cut_the_file, write_into_the_middle),
    ],
)
def test_whatever_writes_past_sqlite_or_over_it_stops_the_votes_and_is_left_as_it_is(
    store: Store, deed: Callable[[Store], None]
) -> None:
    cast(store, 40)
    ready = make_ready(store)
    deed(store)
    content = store.path.read_bytes()
    for _ in range(2):
        with pytest.raises(LedgerUnavailable, match="while in use: stop the arena"):
            store.vote(ready.id, ready.visitor, Outcome.TIE)
        time.sleep(REST)
    store.close()
    assert store.path.read_bytes() == content
    assert store.path.with_name("arena.db.overwritten-wal").exists()


def backup_of(path: Path) -> Path:
    assert backup(["--db", str(path), "--out", str(path.with_name("backup.db"))]) == 0
    return path.with_name("backup.db")


def test_everyday_work_of_other_programs_is_no_alarm(store: Store) -> None:
    kept = cast(store, 5)
    for number, deed in enumerate(
        (WRITE, CHECKPOINT, "PRAGMA wal_checkpoint(PASSIVE)", "VACUUM", "ANALYZE", "SELECT * FROM votes", CHECKPOINT)
    ):
        other_program(store.path, deed.replace("'x'", f"'{number}'"))
        backup_of(store.path).unlink()
        cp(store.path, store.path.with_name("copy.db"))
        kept |= cast(store, ledger_files.WRITES_PER_CHECKPOINT // 5, start=1000 * (number + 1))
    assert votes(store.path) == kept


BUSY_NEIGHBOUR = """
import itertools, sqlite3, sys
ledger = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
print("begun", flush=True)
for number in itertools.count():
    ledger.execute("INSERT INTO voters_left_out VALUES (?, 'y', '')", (f"neighbour {number}",))
    ledger.execute(f"PRAGMA wal_checkpoint({('TRUNCATE', 'PASSIVE', 'RESTART')[number % 3]})").fetchall()
"""


def test_a_neighbour_that_writes_and_checkpoints_all_the_time_is_no_alarm(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "arena.db")) as store:
        kept = cast(store, 3)
        command = [sys.executable, "-c", BUSY_NEIGHBOUR, str(store.path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as neighbour:
            assert neighbour.stdout is not None
            assert neighbour.stdout.readline() == "begun\n"
            until = time.monotonic() + 2.5
            try:
                for start in range(100, 100_000, 10):
                    kept |= cast(store, 10, start=start)
                    if time.monotonic() > until:
                        break
            finally:
                neighbour.kill()
    assert votes(tmp_path / "arena.db") == kept


def test_two_stores_that_write_to_one_ledger_are_no_alarm_to_each_other(store: Store) -> None:
    kept = cast(store, 5)
    for number in range(4):
        with closing(Store(store.path)) as other:
            kept |= cast(other, 10, start=100 * (2 * number + 1))
            kept |= cast(store, 40, start=100 * (2 * number + 2))
            kept |= cast(other, 40, start=1000 * (number + 1))
        kept |= cast(store, 5, start=10_000 * (number + 1))
    assert votes(store.path) == kept


def test_a_reader_who_holds_back_the_log_is_no_alarm(store: Store) -> None:
    kept = cast(store, 5)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM votes").fetchone()
        kept |= cast(store, ledger_files.WRITES_PER_CHECKPOINT, start=100)
        reader.execute("COMMIT")
    kept |= cast(store, ledger_files.WRITES_PER_CHECKPOINT, start=1000)
    assert votes(store.path) == kept


def test_the_log_does_not_grow_without_end(store: Store) -> None:
    cast(store, ledger_files.WRITES_PER_CHECKPOINT)
    size = store.path.with_name("arena.db-wal").stat().st_size
    cast(store, 5 * ledger_files.WRITES_PER_CHECKPOINT, start=1000)
    assert store.path.with_name("arena.db-wal").stat().st_size < 1.5 * size


def in_use_elsewhere(path: Path, n: int) -> Path:
    """Return the main file of another ledger in use, which has the mode of one with a log."""
    with closing(Store(path.with_name("in use.db"))) as ledger:
        cast(ledger, n)
        other_program(ledger.path, CHECKPOINT)
        return cp(ledger.path, path.with_name("copy.db"))


@pytest.mark.parametrize("copied", ["a backup", "another ledger in use", "an earlier state"])
@pytest.mark.parametrize("n", [5, 64])
def test_a_copy_put_beside_the_log_of_a_killed_arena_is_refused_and_both_stay_as_they_are(
    store: Store, copied: str, n: int
) -> None:
    cast(store, 2)
    other_program(store.path, CHECKPOINT)
    earlier = cp(store.path, store.path.with_name("earlier.db"))
    cast(store, ledger_files.WRITES_PER_CHECKPOINT + n, start=100)
    copy = {
        "a backup": lambda: copy_of(store.path, 25),
        "another ledger in use": lambda: in_use_elsewhere(store.path, 36),
        "an earlier state": lambda: earlier,
    }[copied]()
    folder = store.path.parent / "after a kill"
    folder.mkdir()
    cp(f"{store.path}-wal", folder / "arena.db-wal")  # what a kill leaves
    cp(copy, folder / "arena.db")
    before = [(folder / name).read_bytes() for name in ("arena.db", "arena.db-wal")]
    with pytest.raises(StoreError, match="log of another file"):
        Store(folder / "arena.db")
    assert [(folder / name).read_bytes() for name in ("arena.db", "arena.db-wal")] == before


@pytest.mark.parametrize("n", [0, 1, 30, 40, 70])
def test_the_log_of_a_killed_arena_is_taken_up_by_its_own_ledger(store: Store, n: int) -> None:
    kept = cast(store, n)
    folder = store.path.parent / "after a kill"
    folder.mkdir()
    for ending in ("", "-wal"):
        cp(f"{store.path}{ending}", folder / f"arena.db{ending}")
    with closing(Store(folder / "arena.db")) as again:
        kept |= cast(again, 3, start=500)
    assert votes(folder / "arena.db") == kept
