"""Invented votes and ledgers for the tests of ratings/."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from ratings.outcomes import Outcome
from ratings.votes.votes import Record, Votes, collect

SCHEMA = """
CREATE TABLE votes (battle_id TEXT PRIMARY KEY, created TEXT, visitor TEXT, model_a TEXT, model_b TEXT,
                    outcome TEXT, probability REAL, source TEXT);
CREATE TABLE texts (battle_id TEXT PRIMARY KEY, prompt TEXT, reply_a TEXT, reply_b TEXT);
CREATE VIEW preferences AS
    SELECT votes.battle_id, created, prompt, reply_a, reply_b, model_a, model_b, outcome, source
    FROM votes JOIN texts USING (battle_id);
"""

FULL_SCHEMA = """
CREATE TABLE votes (battle_id TEXT PRIMARY KEY, created TEXT, visitor TEXT, model_a TEXT, model_b TEXT,
                    outcome TEXT, probability REAL, source TEXT, category TEXT);
CREATE TABLE texts (battle_id TEXT PRIMARY KEY, prompt TEXT, reply_a TEXT, reply_b TEXT);
CREATE TABLE styles (battle_id TEXT PRIMARY KEY, length_a INTEGER, headers_a INTEGER, bold_a INTEGER, lists_a INTEGER,
                     length_b INTEGER, headers_b INTEGER, bold_b INTEGER, lists_b INTEGER);
CREATE VIEW preferences AS
    SELECT votes.battle_id, created, prompt, reply_a, reply_b, model_a, model_b, outcome, source
    FROM votes JOIN texts USING (battle_id);
"""

VoteRow = tuple[str | None, str | None, str | None]
MakeLedger = Callable[..., Path]
MakeVotes = Callable[[Sequence[tuple[str, str, Outcome]]], Votes]


@pytest.fixture
def make_ledger(tmp_path: Path) -> MakeLedger:
    """Return a function that writes votes (model_a, model_b, outcome) to a ledger of their own."""

    def make(
        votes: Sequence[VoteRow],
        texts: Sequence[tuple[str | None, str | None, str | None]] | None = None,
        sources: Sequence[str] | None = None,
        name: str = "votes.db",
    ) -> Path:
        path = tmp_path / name
        with closing(sqlite3.connect(path)) as ledger, ledger:
            ledger.executescript(SCHEMA)
            for i, (a, b, outcome) in enumerate(votes):
                source = sources[i] if sources else "human"
                row = (f"b{i}", f"2030-01-01T00:00:{i % 60:02d}Z", "v", a, b, outcome, 0.5, source)
                ledger.execute("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
                text = texts[i] if texts else (f"prompt {i}", "left", "right")
                ledger.execute("INSERT INTO texts VALUES (?, ?, ?, ?)", (f"b{i}", *text))
        return path

    return make


@pytest.fixture(scope="session")
def full_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a ledger of 600 votes that say all a vote can: who, when, about what, how the replies look."""
    rng = np.random.default_rng(11)
    names, strengths = ("base", "sft", "rlhf", "rlhf-int8"), np.array([-0.9, 0.0, 0.8, 0.5])
    path = tmp_path_factory.mktemp("ledger") / "full.db"
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.executescript(FULL_SCHEMA)
        for i in range(600):
            a, b = rng.choice(4, 2, replace=False)
            looks = rng.integers(1, 60, 8)
            ahead = strengths[a] - strengths[b] + 0.8 * (looks[0] - looks[4]) / (looks[0] + looks[4]) + 0.2
            outcome = "model_a" if rng.random() < 1 / (1 + np.exp(-ahead)) else "model_b"
            outcome = str(rng.choice([outcome, "tie", "both_bad"], p=[0.75, 0.15, 0.1]))
            if i % 50 == 7:
                outcome = ""  # a vote that says nothing, and is left out
            created = (datetime(2030, 1, 1, tzinfo=UTC) + timedelta(minutes=50 * i)).isoformat()
            voter, source = f"v{rng.integers(40)}", "human" if i % 4 else "simulated"
            chance = 0.1 if {a, b} == {0, 1} else 0.18
            row = (
                f"b{i}",
                created,
                voter,
                names[a],
                names[b],
                outcome,
                chance,
                source,
                ("facts", "stories", "")[i % 3],
            )
            ledger.execute("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            ledger.execute("INSERT INTO texts VALUES (?, ?, 'left', 'right')", (f"b{i}", f"prompt {i % 30}"))
            if i % 10:
                ledger.execute("INSERT INTO styles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (f"b{i}", *map(int, looks)))
    return path


@pytest.fixture
def make_votes() -> MakeVotes:
    """Return a function from (model_a, model_b, Outcome) rows to Votes."""

    def make(rows: Sequence[tuple[str, str, Outcome]]) -> Votes:
        return collect(Record(*row) for row in rows)

    return make
