"""python -m benchmarks.ratings: what a cold leaderboard costs, from a SQLite ledger to ranked rows.

Every row of the table is a process of its own on the same simulated votes, timed by its CPU seconds
and peak memory from start to end, imports included; the best of three runs is shown. The limit is
the one GROUP BY alone, in a process that imports nothing but sqlite3.
"""

import argparse
import importlib.util
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from math import exp
from pathlib import Path

OUTCOMES = ("model_a", "model_b", "tie", "both_bad")
BATCH = 50_000

LIMIT = """
import sqlite3, sys
query = "SELECT model_a, model_b, outcome, source, count(*) FROM votes GROUP BY 1, 2, 3, 4"
print(len(sqlite3.connect(sys.argv[1]).execute(query).fetchall()), "groups")
"""

OURS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from ratings.counts import read_ledger
from ratings.leaderboard import build
board = build(read_ledger(Path(sys.argv[1])), "bradley-terry", now=datetime.now(UTC))
print(len(board.rows), "rows with sandwich intervals and marginal ranks")
"""

ELO = """
import sys
from pathlib import Path
from ratings.counts import read_ledger_votes
from ratings.elo import elo
print(len(elo(read_ledger_votes(Path(sys.argv[1])))), "online Elo ratings, every vote read")
"""

EVALICA = """
import sqlite3, sys
import evalica
winners = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y}
rows = sqlite3.connect(sys.argv[1]).execute("SELECT model_a, model_b, outcome FROM votes").fetchall()
said = [winners.get(row[2], evalica.Winner.Draw) for row in rows]
result = evalica.bradley_terry([row[0] for row in rows], [row[1] for row in rows], said)
print(len(result.scores), "strengths, no intervals")
"""


def main() -> int:
    """Simulate the votes, run each row and print the table."""
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="simulated-ledger-") as folder:
        path = Path(folder) / "simulated.db"
        simulate(path, options.votes, options.models)
        print(f"{options.votes:,} simulated votes, {options.models} models, {sys.version.split()[0]}")
        print(f"{'':28}{'CPU s':>8}{'peak MB':>9}")
        _print_row("limit: GROUP BY alone", LIMIT, path)
        _print_row("ratings: Bradley-Terry", OURS, path)
        _print_row("ratings: online Elo", ELO, path)
        if importlib.util.find_spec("evalica"):
            _print_row("evalica: Bradley-Terry", EVALICA, path)
        else:
            print(f"{'evalica: Bradley-Terry':28}{'not installed':>17}")
    return 0


def simulate(path: Path, votes: int, models: int) -> None:
    """Write a seeded ledger of simulated votes with the arena's columns and its covering index."""
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute(
            "CREATE TABLE votes (battle_id TEXT PRIMARY KEY, created TEXT, visitor TEXT, model_a TEXT, "
            "model_b TEXT, outcome TEXT, probability REAL, source TEXT)"
        )
        ledger.executemany("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _rows(votes, models))
        ledger.execute("CREATE INDEX votes_by_pair ON votes (model_a, model_b, outcome, source)")


def _rows(votes: int, models: int) -> Iterator[tuple[object, ...]]:
    rng = random.Random(20)
    strengths = [rng.gauss(0, 0.7) for _ in range(models)]
    weights = [1 / (1 + rank) ** 0.5 for rank in range(models)]  # some models meet more often
    for start in range(0, votes, BATCH):
        drawn = rng.choices(range(models), weights, k=2 * min(BATCH, votes - start))
        for i, (a, b) in enumerate(zip(drawn[::2], drawn[1::2], strict=True), start):
            if a == b:
                b = (b + 1) % models
            chance = 1 / (1 + exp(strengths[b] - strengths[a]))
            luck = rng.random()
            outcome = rng.choice(OUTCOMES[2:]) if luck < 0.23 else OUTCOMES[rng.random() > chance]
            row = (f"simulated-{i}", "2030-01-01", "simulated", f"model-{a:04d}", f"model-{b:04d}")
            yield (*row, outcome, None, "simulated")


def _print_row(name: str, code: str, path: Path) -> None:
    seconds, peak, said = min(_measure(code, path) for _ in range(3))
    print(f"{name:28}{seconds:8.3f}{peak:9.0f}  {said}")


def _measure(code: str, path: Path) -> tuple[float, float, str]:
    """Run the code in a process and return its CPU seconds, peak resident MB and output."""
    tail = "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", code + tail, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    said, peak = run.stdout.rsplit("\n", 2)[:2]
    # ru_maxrss is in KiB on Linux and in bytes on macOS.
    megabytes = int(peak) / (2**20 if sys.platform == "darwin" else 2**10)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, megabytes, said


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ratings", description=__doc__)
    parser.add_argument("--votes", type=int, default=100_000)
    parser.add_argument("--models", type=int, default=20)
    return parser


if __name__ == "__main__":
    sys.exit(main())
