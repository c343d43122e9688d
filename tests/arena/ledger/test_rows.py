"""Battles as rows of the ledger, and rows as battles. Whole stores are read back in test_readers.py."""

import datetime
import json
import sqlite3

import pytest

from arena.battle import Battle, State
from arena.ledger.rows import has_voted_on, insert, now, read_battle, record_of
from arena.ledger.store import Store
from ratings.outcomes import Outcome
from tests.arena.helpers.ledgers import begin, make_ready
from tests.arena.helpers.played import make_reply


def test_a_record_is_everything_but_the_text() -> None:
    record = json.loads(record_of(make_reply("Secret.")))
    assert "text" not in record
    assert {"finish", "prompt_tokens", "tokens", "seconds", "first_seconds", "recipe"} == set(record)


def test_the_newest_battle_that_fits_is_read_back(store: Store) -> None:
    older, newer = make_ready(store, "ann"), make_ready(store, "bob")
    ledger = store._connection
    both = read_battle(ledger, "b.visitor IN (?, ?)", ["ann", "bob"])
    assert isinstance(both, Battle)
    assert (both.id, both.state, both.texts) == (newer.id, State.READY, newer.texts)
    one = read_battle(ledger, "b.visitor = ?", ["ann"])
    assert one is not None
    assert one.id == older.id
    assert read_battle(ledger, "b.visitor = ?", ["eve"]) is None


def test_only_counted_votes_on_the_same_prompt_count_as_votes_before(store: Store) -> None:
    battle = make_ready(store, "ann", "Why is  it?")
    assert not has_voted_on(store._connection, "ann", "why is it")
    store.vote(battle.id, "ann", Outcome.TIE)
    assert has_voted_on(store._connection, "ann", "why is it")
    assert not has_voted_on(store._connection, "ann", "how is it")
    assert not has_voted_on(store._connection, "bob", "why is it")


def test_a_row_goes_into_its_columns_and_the_schema_is_kept(store: Store) -> None:
    battle = begin(store)
    with pytest.raises(sqlite3.IntegrityError):
        insert(store._connection, "battles", {"id": battle.id})


def test_the_time_is_utc_in_milliseconds() -> None:
    written = datetime.datetime.fromisoformat(now())
    assert written.utcoffset() == datetime.timedelta(0)
    assert written.microsecond % 1000 == 0
