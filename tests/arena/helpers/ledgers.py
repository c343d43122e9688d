"""Battles in a ledger, without a service: begun, ready, voted on; and queries by another connection."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from arena.battle import Battle
from arena.ledger.store import Store
from arena.pairing import Draw
from ratings.outcomes import Outcome
from tests.arena.helpers.played import make_reply

DRAW = Draw("quince", "medlar", 0.5)


def rows(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Ask the ledger's file through a connection of its own: only what was committed is seen."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, values).fetchall()


def begin(store: Store, visitor: str = "ann", prompt: str = "Why?", *, draw: Draw = DRAW, flag: str = "") -> Battle:
    battle = Battle(visitor, prompt, draw, flag=flag)
    store.begin(battle)
    return battle


def make_ready(store: Store, visitor: str = "ann", prompt: str = "Why?", **options: Any) -> Battle:
    battle = begin(store, visitor, prompt, **options)
    battle.finish("a", make_reply("Because."))
    battle.finish("b", make_reply("Why not?", finish="length"))
    store.finish(battle)
    battle.make_ready()
    return battle


def cast(store: Store, n: int, start: int = 0) -> set[str]:
    """Store the votes of n visitors; return the battles."""
    battles = [make_ready(store, f"visitor {i}") for i in range(start, start + n)]
    for battle in battles:
        store.vote(battle.id, battle.visitor, Outcome.TIE)
    return {battle.id for battle in battles}


def votes(path: Path) -> set[str]:
    """Return the battles that have a counted vote, in a ledger that is whole."""
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    return {name for (name,) in rows(path, "SELECT battle_id FROM votes")}


def count(store: Store) -> tuple[int, int]:
    """Return how many votes count, and how many are set aside."""
    [(counted, aside)] = rows(store.path, "SELECT (SELECT count(*) FROM votes), (SELECT count(*) FROM set_aside)")
    return counted, aside


def vote(store: Store, number: int) -> None:
    """Fight and vote on the battle of one more visitor."""
    battle = Battle(f"visitor {number}", "Why?", Draw("quince", "medlar", 1.0))
    store.begin(battle)
    battle.finish("a", make_reply("one"))
    battle.finish("b", make_reply("two"))
    store.finish(battle)
    store.vote(battle.id, battle.visitor, Outcome.A_WINS)
