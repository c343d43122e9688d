"""A stored vote survives the process: kill -9 at a random moment, several times, on one ledger."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from arena.ledger.store import Store
from ratings.outcomes import OUTCOMES
from tests.arena.helpers.program import START_SECONDS, killed_after

# Each round leaves one battle unfinished on purpose, votes on another, and prints that one after vote() returned.
WRITER = """
import sys
from pathlib import Path
from arena.backends.base import Reply
from arena.battle import Battle
from arena.pairing import Draw
from arena.ledger.store import Store
from ratings.outcomes import OUTCOMES

store = Store(Path(sys.argv[1]))
reply = Reply("x" * 500, "end", 1, 1, 0.1, 0.1, {"seed": 1})
number = 300_000 * int(sys.argv[2])  # so that each run asks something new
while True:
    store.begin(Battle("bob", "left open", Draw("quince", "medlar", 1.0)))
    # Every third vote is on a prompt that the visitor has voted on: it is kept as well, and does not count.
    battle = Battle("ann", f"Why {number - number % 3 // 2}?", Draw("quince", "medlar", 1.0))
    store.begin(battle)
    battle.finish("a", reply)
    battle.finish("b", Reply("y" * 500, "end", 1, 1, 0.1, 0.1, {"seed": 2}))
    store.finish(battle)
    outcome = OUTCOMES[number % 4]
    store.vote(battle.id, "ann", outcome)
    print(battle.id, outcome.value, flush=True)
    number += 1
"""
KILLS = 4


def votes_until_killed(root: Path, db: Path, run: int, n_lines: int) -> list[tuple[str, str]]:
    """Run the writer, kill it once it has printed n_lines votes, and return every vote that it printed."""
    command = [sys.executable, "-c", WRITER, str(db), str(run)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        with killed_after(START_SECONDS, writer):
            printed = [writer.stdout.readline() for _ in range(n_lines)]
        os.kill(writer.pid, signal.SIGKILL)
        printed += writer.stdout.readlines()
        assert writer.wait(30) == -signal.SIGKILL
    whole = [line.split() for line in printed if line.endswith("\n")]  # the kill may cut the last line
    return [(battle_id, outcome) for battle_id, outcome in whole]


def test_every_vote_that_was_confirmed_is_in_the_ledger_after_kill_9(root: Path, tmp_path: Path) -> None:
    db = tmp_path / "arena.db"
    rng = random.Random(9)
    confirmed: dict[str, str] = {}
    for number in range(KILLS):
        confirmed |= votes_until_killed(root, db, number, rng.randint(3, 60))
        with closing(sqlite3.connect(db)) as ledger:
            counting = dict(ledger.execute("SELECT battle_id, outcome FROM votes"))
            aside = dict(ledger.execute("SELECT battle_id, outcome FROM set_aside"))
            stored = counting | aside
            assert ledger.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert ledger.execute("PRAGMA foreign_key_check").fetchall() == []
            kept = ledger.execute(
                "SELECT sum(a_wins), sum(b_wins), sum(ties), sum(both_bad) FROM vote_counts"
            ).fetchone()
            counted = tuple(list(counting.values()).count(outcome.value) for outcome in OUTCOMES)
            voted = {name for (name,) in ledger.execute("SELECT id FROM battles WHERE state = 'voted'")}
        assert confirmed.items() <= stored.items()
        assert voted == set(stored)  # never half of a vote: the row and the state go together
        assert len(stored) == len(counting) + len(aside)  # and it is in one place
        assert len(counting) >= 2 * len(aside) > 0
        assert kept == counted  # nor of its count
    assert len(confirmed) >= 3 * KILLS
    with closing(Store(db)) as store:
        assert store.sweep() >= len(confirmed)
    with closing(sqlite3.connect(db)) as ledger:
        states = dict(ledger.execute("SELECT state, count(*) FROM battles GROUP BY state"))
        assert "generating" not in states
        assert states["voted"] == len(stored)
        assert ledger.execute(
            "SELECT count(*) FROM battles WHERE prompt = 'left open' AND state != 'void'"
        ).fetchone() == (0,)
