"""python -m benchmarks.files: from a file of votes to a board, beside evalica and DuckDB on the same files.

Files are made anew with the columns of LMArena's releases and simulated votes. Every row is a process of its own, from
start to end, imports included; all rows are run in turn, several times over, so that a busy machine slows them
alike, and medians are shown. Ours is the whole command with intervals and ranks, its votes grouped by voter; evalica's
is its point fit of what pandas reads; DuckDB's is one count of the votes by models and outcome, which is the limit.
The ratio is that of the wall times to evalica's. Parquet files that do not fit into memory are for ours alone.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

KINDS = ("parquet", "csv", "jsonl", "json")
COPIES = {"parquet": "", "csv": "(HEADER)", "jsonl": "(FORMAT json)", "json": "(FORMAT json, ARRAY true)"}

VOTES = """
SELECT md5(i::VARCHAR) AS question_id, a AS model_a, b AS model_b,
  CASE WHEN w < 0.2 THEN 'tie' WHEN w < 0.3 THEN 'tie (bothbad)'
       WHEN (w - 0.3) / 0.7 < 1 / (1 + exp((y - x) * 2.5 / {models})) THEN 'model_a' ELSE 'model_b' END AS winner,
  'arena_user_' || md5(j::VARCHAR) AS judge, 1 AS turn, true AS anony, 'English' AS language, 1.68e9 + i AS tstamp
FROM (SELECT i + {first} AS i, x, y, w, j,
    'model-' || lpad(x::VARCHAR, 4, '0') AS a, 'model-' || lpad(y::VARCHAR, 4, '0') AS b
  FROM (SELECT i, x, (x + 1 + floor(random() * ({models} - 1)))::BIGINT % {models} AS y, random() AS w,
      floor(random() * random() * {votes} / 5)::BIGINT AS j
    FROM (SELECT i, floor(random() * {models})::BIGINT AS x FROM range({votes}) t(i))))
"""
"""Simulated votes of voters of whom few cast many."""

EVALICA = """
import sys, evalica, pandas as pd
path, columns = sys.argv[1], ["model_a", "model_b", "winner"]
if path.endswith("parquet"): votes = pd.read_parquet(path, columns=columns)
elif path.endswith("csv"): votes = pd.read_csv(path, usecols=columns)
else: votes = pd.read_json(path, lines=path.endswith("jsonl"))
said = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y}
winners = [said.get(winner, evalica.Winner.Draw) for winner in votes.winner]
print(len(evalica.bradley_terry(votes.model_a, votes.model_b, winners).scores))
"""

LIMIT = """
import sys, duckdb
print(len(duckdb.sql(f"SELECT model_a, model_b, winner, count(*) FROM '{sys.argv[1]}' GROUP BY ALL").fetchall()))
"""


class Cost(NamedTuple):
    """What one process took."""

    wall: float
    cpu: float
    peak: float
    """MB."""


def measure(command: list[str]) -> Cost:
    """Run a command and return what it took; raise CalledProcessError where it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def make_file(path: Path, *, votes: int, models: int, first: int = 0) -> None:
    """Write simulated votes in the format that the file's ending names."""
    import duckdb

    query = VOTES.format(votes=votes, models=models, first=first)
    with duckdb.connect() as connection:
        connection.execute(f"SELECT setseed({(first + 1) % 1000 / 1000})")
        connection.execute(f"COPY ({query}) TO '{path}' {COPIES[path.suffix[1:]]}")


def rows(path: Path, peers: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the command of each process for one file."""
    yield "this project", [sys.executable, "-m", "ratings.compute", "--votes", str(path)]
    yield "evalica", [str(peers), "-c", EVALICA, str(path)]
    yield "DuckDB's count", [sys.executable, "-c", LIMIT, str(path)]


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--votes", type=int, default=1_000_000)
    asked.add_argument("--models", type=int, default=100)
    asked.add_argument("--repeats", type=int, default=5)
    asked.add_argument(
        "--huge", type=int, default=0, metavar="N", help="also N million votes in Parquet files of 5 million"
    )
    asked.add_argument("--peers", type=Path, default=Path(".venv/peers/bin/python"))
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            path = Path(folder, f"votes.{kind}")
            make_file(path, votes=options.votes, models=options.models)
            costs: dict[str, list[Cost]] = {}
            for _ in range(options.repeats):
                for name, command in rows(path, options.peers):
                    costs.setdefault(name, []).append(measure(command))
            limit = statistics.median(cost.wall for cost in costs["evalica"])
            for name, found in costs.items():
                wall, cpu, peak = (statistics.median(column) for column in zip(*found, strict=True))
                print(
                    f"{kind:8} {name:15} {wall:6.2f} s {cpu:6.2f} CPU s {peak:6.0f} MB {wall / limit:6.2f}", flush=True
                )
            path.unlink()
        if options.huge:
            for part in range(0, options.huge, 5):
                file = Path(folder, f"{part:04d}.parquet")
                make_file(file, votes=5_000_000, models=options.models, first=part * 10**6)
            cost = measure([sys.executable, "-m", "ratings.compute", "--votes", f"{folder}/*.parquet"])
            print(f"{options.huge}M votes  {cost.wall:6.2f} s {cost.cpu:6.2f} CPU s {cost.peak:6.0f} MB")


if __name__ == "__main__":
    main()
