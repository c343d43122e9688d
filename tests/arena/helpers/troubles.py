"""What may happen to a ledger: locked, full, read-only, moved away. For the tests of what then becomes of votes.

Two open connections stand for two processes: the lock of the one holds back the other all the same.
"""

import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from arena import fight as fight_module
from arena import service as service_module
from arena.ledger import store as store_module
from arena.ledger.store import LedgerUnavailable, Store

BUSY, REST = 0.1, 0.03
HOLD = """
import sqlite3, sys
ledger = sqlite3.connect(sys.argv[1], isolation_level=None)
ledger.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
ledger.execute("ROLLBACK")
"""


@contextmanager
def hasty_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Open a ledger that gives up soon, and let hosts not wait long either."""
    monkeypatch.setattr(store_module, "BUSY_SECONDS", BUSY)
    monkeypatch.setattr(store_module, "REST_SECONDS", REST)
    monkeypatch.setattr(fight_module, "STORE_PAUSE", 0.02)
    monkeypatch.setattr(service_module, "HEALTH_SECONDS", 0.0)
    with closing(Store(folder / "data" / "arena.db")) as ledger:
        yield ledger


@contextmanager
def locked(store: Store) -> Iterator[None]:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def locked_by_a_process(store: Store) -> Iterator[None]:
    command = [sys.executable, "-c", HOLD, str(store.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        yield
        other.stdin.write("\n")
        other.stdin.close()
        assert other.wait(20) == 0


@contextmanager
def read_only(store: Store) -> Iterator[None]:
    store._connection.execute("PRAGMA query_only = ON")
    yield
    store._connection.execute("PRAGMA query_only = OFF")


@contextmanager
def full(store: Store) -> Iterator[None]:
    """Let nothing be written into a file, its first bytes apart, as on a disk without room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def moved_away(store: Store) -> Iterator[None]:
    aside = store.path.parent.rename(store.path.parent.with_name("elsewhere"))
    yield
    shutil.rmtree(store.path.parent)  # where what it held was written to
    aside.rename(store.path.parent)


Trouble = Callable[[Store], AbstractContextManager[None]]
in_trouble = pytest.mark.parametrize(
    "trouble", [locked, locked_by_a_process, read_only, full, moved_away], ids=lambda each: each.__name__
)


def count_failures(store: Store, name: str) -> list[str]:
    """Return a list that grows whenever a method of the store could not write."""
    failures: list[str] = []
    method = getattr(store, name)

    def watched(*values: object) -> object:
        try:
            return method(*values)
        except LedgerUnavailable as error:
            failures.append(str(error))
            raise

    setattr(store, name, watched)
    return failures
