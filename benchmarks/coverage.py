"""python -m benchmarks.coverage: how often the intervals hold what they promise, on simulated votes.

A cell is a method, a world and a number of votes. Each repetition draws votes of 20 models whose true
strengths are known, rates them, and looks whether the truth lies within. Models meet unevenly: the
rarest is shown about a fifth as often as the most common. The worlds are

    half-win   a tie takes as much from the one side's wins as from the other's, so that half a win for
               a tie is exactly right: P(tie) = p (1 - p) with p the expected score, 23% of votes
    davidson   ties as in Davidson's model, with nu = 0.65
    equals     as half-win, but the models are two groups of equals half a nat apart, where ranks are
               most easily wrong
    voters     as half-win, but each voter has tastes of his own (0.7 nats a model) and casts 40 votes on
               average, some ten times as many; the truth is the fit to the average over all voters

Finished cells are kept in the --resume file, one JSON line each, and not run again. The table goes to
docs/coverage.md, and behind it the section of tastes.py, which --only tastes writes anew by itself.
"""

import argparse
import json
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.tastes import HEADING, TASTE_CELLS, TasteCell, TasteResult, run_taste_cell, taste_section
from common.files import write_files
from ratings.fit.bradley_terry import BradleyTerryFit, fit
from ratings.fit.davidson import fit_davidson
from ratings.intervals.bootstrap import bootstrap
from ratings.intervals.clustered import clustered
from ratings.intervals.confidence_sequence import WARM_UP, effective_votes, sequence
from ratings.intervals.ranks import simultaneous_ranks
from ratings.intervals.sandwich import covariance, has_spread, intervals
from ratings.votes.counts import Counts
from ratings.votes.votes import Votes

MODELS = 20
LOOKS = 60
CONFIDENCE = 0.95
NU = 0.65
TASTE = 0.7
VOTES_A_VOTER = 40
NAMES = tuple(f"model {i:02d}" for i in range(MODELS))
PAIRS = np.array([(i, j) for i in range(MODELS) for j in range(MODELS) if i != j])

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """One line of the table."""

    method: str
    world: str
    votes: int
    is_target: bool = True
    """Whether the method is meant for this world; else the line shows what goes wrong."""


@dataclass(frozen=True)
class Result:
    """What was measured in a cell."""

    average: float
    """Coverage over models and repetitions; of "joint" the share of repetitions with all right."""
    rarest: float | None
    """Coverage of the tenth of the models that were shown least."""
    unrated: int
    """Intervals that were not given, over all repetitions."""
    points: float
    """Average half-width in Elo points, or width in ranks."""


CELLS: tuple[Cell, ...] = (
    *(Cell("sandwich", "half-win", n) for n in (2_000, 10_000, 50_000)),
    *(Cell("bootstrap", "half-win", n) for n in (2_000, 10_000)),
    *(Cell("davidson", "davidson", n) for n in (2_000, 10_000, 50_000)),
    *(Cell("clustered", "voters", n) for n in (2_000, 10_000)),
    *(Cell("joint ranks", "equals", n) for n in (2_000, 10_000, 50_000)),
    *(Cell("joint ranks", "half-win", n) for n in (2_000, 10_000, 50_000)),
    *(Cell("joint ranks, davidson", "davidson", n) for n in (2_000, 10_000)),
    *(Cell("sequence", "half-win", n) for n in (5_000, 20_000)),
    Cell("sandwich", "davidson", 50_000, is_target=False),
    Cell("davidson", "half-win", 50_000, is_target=False),
    Cell("sandwich", "voters", 10_000, is_target=False),
    Cell("sandwich at each look", "half-win", 20_000, is_target=False),
)


# Worlds


def strengths(world: str) -> Array:
    """Return the (MODELS,) true strengths in nats, the same in every repetition; not in the order of popularity."""
    if world == "equals":
        return np.where(np.arange(MODELS) % 2 == 0, 0.25, -0.25)
    drawn = np.random.default_rng(20).normal(0, 0.7, MODELS)
    return np.asarray(drawn - drawn.mean())


def pair_chances() -> Array:
    """Return the chance of each of PAIRS; model 0 is the most popular."""
    popularity = 1 / np.sqrt(1 + np.arange(MODELS))
    chances = popularity[PAIRS[:, 0]] * popularity[PAIRS[:, 1]]
    return np.asarray(chances / chances.sum())


def outcome_chances(world: str, ahead: Array) -> Array:
    """Return (n, 3) chances that A wins, B wins and neither, from (n,) nats that A is ahead."""
    p = 1 / (1 + np.exp(-ahead))
    if world == "davidson":
        ties = NU * np.exp(ahead / 2)
        total = np.exp(ahead) + 1 + ties
        return np.stack([np.exp(ahead) / total, 1 / total, ties / total], axis=1)
    ties = p * (1 - p)
    return np.stack([p - ties / 2, 1 - p - ties / 2, ties], axis=1)


def draw_counts(world: str, votes: int, rng: np.random.Generator) -> Array:
    """Return (len(PAIRS), 4) votes by outcome."""
    s = strengths(world)
    chances = pair_chances()[:, None] * outcome_chances(world, s[PAIRS[:, 0]] - s[PAIRS[:, 1]])
    drawn = np.zeros((len(PAIRS), 4))
    drawn[:, :3] = rng.multinomial(votes, (chances / chances.sum()).ravel()).reshape(-1, 3)
    return drawn


def draw_voters(votes: int, rng: np.random.Generator) -> tuple[Votes, NDArray[np.int64]]:
    """Return votes of the world "voters", and (n,) who cast each."""
    number = votes // VOTES_A_VOTER
    diligence = rng.lognormal(0, 1, number)
    voter = rng.choice(number, votes, p=diligence / diligence.sum())
    taste = strengths("voters") + TASTE * rng.standard_normal((number, MODELS))
    a, b = PAIRS[rng.choice(len(PAIRS), votes, p=pair_chances())].T
    chances = outcome_chances("half-win", taste[voter, a] - taste[voter, b])
    outcome = (rng.random(votes)[:, None] > chances.cumsum(axis=1)[:, :2]).sum(axis=1).astype(np.int8)
    return Votes(NAMES, a, b, outcome, votes), voter


def truth(world: str) -> Array:
    """Return the (MODELS,) strengths that intervals are to cover."""
    s = strengths(world)
    if world != "voters":
        return s
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    ahead = s[PAIRS[:, 0]] - s[PAIRS[:, 1]]
    spread = TASTE * np.sqrt(2)
    average = sum(
        w * outcome_chances("half-win", ahead + spread * x) for x, w in zip(nodes, weights / weights.sum(), strict=True)
    )
    return fit(counts_of(np.pad(1e6 * pair_chances()[:, None] * average, ((0, 0), (0, 1))))).strengths


def counts_of(outcomes: Array) -> Counts:
    """Return Counts of (len(PAIRS), 4) votes by outcome."""
    return Counts(NAMES, PAIRS, outcomes, round(outcomes.sum()))


# Methods: each measures one repetition and returns (MODELS,) whether right, NaN for no interval, and
# the average width. One number in place of (MODELS,) stands for all models together.

Measured = tuple[Array, float]


def full(rated: NDArray[np.int64], right: Array) -> Array:
    """Return (MODELS,) whether right, NaN where a model is not among the rated."""
    result = np.full(MODELS, np.nan)
    result[rated] = right
    return result


def covers(target: Array, rated: NDArray[np.int64], lower: Array, upper: Array) -> Measured:
    """Return whether the intervals of the rated models cover the truth, measured from the mean of the same models."""
    centred = target[rated] - target[rated].mean()
    return full(rated, (lower <= centred) & (centred <= upper)), float((upper - lower).mean() / 2)


def rate(cell: Cell, rng: np.random.Generator) -> tuple[NDArray[np.int64], Array, Array]:
    """Return rated models, strengths and covariance by the cell's model of ties."""
    if cell.world == "voters":
        votes, _ = draw_voters(cell.votes, rng)
        outcomes = np.zeros((MODELS, MODELS, 4))
        np.add.at(outcomes, (votes.a, votes.b, votes.outcome), 1.0)
        counts = counts_of(outcomes[PAIRS[:, 0], PAIRS[:, 1]])
    else:
        counts = counts_of(draw_counts(cell.world, cell.votes, rng))
    if cell.method.endswith("davidson"):
        told = fit_davidson(counts)
        return told.rated, told.strengths, covariance(told)
    result = fit(counts)
    return result.rated, result.strengths, covariance(result)


def measure_each(cell: Cell, target: Array, rng: np.random.Generator) -> Measured:
    """Measure the sandwich of Bradley-Terry or Davidson."""
    rated, s, joint = rate(cell, rng)
    return covers(target, rated, *intervals(s, np.diag(joint), CONFIDENCE))


def measure_bootstrap(cell: Cell, target: Array, rng: np.random.Generator) -> Measured:
    """Measure the percentile bootstrap with 400 replicates."""
    result = fit(counts_of(draw_counts(cell.world, cell.votes, rng)))
    return covers(target, result.rated, *bootstrap(result, rng=rng, replicates=400).intervals(CONFIDENCE))


def measure_clustered(cell: Cell, target: Array, rng: np.random.Generator) -> Measured:
    """Measure the covariance clustered by voter, with its t intervals."""
    told = clustered(*draw_voters(cell.votes, rng))
    variance = np.diag(told.widened(CONFIDENCE))
    return covers(target, told.fit.rated, *intervals(told.fit.strengths, variance, CONFIDENCE))


def measure_ranks(cell: Cell, target: Array, rng: np.random.Generator) -> Measured:
    """Measure whether all simultaneous rank intervals are right at once."""
    rated, s, joint = rate(cell, rng)
    ranks = simultaneous_ranks(s, joint, CONFIDENCE, rng=rng)
    ahead = target[rated] - target[rated][:, None]
    # Equals may have any rank among them, so the interval has to hold them all.
    right = ((ranks.best <= 1 + (ahead > 0).sum(axis=1)) & (ranks.worst >= len(rated) - (ahead < 0).sum(axis=1))).all()
    return np.array([float(right)]), float((ranks.worst - ranks.best + 1).mean())


def measure_looks(cell: Cell, target: Array, rng: np.random.Generator) -> Measured:
    """Measure whether no look of LOOKS misses, from the first with enough votes on a model."""
    outcomes = np.zeros((len(PAIRS), 4))
    right = np.full(MODELS, np.nan)
    width = np.nan
    for _ in range(LOOKS):
        outcomes += draw_counts(cell.world, cell.votes // LOOKS, rng)
        result = fit(counts_of(outcomes))
        ready, lower, upper = look(cell.method, result)
        now, width = covers(target, result.rated, lower, upper)
        seen = result.rated[ready]
        right[seen] = np.where(np.isnan(right[seen]), 1.0, right[seen]) * now[seen]
    return right, width


def look(method: str, result: BradleyTerryFit) -> tuple[NDArray[np.bool_], Array, Array]:
    """Return (R,) which rated models have enough votes, and the bounds of one look."""
    variance = np.diag(covariance(result))
    ready = has_spread(result)
    ready[ready] = effective_votes(variance[ready]) >= WARM_UP
    variance = np.where(ready, variance, 1.0)
    if method == "sequence":
        return ready, *sequence(result.strengths, variance, confidence=CONFIDENCE)
    return ready, *intervals(result.strengths, variance, CONFIDENCE)


METHODS: dict[str, Callable[[Cell, Array, np.random.Generator], Measured]] = {
    "sandwich": measure_each,
    "davidson": measure_each,
    "bootstrap": measure_bootstrap,
    "clustered": measure_clustered,
    "joint ranks": measure_ranks,
    "joint ranks, davidson": measure_ranks,
    "sequence": measure_looks,
    "sandwich at each look": measure_looks,
}


# The study


def run_cell(cell: Cell, repetitions: int, seed: int) -> Result:
    """Return what `repetitions` of a cell measure; the draws depend on the seed and the cell alone."""
    rng = np.random.default_rng([seed, zlib.crc32(repr((cell.method, cell.world, cell.votes)).encode())])
    target = truth(cell.world)
    measured = [METHODS[cell.method](cell, target, rng) for _ in range(repetitions)]
    right = np.array([m[0] for m in measured])
    width = float(np.nanmean([m[1] for m in measured]))
    is_joint = right.shape[1] == 1
    rarest = right[:, -max(1, MODELS // 10) :]
    return Result(
        average=float(np.nanmean(right)),
        rarest=None if is_joint else float(np.nanmean(rarest)),
        unrated=int(np.isnan(right).sum()),
        points=width if is_joint else width * 400 / np.log(10),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the cells that are not finished yet and write the table."""
    options = _parser().parse_args(argv)
    tastes = _run(TASTE_CELLS, options)
    if options.only == "tastes":
        text = with_section(options.out.read_text(encoding="utf-8"), tastes, options.repetitions, options.seed)
    else:
        text = table(_run(CELLS, options), options.repetitions, options.seed, datetime.now(UTC))
        text = with_section(text, tastes, options.repetitions, options.seed)
    for path in write_files(options.out.parent, {options.out.name: text}):
        print(f"wrote {path}")
    return 0


def with_section(page: str, tastes: dict[TasteCell, TasteResult], repetitions: int, seed: int) -> str:
    """Return the page with the section on tastes at its end, in the place of an earlier one."""
    before = page.partition(HEADING)[0].rstrip()
    by = f"By `python -m benchmarks.coverage --only tastes --repetitions {repetitions} --seed {seed}`."
    return "\n".join([before, "", *taste_section(tastes), by, ""])


AnyCell = TypeVar("AnyCell", Cell, TasteCell)


def _run(cells: Sequence[AnyCell], options: argparse.Namespace) -> dict[AnyCell, Any]:
    """Return the results of all cells, those of an earlier run included, and remember each that is finished."""
    from tqdm import tqdm

    finished = dict(_finished(options.resume, options.repetitions, options.seed)) if options.resume else {}
    found = {cell: finished[cell] for cell in cells if cell in finished}
    missing = [cell for cell in cells if cell not in found]
    with tqdm(total=len(cells), initial=len(found), unit="cell") as bar:
        for cell, result, seconds in _measured(missing, options):
            found[cell] = result
            if options.resume:
                line = {"cell": asdict(cell), "repetitions": options.repetitions, "seed": options.seed}
                _remember(options.resume, line | {"result": asdict(result), "seconds": round(seconds, 1)})
            bar.set_postfix_str(f"{cell}")
            bar.update()
    return found


def _measured(cells: list[AnyCell], options: argparse.Namespace) -> Iterator[tuple[AnyCell, Any, float]]:
    measure = partial(_timed, repetitions=options.repetitions, seed=options.seed)
    if options.processes == 1:
        yield from map(measure, cells)
        return
    with ProcessPoolExecutor(options.processes) as pool:
        yield from pool.map(measure, cells)


def _timed(cell: AnyCell, repetitions: int, seed: int) -> tuple[AnyCell, Any, float]:
    start = time.process_time()
    run = run_taste_cell if isinstance(cell, TasteCell) else run_cell
    result = run(cell, repetitions, seed)  # type: ignore[arg-type]
    return cell, result, time.process_time() - start


def _finished(path: Path, repetitions: int, seed: int) -> Iterator[tuple[Any, Any]]:
    """Yield the cells of an earlier run with the same settings; a line cut short by a crash is skipped."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            told = json.loads(line)
        except json.JSONDecodeError:
            continue
        if (told["repetitions"], told["seed"]) == (repetitions, seed):
            kinds = (TasteCell, TasteResult) if "taste" in told["cell"] else (Cell, Result)
            yield kinds[0](**told["cell"]), kinds[1](**told["result"])


def _remember(path: Path, line: dict[str, object]) -> None:
    with path.open("a+b") as file:
        file.seek(max(0, file.seek(0, 2) - 1))
        is_cut_short = file.read() not in (b"", b"\n")  # a crash left half a line
        file.write(b"\n" * is_cut_short + json.dumps(line).encode() + b"\n")


def goal(cell: Cell, result: Result) -> tuple[str, bool]:
    """Return what a cell is to reach, and whether it does."""
    if cell.method.startswith("joint") and cell.world == "equals":
        return "0.95 to 0.99", 0.95 <= round(result.average, 3) <= 0.99
    if cell.method == "sequence" or cell.method.startswith("joint"):
        return "at least 0.95", round(result.average, 3) >= 0.95
    rarest = result.rarest if result.rarest is not None else 1.0
    if cell.method == "clustered":
        return "at least 0.93", min(round(result.average, 3), round(rarest, 3)) >= 0.93
    is_met = 0.94 <= round(result.average, 3) <= 0.96 and round(rarest, 3) >= 0.93
    return "0.94 to 0.96, rarest 0.93", is_met


def table(results: dict[Cell, Result], repetitions: int, seed: int, now: datetime) -> str:
    """Return docs/coverage.md."""
    cells = [cell for cell in CELLS if cell in results]
    lines = [
        "# How often the intervals hold",
        "",
        f"Written by `python -m benchmarks.coverage --repetitions {repetitions} --seed {seed}` on {now:%Y-%m-%d}; "
        "do not edit.",
        f"All votes are simulated: {repetitions} repetitions a cell, {MODELS} models, confidence {CONFIDENCE}. "
        f"{_noise(repetitions)}",
        "",
        "- coverage: share of intervals that hold the truth, over all models and repetitions. Of joint ranks, the "
        "share of repetitions in which all are right at once; at looks, of models for which none of "
        f"{LOOKS} looks misses.",
        "- rarest: the same for the tenth of the models that are shown least.",
        "- width: average half-width in Elo points (at the last look), or the average number of ranks in an interval.",
        "- none: intervals that were not given because the votes did not allow one.",
        "",
    ]
    head = [
        "| method | world | votes | coverage | rarest | width | none | to reach | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += ["## Methods where they belong", "", *head]
    lines += [_row(cell, results[cell]) for cell in cells if cell.is_target]
    lines += ["", "## Methods where they do not belong", "", "What the choice of a method is for.", "", *head]
    lines += [_row(cell, results[cell]) for cell in cells if not cell.is_target]
    lines += ["", "## The worlds", "", *_worlds(), ""]
    return "\n".join(lines)


def _row(cell: Cell, result: Result) -> str:
    aim, is_met = goal(cell, result) if cell.is_target else ("", True)
    verdict = "" if not cell.is_target else "met" if is_met else "missed"
    rarest = "" if result.rarest is None else f"{result.rarest:.3f}"
    return (
        f"| {cell.method} | {cell.world} | {cell.votes:,} | {result.average:.3f} | {rarest} | {result.points:.1f} | "
        f"{result.unrated} | {aim} | {verdict} |"
    )


def _noise(repetitions: int) -> str:
    error = float(np.sqrt(CONFIDENCE * (1 - CONFIDENCE) / repetitions))
    return f"A share of repetitions is known to about {error:.3f}, an average over models more closely."


def _worlds() -> list[str]:
    assert __doc__ is not None
    start = __doc__.index("    half-win")
    return ["```", *__doc__[start : __doc__.index("\n\nFinished")].splitlines(), "```"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.coverage", description="Measure coverage by simulation."
    )
    parser.add_argument("--repetitions", type=int, default=1000, help="of each cell (default %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/coverage.md"), metavar="FILE", help="default %(default)s"
    )
    parser.add_argument("--only", choices=["tastes"], help="only the section on voters with tastes; the rest stays")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="keep finished cells here and skip them next time")
    parser.add_argument("--processes", type=int, default=1, help="cells at a time (default %(default)s)")
    parser.add_argument("--seed", type=int, default=20, help="default %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
