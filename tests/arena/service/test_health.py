"""The arena's health report: whether votes can be stored, without writing."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from arena import service as service_module
from arena.ledger import store as store_module
from arena.ledger.store import LedgerUnavailable, Store
from tests.arena.helpers.ledgers import cast
from tests.arena.helpers.stage import Stage, run
from tests.arena.helpers.troubles import REST, Trouble, full, hasty_store, in_trouble


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with hasty_store(tmp_path, monkeypatch) as ledger:
        yield ledger


@in_trouble
def test_health_reports_whether_votes_can_be_stored_without_a_path(store: Store, trouble: Trouble) -> None:
    stage = Stage(store)

    async def test() -> None:
        assert (await stage.service.health())["status"] == "ok"
        if trouble is full:  # a file that may not grow is not seen without writing; a disk without room is, see below
            return
        with trouble(store):
            found = await stage.service.health()
            assert (found["status"], found["ledger"]) == ("failing", "cannot be written")
            assert str(store.path.parent) not in str(found)
        await asyncio.sleep(REST)
        assert (await stage.service.health())["status"] == "ok"

    run(test())


def test_health_fails_while_the_disk_has_no_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.check()
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "ROOM", shutil.disk_usage(store.path.parent).total)
        with pytest.raises(LedgerUnavailable, match="bytes left"):
            store.check()
        cast(store, 1)  # which does not keep anybody from trying
    store.check()


def test_health_fails_while_the_file_may_not_be_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: (path, mode) != (store.path, os.W_OK))
        with pytest.raises(LedgerUnavailable, match="read-only"):
            store.check()
    store.check()


def test_looking_after_the_ledger_writes_nothing(store: Store) -> None:
    stage = Stage(store)
    cast(store, 2)

    def files() -> list[tuple[str, int, int]]:
        found = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in store.path.parent.iterdir()]
        return sorted(each for each in found if not each[0].endswith("-shm"))

    async def test() -> None:
        for _ in range(20):
            store.check()
            assert (await stage.service.health())["ledger"] == "ok"

    with closing(sqlite3.connect(store.path)) as other:
        before = files(), other.execute("PRAGMA data_version").fetchone()
        run(test())
        assert (files(), other.execute("PRAGMA data_version").fetchone()) == before


def test_health_that_is_asked_often_looks_once_in_a_while(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "HEALTH_SECONDS", 60.0)
    stage, looks, check = Stage(store), [], store.check

    def counted() -> None:
        looks.append(1)
        check()

    async def test() -> None:
        monkeypatch.setattr(store, "check", counted)
        await asyncio.gather(*(stage.service.health() for _ in range(50)))
        await stage.service.health()
        assert len(looks) == 1

    run(test())
