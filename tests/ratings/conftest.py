"""Invented votes and ledgers for the tests of ratings/."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from ratings.outcomes import Outcome
from ratings.votes.collect import collect
from ratings.votes.votes import Record, Votes
from tests.ratings.helpers.ledgers import is_sound, loosen, new_ledger, store_battle

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
        loose: bool = False,
    ) -> Path:
        path = tmp_path / name
        sources = sources or ["human"] * len(votes)
        with new_ledger(path) as ledger:
            if loose or not is_sound(votes, sources):
                loosen(ledger)
            for i, (a, b, outcome) in enumerate(votes):
                created = f"2030-01-01T00:00:{i % 60:02d}Z"
                vote = (f"b{i}", created, "v", a, b, outcome, 0.5, sources[i], "")
                store_battle(ledger, vote, texts[i] if texts else (f"prompt {i}", "left", "right"))
        return path

    return make


@pytest.fixture(scope="session")
def full_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a ledger of 600 votes that say all a vote can: who, when, about what, how the replies look.

    Six of them are of a model against itself, and six are set aside.
    """
    rng = np.random.default_rng(11)
    names, strengths = ("base", "sft", "rlhf", "rlhf-int8"), np.array([-0.9, 0.0, 0.8, 0.5])
    path = tmp_path_factory.mktemp("ledger") / "full.db"
    with new_ledger(path) as ledger:
        for i in range(600):
            a, b = rng.choice(4, 2, replace=False)
            looks = rng.integers(1, 60, 8)
            ahead = strengths[a] - strengths[b] + 0.8 * (looks[0] - looks[4]) / (looks[0] + looks[4]) + 0.2
            outcome = "model_a" if rng.random() < 1 / (1 + np.exp(-ahead)) else "model_b"
            outcome = str(rng.choice([outcome, "tie", "both_bad"], p=[0.75, 0.15, 0.1]))
            created = (datetime(2030, 1, 1, tzinfo=UTC) + timedelta(minutes=50 * i)).isoformat()
            voter, source = f"v{rng.integers(40)}", "human" if i % 4 else "simulated"
            chance = 0.1 if {a, b} == {0, 1} else 0.18
            category = ("facts", "stories", "")[i % 3]
            if i % 100 == 57:
                b = a
            vote = (f"b{i}", created, voter, names[a], names[b], outcome, chance, source, category)
            store_battle(
                ledger,
                vote,
                (f"prompt {i % 30}", "left", "right"),
                looks=list(map(int, looks)) if i % 10 else (),
                set_aside="voted before" if i % 100 == 7 else "",
            )
    return path


@pytest.fixture
def make_votes() -> MakeVotes:
    """Return a function from (model_a, model_b, Outcome) rows to Votes."""

    def make(rows: Sequence[tuple[str, str, Outcome]]) -> Votes:
        return collect(Record(*row) for row in rows)

    return make
