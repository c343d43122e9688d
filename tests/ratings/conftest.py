"""Invented votes and ledgers for the tests of ratings/."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings

from ratings.outcomes import Outcome
from ratings.votes import Record, Votes, collect

# The same cases on every run, and no verdict by the clock of a busy machine.
settings.register_profile("ratings", derandomize=True, deadline=None)
settings.load_profile("ratings")

SCHEMA = """
CREATE TABLE votes (battle_id TEXT PRIMARY KEY, created TEXT, visitor TEXT, model_a TEXT, model_b TEXT,
                    outcome TEXT, probability REAL, source TEXT);
CREATE TABLE texts (battle_id TEXT PRIMARY KEY, prompt TEXT, reply_a TEXT, reply_b TEXT);
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


@pytest.fixture
def make_votes() -> MakeVotes:
    """Return a function from (model_a, model_b, Outcome) rows to Votes."""

    def make(rows: Sequence[tuple[str, str, Outcome]]) -> Votes:
        return collect(Record(*row) for row in rows)

    return make
