"""Ledgers of an earlier schema are brought up to date, whole or not at all, and lose nothing."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from arena.ledger.store import VOTED_BEFORE, Store
from ratings.ledger.reader import read_ledger
from ratings.ledger.schema import migrations
from ratings.outcomes import Outcome
from tests.arena.helpers.ledgers import count, make_ready
from tests.arena.helpers.stage import Stage, run


def make_earlier_ledger(path: Path) -> list[tuple[Any, ...]]:
    """Write a ledger of the first schema with every state of a battle; return its votes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrations.apply(Database(connection), stop_before="votes_set_aside")
        record = (
            '{"finish": "end", "prompt_tokens": 7, "tokens": 3, "seconds": 0.5, "first_seconds": 0.1, "recipe": {}}'
        )
        for n, state in enumerate(["voted", "voted", "ready", "ready", "void", "generating", "voted"]):
            texts = ("One.", "Two.", record, record) if state in ("voted", "ready") else (None,) * 4
            row = (f"{n:032}", "2025", f"visitor {n % 2}", "Why?", "", "quince", "medlar", 0.5, state, "", *texts)
            connection.execute(f"INSERT INTO battles VALUES ({', '.join('?' * len(row))})", row)
            if state == "voted":
                vote = (f"{n:032}", "2025", f"visitor {n % 2}", "quince", "medlar", "model_a", 0.5, "human", "")
                connection.execute("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", vote)
        return connection.execute("SELECT rowid, * FROM votes").fetchall()


def test_a_ledger_of_the_earlier_schema_is_brought_up_to_date_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "arena.db"
    votes = make_earlier_ledger(path)
    assert len(votes) == 3
    with closing(Store(path)) as store:
        with closing(sqlite3.connect(path)) as ledger:
            assert ledger.execute("SELECT rowid, * FROM votes").fetchall() == votes
            assert ledger.execute("SELECT DISTINCT flag FROM battles").fetchall() == [("",)]
            assert ledger.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert (read_ledger(path).used, read_ledger(path).left_out) == (3, {})
        assert store.sweep() == 1
        found = store.open_battle("visitor 0")
        assert found is not None
        assert (found.id, found.flag, found.texts["a"], found.earlier) == (f"{2:032}", "", "One.", [])
        assert store.vote(found.id, "visitor 0", Outcome.TIE) == VOTED_BEFORE
        how = make_ready(store, "visitor 0", "How?")
        assert store.vote(how.id, "visitor 0", Outcome.TIE) == ""
        assert count(store) == (4, 1)
    with closing(Store(path)) as store:  # once is enough
        assert count(store) == (4, 1)


def test_a_host_goes_on_with_a_ledger_of_the_earlier_schema(tmp_path: Path) -> None:
    path = tmp_path / "arena.db"
    make_earlier_ledger(path)

    async def test(stage: Stage) -> None:
        battle = await stage.service.open_battle("visitor 1")
        assert battle is not None
        voted = await stage.service.vote("visitor 1", battle.id, Outcome.B_WINS)
        assert voted.reveal() == ("quince", "medlar")
        assert (await stage.fight("visitor 1", "How?")).state.value == "ready"

    with closing(Store(path)) as store:
        run(test(Stage(store)))


def test_a_migration_that_breaks_off_changes_nothing_and_is_made_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "arena.db"
    votes = make_earlier_ledger(path)
    [_, second, _] = migrations._migrations

    def break_off(db: Database) -> None:
        second.fn(db)
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        broken = [migrations._migrations[0], replace(second, fn=break_off)]
        patch.setattr(migrations, "_migrations", broken)
        with pytest.raises(Exception, match="disk is full"):
            Store(path)
    with closing(Store(path)) as store:
        assert count(store) == (len(votes), 0)


@pytest.mark.parametrize("make", [make_earlier_ledger, lambda _: []], ids=["earlier", "new"])
def test_several_that_open_a_ledger_at_once_all_can(tmp_path: Path, make: Callable[[Path], list[Any]]) -> None:
    """The arena and python -m arena.voters may both be started on it."""
    path = tmp_path / "arena.db"
    votes = make(path)
    barrier = threading.Barrier(4)

    def open_it(_: int) -> None:
        barrier.wait()
        Store(path).close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_it, range(4)))
    with closing(Store(path)) as store:
        assert count(store) == (len(votes), 0)
