"""Battles as rows of the ledger, and rows as battles."""

import datetime
import json
import sqlite3
from dataclasses import asdict
from typing import Any

from arena.backends.base import Reply
from arena.battle import SIDES, Battle, Side, State, Turn
from arena.pairing import Draw
from common.prompts import prompt_key
from ratings.outcomes import Outcome
from ratings.votes.markdown import measure_style

_BATTLES = """
    SELECT b.*, coalesce(v.outcome, s.outcome) AS outcome, s.reason FROM battles b
    LEFT JOIN votes v ON v.battle_id = b.id LEFT JOIN set_aside s ON s.battle_id = b.id
"""
_TURN = "prompt, reply_a, reply_b, record_a, record_b"


def read_battle(ledger: sqlite3.Connection, where: str, values: list[str]) -> Battle | None:
    """Return the newest battle for which a condition on battles (b) holds, or None."""
    cursor = ledger.execute(f"{_BATTLES} WHERE {where} ORDER BY b.rowid DESC LIMIT 1", values)
    names = [column[0] for column in cursor.description]
    row = cursor.fetchone()
    if row is None:
        return None
    first = dict(zip(names, row, strict=True))
    later = ledger.execute(f"SELECT {_TURN} FROM later_turns WHERE battle_id = ? ORDER BY turn", (first["id"],))
    return _battle(first, [dict(zip(_TURN.split(", "), turn, strict=True)) for turn in later])


def has_voted_on(ledger: sqlite3.Connection, visitor: str, prompt: str) -> bool:
    """Return whether the visitor has a counted vote on the same prompt."""
    voted = ledger.execute(
        "SELECT b.prompt FROM votes v JOIN battles b ON b.id = v.battle_id WHERE v.visitor = ?", (visitor,)
    )
    key = prompt_key(prompt)
    return any(prompt_key(earlier) == key for (earlier,) in voted)


def insert(ledger: sqlite3.Connection, table: str, row: dict[str, Any], conflict: str = "") -> None:
    """Insert a row, given by its columns."""
    places = ", ".join("?" * len(row))
    ledger.execute(f"INSERT {conflict} INTO {table} ({', '.join(row)}) VALUES ({places})", tuple(row.values()))


def style_of(battle: Battle) -> dict[str, int]:
    """Return the columns of styles: what the replies of each side look like, all its turns together."""
    turns = [*(turn.replies for turn in battle.earlier), battle.replies]
    measured = {side: [asdict(measure_style(replies[side].text)) for replies in turns] for side in SIDES}
    return {
        f"{feature}_{side}": sum(counts[feature] for counts in found)
        for side, found in measured.items()
        for feature in found[0]
    }


def record_of(reply: Reply) -> str:
    """Return a reply's record as JSON; its text has a column of its own."""
    return json.dumps({key: value for key, value in asdict(reply).items() if key != "text"})


def now() -> str:
    """Return the time in the ledger's format: UTC, ISO 8601, milliseconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _battle(row: dict[str, Any], later: list[dict[str, Any]]) -> Battle:
    *earlier, last = [row, *later]
    battle = Battle(
        visitor=row["visitor"],
        prompt=last["prompt"],
        category=row["category"],
        draw=Draw(row["model_a"], row["model_b"], row["probability"]),
        id=row["id"],
        flag=row["reason"] or row["flag"],
        earlier=[Turn(turn["prompt"], _replies(turn)) for turn in earlier],
    )
    for side, reply in _replies(last).items():
        battle.finish(side, reply)
    battle.state, battle.void_reason = State(row["state"]), row["void_reason"]
    battle.outcome = Outcome(row["outcome"]) if row["outcome"] else None
    return battle


def _replies(turn: dict[str, Any]) -> dict[Side, Reply]:
    return {
        side: Reply(text=turn[f"reply_{side}"], **json.loads(turn[f"record_{side}"]))
        for side in SIDES
        if turn[f"record_{side}"] is not None
    }
