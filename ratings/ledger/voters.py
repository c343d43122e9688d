"""How a ledger's votes are spread over its visitors, without reading the votes.

A single visitor is found by two look-ups in the index of visitors, so that a ledger of millions of votes by one
program answers at once. Only where there are more are the votes of each counted.
"""

import sqlite3
from pathlib import Path

from ratings.ledger.access import columns_of, open_ledger
from ratings.votes.clusters import ClusterSizes

_IS_INDEXED = """
    SELECT 1 FROM pragma_index_list('votes') AS list, pragma_index_info(list.name) AS info
    WHERE info.seqno = 0 AND info.name = 'visitor'
"""
_ENDS = "SELECT (SELECT min(visitor) FROM votes), (SELECT max(visitor) FROM votes)"
_SPREAD = """
    SELECT count(*), coalesce(sum(cast_), 0), coalesce(sum(1.0 * cast_ * cast_), 0), coalesce(max(cast_), 0)
    FROM (SELECT count(*) AS cast_ FROM votes WHERE visitor IS NOT NULL GROUP BY visitor)
"""


def read_ledger_voters(path: Path) -> ClusterSizes | None:
    """Return how the votes of the ledger at `path` are spread; None where it does not record who cast them.

    A vote without a visitor stands for itself. Raises VotesError where the file is no ledger.
    """
    with open_ledger(path) as ledger:
        return voters_of(ledger)


def voters_of(ledger: sqlite3.Connection) -> ClusterSizes | None:
    """Return what `read_ledger_voters` does, of a ledger that is open."""
    if "visitor" not in columns_of(ledger, "votes"):
        return None
    if ledger.execute(_IS_INDEXED).fetchone():
        first, last = ledger.execute(_ENDS).fetchone()
        if (
            first is not None
            and first == last
            and not ledger.execute("SELECT 1 FROM votes WHERE visitor IS NULL LIMIT 1").fetchone()
        ):
            return ClusterSizes(1, 1.0, 1.0)
    number, votes, squares, most = ledger.execute(_SPREAD).fetchone()
    if number == 0:
        return None
    (unsaid,) = ledger.execute("SELECT count(*) FROM votes WHERE visitor IS NULL").fetchone()
    total = votes + unsaid
    return ClusterSizes(number + unsaid, total**2 / (squares + unsaid), max(most, int(unsaid > 0)) / total)
