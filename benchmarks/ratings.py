"""python -m benchmarks.ratings: what a leaderboard costs, beside its peers on the same votes.

Every row is a process of its own on the same simulated ledger. All rows are run in turn, several
times over, so that a busy machine slows them alike; medians are shown. "CPU s" is the process from
start to end, imports included; "inside" is the same without start and imports; "peak MB" is its
largest resident memory. "apart" is the largest difference of a strength to ours, in Elo points.

The ledger keeps its own counts, which is what a board is made from; the same from one GROUP BY over the
votes, as for a ledger without counts, has its own row. The limit of the latter is that GROUP BY alone,
in a process that imports nothing but sqlite3. A refresh happens inside a process that goes on running.
The peers run in an environment of their own (requirements-bench.txt); without it their rows say so.
"""

import argparse
import json
import multiprocessing
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from math import exp, log
from pathlib import Path
from typing import Any, NamedTuple

OUTCOMES = ("model_a", "model_b", "tie", "both_bad")
BATCH = 50_000
PEERS = ("evalica", "evalica-default", "evalica-counts", "arena-rank", "arenakit", "choix")
SLOW_ABOVE = 1_000_000
"""Votes above which the peers that need minutes are left out unless asked for."""

_TOLD = """
print(json.dumps({"seconds": time.process_time() - start, "what": what, "strengths": strengths}))
"""
_IMPORTS = "import json, sys, time\nfrom pathlib import Path\nstrengths, path = None, Path(sys.argv[1])\n"

LIMIT = """
import json, sqlite3, sys, time
start, strengths = time.process_time(), None
query = "SELECT category, model_a, model_b, outcome, source, count(*) FROM votes GROUP BY 1, 2, 3, 4, 5"
what = f"{sum(1 for _ in sqlite3.connect(sys.argv[1]).execute(query))} groups"
"""

COUNTS = """
from ratings.ledger.reader import read_ledger
start = time.process_time()
what = f"{read_ledger(path).used:,} votes to counts"
"""

BOARD = """
from datetime import UTC, datetime
from ratings.ledger.groups import read_groups
from ratings.ledger.access import open_ledger
from ratings.board.leaderboard import build
from ratings.votes.counts import count_groups
start = time.process_time()
with open_ledger(path) as ledger:
    counts = count_groups(read_groups(path, ledger, kept=KEPT))
board = build(counts, "bradley-terry", now=datetime.now(UTC))
strengths = {row.model: row.rating / (400 / 2.302585092994046) for row in board.rows if row.rating is not None}
what = "cold board: " + str(board.settings.get("interval", ""))
"""

BOTH = """
from datetime import UTC, datetime
from ratings.ledger.reader import read_ledger
from ratings.board.leaderboard import build
start = time.process_time()
counts = read_ledger(path)
for method in ("bradley-terry", "davidson"):
    build(counts, method, now=datetime.now(UTC))
what = "two boards: Bradley-Terry and Davidson, with sandwich intervals and simultaneous ranks"
"""

REPORT = """
from datetime import UTC, datetime
from ratings.report.build import make_report
from ratings.report.request import Request
from ratings.report.sources import read_ledger_source
start = time.process_time()
request = Request()
make_report(read_ledger_source(path, request.needs), request, now=datetime.now(UTC))
what = "what the command finds out unless asked for more: board, differences, position, fragility"
"""

REFRESH = """
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from ratings.fit.bradley_terry import fit
from ratings.intervals.sandwich import intervals, variances
from ratings.board.leaderboard import build
from ratings.ledger.live import LiveCounts
live = LiveCounts(path)
found = fit(live.refresh())
board = build(live.refresh(), "bradley-terry", now=datetime.now(UTC))
times = []
for turn in range(5):
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute(
            "INSERT INTO votes SELECT 'new-' || hex(randomblob(8)), created, visitor, model_a, model_b, outcome, "
            "probability, source, category FROM votes LIMIT 1000 OFFSET ?", (1000 * turn,))
    start, clock = time.process_time(), time.perf_counter()
    counts = live.refresh()
    counted = time.process_time()
    found = fit(counts, start=dict(zip([counts.models[k] for k in found.rated], found.strengths.tolist())))
    intervals(found.strengths, variances(found), 0.95)
    fitted, clock = time.process_time(), time.perf_counter() - clock
    board = build(counts, "bradley-terry", now=datetime.now(UTC), earlier=board)
    times.append((fitted - start, counted - start, time.process_time() - fitted + counted - start, clock))
seconds, counted, whole, clock = sorted(times)[len(times) // 2]
start = time.process_time() - seconds
what = f"points and intervals after 1,000 new votes, {1000 * clock:.0f} ms by the clock; {1000 * counted:.0f} ms "
what += "for the counts; "
what += f"a whole board with ranks {1000 * whole:.0f} ms"
"""

ELO = """
from ratings.ledger.reader import read_ledger_votes
from ratings.fit.elo import elo
start = time.process_time()
votes = read_ledger_votes(path, details=False)
read = time.process_time() - start
elo(votes)
what = f"every vote in its order; {time.process_time() - start - read:.2f} s of it after the reading"
"""


HELP = [sys.executable, "-m", "ratings.compute", "--help"]

STYLE = """
import numpy as np
from ratings.ledger.reader import read_ledger_votes
from ratings.analysis.style import fit_style
votes = read_ledger_votes(path, details=False)
differences = np.random.default_rng(1).normal(size=(votes.used, 4))
start = time.process_time()
fit_style(votes, differences)
what = "strengths held equal in 4 random features, votes in memory"
"""


class Measured(NamedTuple):
    """One run of one row."""

    cpu: float
    """Seconds, start and imports included."""
    peak: float
    """MB."""
    told: dict[str, Any]


def main() -> int:
    """Simulate the votes, run all rows in turn and print the table."""
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="simulated-ledger-") as folder:
        path = Path(folder) / "simulated.db"
        # A child's peak starts from what its parent holds, so this process imports and makes nothing large.
        maker = multiprocessing.get_context("spawn").Process(
            target=simulate, args=(path, options.votes, options.models)
        )
        maker.start()
        maker.join()
        print(
            f"{options.votes:,} simulated votes, {options.models} models, {sys.version.split()[0]}, {options.runs} runs"
        )
        ours = {
            "limit: GROUP BY alone": LIMIT,
            "ratings: counts": COUNTS,
            "ratings: board": f"KEPT = True\n{BOARD}",
            "ratings: board, GROUP BY": f"KEPT = False\n{BOARD}",
            "ratings: both boards": BOTH,
            "ratings: whole report": REPORT,
            "ratings: Elo": ELO,
            "ratings: style": STYLE,
        }
        commands = {name: [sys.executable, "-c", _script(code), str(path)] for name, code in ours.items()}
        if options.peers.exists():
            script = str(Path(__file__).with_name("peers.py"))
            for peer in options.only or _quick(options.votes):
                commands[f"peer: {peer}"] = [str(options.peers), script, peer, str(path)]
        else:
            print(f"no peers: {options.peers} does not exist; make bench installs them")
        runs: dict[str, list[Measured]] = {name: [] for name in commands}
        for _ in range(options.runs):
            for name, command in commands.items():
                runs[name].append(_measure(command))
        # Last, as it adds votes to the ledger.
        refresh = [sys.executable, "-c", _script(REFRESH), str(path)]
        runs["ratings: refresh"] = [_measure(refresh) for _ in range(options.runs)]
        runs["start-up: --help"] = [_measure(HELP) for _ in range(options.runs)]
        _print(runs)
    return 0


def _quick(votes: int) -> tuple[str, ...]:
    return PEERS if votes <= SLOW_ABOVE else tuple(peer for peer in PEERS if peer != "arenakit")


def _script(code: str) -> str:
    return (code if code is LIMIT else _IMPORTS + code) + _TOLD


def simulate(path: Path, votes: int, models: int) -> None:
    """Write a seeded ledger of simulated votes as the arena does, and the covering index that a GROUP BY asks for."""
    from arena.ledger.store import Store

    Store(path).close()
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.executemany("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?, '')", _rows(votes, models))
        ledger.execute("CREATE INDEX votes_to_count ON votes (category, model_a, model_b, outcome, source)")


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
            yield (*row, outcome, 1 / (models * (models - 1) / 2), "simulated")


def _measure(command: list[str]) -> Measured:
    """Run a process that prints one line of JSON; return its CPU seconds, peak memory and what it told."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        # wait4 tells the peak of this one child, where getrusage tells the highest of all so far.
        _, status, use = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        lines, problems = (file.read().decode(errors="replace").splitlines() for file in (output, errors))
    cpu = use.ru_utime + use.ru_stime
    # ru_maxrss is in KiB on Linux and in bytes on macOS.
    peak = use.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    if process.returncode != 0:
        return Measured(cpu, peak, {"what": f"failed: {(problems or ['no message'])[-1][:90]}"})
    return Measured(cpu, peak, json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {"what": ""})


def _print(runs: dict[str, list[Measured]]) -> None:
    print(f"{'':26}{'CPU s':>8}{'inside':>8}{'peak MB':>9}{'apart':>10}")
    ours = runs["ratings: board"][0].told.get("strengths")
    for name, measured in runs.items():
        told = measured[-1].told
        cpu, peak = (statistics.median(getattr(run, field) for run in measured) for field in ("cpu", "peak"))
        inside = [run.told["seconds"] for run in measured if "seconds" in run.told]
        apart = _apart(ours, told.get("strengths")) if name.startswith("peer") else None
        print(
            f"{name:26}{cpu:8.3f}{f'{statistics.median(inside):.3f}' if inside else '-':>8}{peak:9.0f}"
            f"{'-' if apart is None else f'{apart:.1e}':>10}  {told['what']}"
        )


def _apart(ours: dict[str, float] | None, theirs: dict[str, float] | None) -> float | None:
    """Return the largest difference of two sets of strengths in Elo points, whatever each is centred on."""
    shared = sorted(ours.keys() & theirs.keys()) if ours and theirs else []
    if not ours or not theirs or not shared:
        return None
    gaps = [theirs[name] - ours[name] for name in shared]
    middle = statistics.fmean(gaps)
    return 400 / log(10) * max(abs(gap - middle) for gap in gaps)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ratings", description=__doc__)
    parser.add_argument("--votes", type=int, default=100_000)
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3, help="of every row (default %(default)s)")
    parser.add_argument(
        "--peers",
        type=Path,
        default=Path(".venv/peers/bin/python"),
        metavar="PYTHON",
        help="interpreter that has the peers installed (default %(default)s)",
    )
    parser.add_argument("--only", nargs="*", choices=PEERS, help="the peers to run; all but the slowest by default")
    return parser


if __name__ == "__main__":
    sys.exit(main())
