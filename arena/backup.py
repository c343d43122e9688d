"""python -m arena.backup: copy a ledger while the arena writes to it, or restore such a copy.

A plain copy of the file may lack what is still in the write-ahead log, or be torn. SQLite's backup API copies the
ledger as of one moment and blocks nobody. Each copy is written under a temporary name, checked by SQLite and renamed,
so that an interruption leaves everything as it was; it is one file, without a log beside it.
"""

import contextlib
import os
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tqdm import tqdm

from arena.ledger.claim import Claim, ClaimError
from arena.server.stopping import Stopping
from common.options import Parser
from common.words import plural
from ratings.ledger.access import columns_of
from ratings.ledger.kept_counts import disagreement, recount

PAGES = 2000  # copied between two updates of the progress bar
BESIDE = ("-wal", "-shm")  # SQLite's files beside a ledger in use; -journal belongs to other modes


class BackupError(Exception):
    """A copy that was not made, with the reason and the remedy. Nothing was changed."""


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or 2 with one line on stderr."""
    options = _parser().parse_args(argv)
    try:
        stopping = Stopping()
        with stopping.by_signal():
            if options.restore:
                print(restore(options.restore, options.db, stopping))
            else:
                print(back_up(options.db, options.out, stopping, force=options.force))
    except (BackupError, ClaimError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def back_up(ledger: Path, out: Path, stopping: Stopping, *, force: bool = False) -> str:
    """Copy a ledger, which may be in use, and return what was done as a sentence.

    Raises:
        BackupError: there is no such ledger, or the copy must not or cannot be written there.
    """
    _require_ledger(ledger)
    if not out.parent.is_dir():
        raise BackupError(f"{out.parent} is not a folder: make it first, or pass --out another file")
    if out.exists() and not out.is_file():
        raise BackupError(f"{out} is {'a folder' if out.is_dir() else 'not a file'}: pass --out another file")
    if _is_of(out, ledger):
        raise BackupError(f"{out} belongs to the ledger itself: pass --out another file")
    if out.exists() and not force:
        raise BackupError(f"{out} exists: pass --force to replace it, or --out another file")
    with _copied(ledger, out, stopping, like=ledger) as (copy, counts):
        if out.exists() and not force:
            raise BackupError(f"{out} exists by now: pass --force to replace it, or --out another file")
        copy.replace(out)
    return f"{out}: {counts}"


def restore(backup: Path, ledger: Path, stopping: Stopping) -> str:
    """Put a copy of a backup in the ledger's place, move aside what is there, and return what was done.

    Raises:
        BackupError: the backup is not a ledger, or the ledger's place cannot be written.
        ClaimError: an arena is running on the ledger.
    """
    _require_ledger(backup)
    if _is_of(backup, ledger):
        raise BackupError(f"{backup} belongs to the ledger itself: pass --restore a backup")
    with closing(Claim(ledger)):
        ledger = ledger.resolve()  # a link stays, and its target is replaced
        with _copied(backup, ledger, stopping, like=ledger if ledger.exists() else backup) as (copy, counts):
            moved = _move_aside(ledger)
            copy.replace(ledger)
    return f"{ledger}: restored from {backup}: {counts}" + (f"; what was there is {moved}" if moved else "")


@contextmanager
def _copied(source: Path, target: Path, stopping: Stopping, *, like: Path) -> Iterator[tuple[Path, str]]:
    """Yield a checked copy beside the target, with the mode and owner of `like`, and its counts in words."""
    copy = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            with closing(sqlite3.connect(copy, isolation_level=None)) as written:
                # SQLite calls this now and then; a true value interrupts it.
                written.set_progress_handler(lambda: stopping.times, 10_000)
                _copy(source, written, stopping)
                counts = _check(source, written) + _mend(written)
            _own(copy, like)
            yield copy, counts
            _sync(target.parent)
        finally:
            for suffix in ("", "-journal", *BESIDE):
                Path(f"{copy}{suffix}").unlink(missing_ok=True)
    except (sqlite3.Error, OSError) as error:
        why = f"{error.strerror} ({error.filename})" if isinstance(error, OSError) and error.strerror else str(error)
        raise BackupError(f"{source} cannot be copied to {target}: {why}") from None


def _copy(source: Path, written: sqlite3.Connection, stopping: Stopping) -> None:
    with closing(_open(source)) as ledger:
        ledger.execute("BEGIN")
        ledger.execute(
            "SELECT count(*) FROM sqlite_master"
        ).fetchone()  # the first read: from here on the ledger stands still
        with tqdm(desc="copied", unit="page", delay=1, disable=None) as bar:

            def show(status: int, remaining: int, total: int) -> None:
                if stopping.times:
                    raise sqlite3.OperationalError("interrupted")
                bar.total = total
                bar.update(total - remaining - bar.n)

            ledger.backup(written, pages=PAGES, progress=show)
    written.execute("PRAGMA journal_mode = DELETE")  # no log beside it: the one file is complete


def _check(source: Path, written: sqlite3.Connection) -> str:
    problems = [row[0] for row in written.execute("PRAGMA integrity_check(3)") if row[0] != "ok"]
    if problems:
        raise BackupError(
            f"{source} is damaged ({'; '.join(map(str, problems)).replace(chr(10), ' ')}): restore a backup"
        )
    battles, votes = (written.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("battles", "votes"))
    try:
        aside = written.execute("SELECT count(*) FROM set_aside").fetchone()[0]
    except sqlite3.OperationalError:  # a ledger of an older version
        aside = 0
    counted = f"{plural(battles, 'battle')}, {plural(votes, 'vote')}"
    return counted + (f", {plural(aside, 'vote')} set aside" if aside else "")


def _mend(written: sqlite3.Connection) -> str:
    """Make the counts of the copy those of its votes, and return what to say of it."""
    if not columns_of(written, "vote_counts"):  # a ledger of an older version
        return ""
    written.execute("BEGIN")
    problem = disagreement(written, is_full=True)
    if problem:
        recount(written)
    written.execute("COMMIT")
    return f"; the counts it keeps {problem}: in the copy they are made anew from its votes" if problem else ""


def _require_ledger(path: Path) -> None:
    if not path.is_file():
        raise BackupError(f"{path}: {'a folder' if path.is_dir() else 'no such file'}, where a ledger is expected")
    if path.stat().st_size == 0:
        raise BackupError(f"{path} is empty, where a ledger is expected")
    try:
        with closing(_open(path)) as ledger:
            query = "SELECT count(*) FROM sqlite_master WHERE name IN ('_sqlite_migrations', 'battles', 'votes')"
            is_ledger = ledger.execute(query).fetchone()[0] == 3
    except (sqlite3.Error, OSError) as error:
        raise BackupError(f"{path} cannot be read as a ledger: {error}") from None
    if not is_ledger:
        raise BackupError(f"{path} is not a ledger of an arena")


def _open(path: Path) -> sqlite3.Connection:
    # Not mode=ro: it would leave an empty log behind if no other process has the ledger open.
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=10)


def _is_of(path: Path, ledger: Path) -> bool:
    """Return whether a path is the ledger, under any name, or one of the files beside it."""
    whole = ledger.resolve()
    own = [whole, *(Path(f"{whole}{suffix}") for suffix in (*BESIDE, "-journal", ".lock")), whole.with_suffix(".key")]
    return path.resolve() in own or any(path.exists() and each.exists() and path.samefile(each) for each in own)


def _move_aside(ledger: Path) -> Path | None:
    if not ledger.exists():
        return None
    aside = ledger.with_name(f"{ledger.name}.{time.strftime('%Y-%m-%d-%H%M%S')}")
    while aside.exists():
        aside = aside.with_name(aside.name + "-more")
    # Not opened, since SQLite repairs what it opens; the log first, or it would be taken for the new ledger's.
    for suffix in (*BESIDE, ""):
        if (old_file := Path(f"{ledger}{suffix}")).exists():
            old_file.replace(f"{aside}{suffix}")
    return aside


def _own(copy: Path, like: Path) -> None:
    known = like.stat()
    with contextlib.suppress(PermissionError):  # only root gives files away
        os.chown(copy, known.st_uid, known.st_gid)
    copy.chmod(stat.S_IMODE(known.st_mode))
    _sync(copy)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _parser() -> Parser:
    parser = Parser(prog="python -m arena.backup", description="Copy a ledger in use, or restore one.")
    parser.add_argument("--db", type=Path, default=Path("data/arena.db"), help="the vote ledger (%(default)s)")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, help="the file to copy it to")
    what.add_argument("--restore", type=Path, metavar="BACKUP", help="the copy to restore; no arena may be running")
    parser.add_argument("--force", action="store_true", help="replace the file of --out")
    return parser


if __name__ == "__main__":
    sys.exit(main())
