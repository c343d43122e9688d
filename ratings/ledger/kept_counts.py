"""Whether the counts that a ledger keeps are those of its votes, and how to make them so again.

Triggers keep the counts (schema.py), so they only disagree with the votes where somebody changed either past them: by
hand with the triggers gone, by copying tables, by a damaged file. Every opening of a ledger with more than FEW votes
makes the cheap check: no count is negative or no number, and together they are as many as there are votes. It cannot
see counts that were moved between cells; the full check can, which counts every vote, as is done for fewer. The votes
are right, as the counts are made of them.
"""

import sqlite3

from common.words import plural
from ratings.ledger.access import columns_of
from ratings.outcomes import OUTCOMES

_CELLS = [outcome.column for outcome in OUTCOMES]
_KEY = ["category", "model_a", "model_b", "source"]
_COLUMNS = ", ".join(_KEY + _CELLS)
_COUNTED = (
    f"SELECT {', '.join(_KEY)}, {', '.join(f'''sum(outcome = '{outcome.value}')''' for outcome in OUTCOMES)} "
    "FROM votes GROUP BY 1, 2, 3, 4"
)
_IS_ODD = " OR ".join(
    [f"typeof({cell}) != 'integer' OR {cell} < 0" for cell in _CELLS]
    + [f"typeof({name}) != 'text'" for name in _KEY]
    + ["source NOT IN ('human', 'simulated')", f"{' + '.join(_CELLS)} = 0"]
)

FEW = 100_000
"""Votes that are counted in a fiftieth of a second."""

MEND = "starting the arena, or python -m arena.voters list, mends them"
"""How the counts of a ledger are put right: whoever opens it to write."""


def disagreement(ledger: sqlite3.Connection, *, is_full: bool = False) -> str:
    """Return what is wrong with the kept counts as part of a sentence, or "" where they agree with the votes.

    Both are read in one transaction, or a vote between the two would look like a mistake. The full check reads every
    vote. A table without a column for every outcome is one that no reader uses.
    """
    if columns_of(ledger, "vote_counts") != [*_KEY, *_CELLS]:
        return ""
    if not ledger.in_transaction:
        ledger.execute("BEGIN")
    odd, total = ledger.execute(
        f"SELECT coalesce(max({_IS_ODD}), 0), total({' + '.join(_CELLS)}) FROM vote_counts"
    ).fetchone()
    (votes,) = ledger.execute("SELECT count(*) FROM votes").fetchone()
    if odd:
        return "hold what is no count"
    if total != votes:
        return f"come to {total:,.0f} for {plural(votes, 'vote', commas=True)}"
    if is_full or votes <= FEW:
        kept = f"SELECT {_COLUMNS} FROM vote_counts"
        (more,) = ledger.execute(f"SELECT count(*) FROM (SELECT * FROM ({_COUNTED}) EXCEPT {kept})").fetchone()
        if more:
            return f"are not those of the votes for {plural(more, 'pair of sides', 'pairs of sides')}"
    return ""


def recount(ledger: sqlite3.Connection) -> None:
    """Make the kept counts those of the votes, within the caller's transaction; boards in memory notice."""
    ledger.execute("DELETE FROM vote_counts")
    ledger.execute(f"INSERT INTO vote_counts ({_COLUMNS}) {_COUNTED}")
    ledger.execute("UPDATE vote_changes SET mended = mended + 1")
