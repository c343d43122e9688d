"""Ledgers of the arena's own schema, filled by hand."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from sqlite_utils import Database

from ratings.ledger.schema import migrations
from ratings.ledger.set_aside import read_set_aside
from ratings.outcomes import OUTCOMES

STORED = {outcome.value for outcome in OUTCOMES}
Text = str | None


@contextmanager
def new_ledger(path: Path) -> Iterator[sqlite3.Connection]:
    """Make a ledger and keep what is stored in it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as ledger:
        migrations.apply(Database(ledger))
        ledger.execute("BEGIN")
        yield ledger
        ledger.execute("COMMIT")


def store_battle(
    ledger: sqlite3.Connection,
    vote: tuple[str, str, str, Text, Text, Text, float, str, str],
    texts: tuple[Text, Text, Text],
    looks: Sequence[int] = (),
    set_aside: str = "",
) -> None:
    """Store a battle with its vote, in the order of the columns of votes, its prompt and replies, and their style.

    A vote that is `set_aside`, for a reason, is kept in the table of those.
    """
    battle_id, created, visitor, a, b, _, probability, _, category = vote
    ledger.execute(
        "INSERT INTO battles (id, created, visitor, prompt, category, model_a, model_b, probability, state, reply_a, "
        "reply_b) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'voted', ?, ?)",
        (battle_id, created, visitor, texts[0] or "", category, a or "", b or "", probability, *texts[1:]),
    )
    if set_aside:
        ledger.execute("INSERT INTO set_aside VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)", (*vote, set_aside))
    else:
        ledger.execute("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", vote)
    if looks:
        ledger.execute("INSERT INTO styles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (battle_id, *looks))


def is_sound(votes: Sequence[tuple[Text, Text, Text]], sources: Sequence[str]) -> bool:
    """Return whether the schema would take these votes (model_a, model_b, outcome) of these sources."""
    return set(sources) <= {"human", "simulated"} and all(
        a is not None and b is not None and outcome in STORED for a, b, outcome in votes
    )


def loosen(ledger: sqlite3.Connection) -> None:
    """Make the votes as another program might write them: no checks, and no counts beside them."""
    assert not read_set_aside(ledger)
    for table in ("votes", "vote_counts", "vote_changes"):
        ledger.execute(f"DROP TABLE {table}")
    columns = "battle_id, created, visitor, model_a, model_b, outcome, probability, source, category"
    ledger.execute(f"CREATE TABLE votes AS SELECT {columns} FROM set_aside")
