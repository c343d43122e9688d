"""python -m arena.voters: list the voters, leave one out of boards and exports, or take one back.

A voter is the random id of a cookie. Votes that are left out stay in the ledger, in the table set_aside with the
reason, and so do the voter's later votes. The command may be used while the arena is running.
"""

import argparse
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from arena.battle import VOTED_BEFORE, VOTER_LEFT_OUT
from arena.ledger.rows import has_voted_on, now
from arena.ledger.store import Store, StoreError
from common.edge import run_command
from common.options import Parser
from common.words import plural
from ratings.outcomes import OUTCOMES

_COLUMNS = "battle_id, created, visitor, model_a, model_b, outcome, probability, source, category"
_SHARES = ", ".join(f"avg(outcome = '{outcome.value}')" for outcome in OUTCOMES)
_SUMMARY = f"""
    WITH every AS (SELECT visitor, created, outcome, 1 AS counts FROM votes
                   UNION ALL SELECT visitor, created, outcome, 0 FROM set_aside)
    SELECT visitor, sum(counts), sum(1 - counts), min(created), max(created),
           EXISTS (SELECT 1 FROM voters_left_out o WHERE o.visitor = every.visitor), {_SHARES}
    FROM every GROUP BY visitor ORDER BY count(*) DESC, visitor
"""


class VoterError(Exception):
    """There is no such voter, or more than one; with the remedy."""


@dataclass(frozen=True)
class Voter:
    """A voter's votes in the ledger; shares are of all votes, 0 to 1."""

    id: str
    counted: int
    set_aside: int
    first: str
    last: str
    is_left_out: bool
    shares: tuple[float, ...]
    """In the order of OUTCOMES."""


def list_voters(ledger: sqlite3.Connection) -> list[Voter]:
    """Return all voters, most votes first."""
    return [
        Voter(id, counted, set_aside, first, last, bool(is_left_out), tuple(shares))
        for id, counted, set_aside, first, last, is_left_out, *shares in ledger.execute(_SUMMARY)
    ]


def find_voter(ledger: sqlite3.Connection, start: str) -> str:
    """Return the one voter whose id begins with start.

    Raises:
        VoterError: no voter's or several voters' ids do.
    """
    ids = [voter.id for voter in list_voters(ledger) if voter.id.startswith(start)]
    if len(ids) != 1:
        many = f"{len(ids)} voters begin with {start!r}: give more of the id" if ids else f"no voter {start!r}"
        raise VoterError(f"{many} (python -m arena.voters list shows them)")
    return ids[0]


def leave_out(ledger: sqlite3.Connection, voter: str, note: str) -> int:
    """Set all votes of a voter aside, later ones included; return how many were counted until now."""
    with ledger:
        ledger.execute("BEGIN IMMEDIATE")
        ledger.execute("INSERT OR REPLACE INTO voters_left_out VALUES (?, ?, ?)", (voter, now(), note))
        ledger.execute(
            f"INSERT INTO set_aside SELECT {_COLUMNS}, rowid, ? FROM votes WHERE visitor = ?", (VOTER_LEFT_OUT, voter)
        )
        return ledger.execute("DELETE FROM votes WHERE visitor = ?", (voter,)).rowcount


def take_back(ledger: sqlite3.Connection, voter: str) -> int:
    """Count a voter's votes again that leave_out had set aside; return how many.

    They return to their places in the order of all votes, as far as these are free.
    """
    with ledger:
        ledger.execute("BEGIN IMMEDIATE")
        ledger.execute("DELETE FROM voters_left_out WHERE visitor = ?", (voter,))
        rows = ledger.execute(
            "SELECT s.battle_id, b.prompt FROM set_aside s JOIN battles b ON b.id = s.battle_id "
            "WHERE s.visitor = ? AND s.reason = ? ORDER BY s.created",
            (voter, VOTER_LEFT_OUT),
        ).fetchall()
        return sum(_take_back(ledger, voter, battle_id, prompt) for battle_id, prompt in rows)


def _take_back(ledger: sqlite3.Connection, voter: str, battle_id: str, prompt: str) -> bool:
    if has_voted_on(ledger, voter, prompt):
        ledger.execute("UPDATE set_aside SET reason = ? WHERE battle_id = ?", (VOTED_BEFORE, battle_id))
        return False
    ledger.execute(
        f"INSERT INTO votes (rowid, {_COLUMNS}) SELECT CASE WHEN place IN (SELECT rowid FROM votes) THEN NULL "
        f"ELSE place END, {_COLUMNS} FROM set_aside WHERE battle_id = ?",
        (battle_id,),
    )
    ledger.execute("DELETE FROM set_aside WHERE battle_id = ?", (battle_id,))
    return True


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or 2 with one line on stderr."""
    return run_command(lambda: [_run_on(_parser().parse_args(argv))], (VoterError, StoreError, sqlite3.Error))


def _run_on(options: argparse.Namespace) -> str:
    if not options.db.is_file():
        raise VoterError(f"{options.db}: no such ledger: pass --db FILE")
    Store(options.db).close()  # refuses other files, and updates an older ledger
    with closing(sqlite3.connect(options.db, isolation_level=None, timeout=10)) as ledger:
        return _run(ledger, options)


def _run(ledger: sqlite3.Connection, options: argparse.Namespace) -> str:
    if options.command == "list":
        return _table(list_voters(ledger))
    voter = find_voter(ledger, options.voter)
    is_left_out = ledger.execute("SELECT 1 FROM voters_left_out WHERE visitor = ?", (voter,)).fetchone() is not None
    if options.command == "leave-out":
        moved = plural(leave_out(ledger, voter, options.note), "vote")
        if is_left_out:
            return f"{voter} was left out already: {moved} more set aside"
        return f"{voter} is left out: {moved} set aside, and every later one"
    if not is_left_out:
        return f"{voter} was not left out: nothing has changed"
    return f"{voter} is taken back: {plural(take_back(ledger, voter), 'vote')} counted again"


def _table(voters: list[Voter]) -> str:
    titles = [outcome.column.replace("_", " ").replace("a w", "A w").replace("b w", "B w") for outcome in OUTCOMES]
    lines = ["  ".join([f"{'voter':<32}", "counted", "set aside", *titles, "first and last vote"])]
    for voter in voters:
        cells = [f"{voter.id:<32}", f"{voter.counted:>7}", f"{voter.set_aside:>9}"]
        cells += [f"{share:>{len(title)}.0%}" for title, share in zip(titles, voter.shares, strict=True)]
        cells.append(f"{voter.first[:16]} to {voter.last[:16]}" + ("  (left out)" if voter.is_left_out else ""))
        lines.append("  ".join(cells))
    return "\n".join(lines) if voters else "nobody has voted yet"


def _parser() -> Parser:
    parser = Parser(prog="python -m arena.voters", description="Who votes, and whose votes count.")
    parser.add_argument("--db", type=Path, default=Path("data/arena.db"), help="the vote ledger (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="all voters and their votes")
    out = commands.add_parser("leave-out", help="set a voter's votes aside, later ones included")
    out.add_argument("--note", default="", help="why, for the ledger")
    back = commands.add_parser("take-back", help="count a voter's votes again")
    for command in (out, back):
        command.add_argument("voter", help="the voter's id, or enough of its beginning")
    return parser


if __name__ == "__main__":
    sys.exit(main())
