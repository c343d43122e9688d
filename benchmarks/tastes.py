"""What voters with tastes of their own do to intervals and watched comparisons: a section of docs/coverage.md.

Every voter has a taste for each model, by which the difference of two models varies over voters with a standard
deviation of `taste` nats, and casts so many of the votes. One voter after the other casts all of them ("in blocks"), or
all voters take turns. The models are equals, so the truth is zero whatever the tastes. Three things are looked at:

    board      intervals of 20 models as a board has them by default, once, after all votes: the share that holds
    sequence   --interval sequence of 5 models at LOOKS looks: the share of models that no look misses
    compare    python -m ratings.compare of 2 models after every STEP votes, stopped at the first answer: the share of
               streams that never get one, which would be false

Where there are many looks there are fewer streams.

    python -m benchmarks.coverage --only tastes [--resume FILE]     writes this section alone into the page
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ratings.analysis.comparison import FIRST, SECOND, compare
from ratings.board.estimate import estimate
from ratings.board.settings import Settings
from ratings.choices import Cluster
from ratings.votes.counts import count
from ratings.votes.votes import Votes, keep

VOTES = 3_000
LOOKS = 60
STEP = 20
STREAMS = 300
"""Streams of a cell with many looks, however many repetitions the others have."""

HEADING = "## Voters with tastes of their own"

Method = Literal["board", "sequence", "compare"]
Order = Literal["in blocks", "in turns"]


@dataclass(frozen=True)
class TasteCell:
    """One line of the table."""

    method: Method
    taste: float
    each: int
    """Votes a voter casts."""
    order: Order = "in blocks"
    cluster: Cluster = "voter"
    """What votes are grouped by; "none" shows what goes wrong otherwise."""

    @property
    def is_target(self) -> bool:
        """Return whether the cell is to reach a goal."""
        return self.cluster == "voter"


@dataclass(frozen=True)
class TasteResult:
    """What was measured in a cell."""

    right: float
    """Share that is right, as the method says."""
    repetitions: int
    points: float | None
    """Average half-width at the end, in Elo points."""


_MANY = [(taste, each) for taste in (0.0, 0.5, 1.0) for each in (10, 30)]

TASTE_CELLS: tuple[TasteCell, ...] = (
    *(TasteCell("board", taste, each) for taste in (0.0, 0.5, 1.0) for each in (1, 10, 30)),
    TasteCell("board", 1.0, 10, cluster="none"),
    TasteCell("board", 1.0, 30, cluster="none"),
    *(TasteCell("sequence", taste, 1) for taste in (0.0, 0.5, 1.0)),
    *(TasteCell("sequence", *kind, order) for kind in _MANY for order in ("in blocks", "in turns")),
    TasteCell("sequence", 1.0, 30, cluster="none"),
    *(TasteCell("compare", *kind, "in blocks") for kind in _MANY),
    *(TasteCell("compare", *kind, "in turns") for kind in _MANY if kind[0] > 0),
    *(TasteCell("compare", *kind, "in blocks", "none") for kind in _MANY),
)


def draw(cell: TasteCell, models: int, rng: np.random.Generator) -> Votes:
    """Return VOTES votes of one stream, in the order they were cast."""
    voters = VOTES // cell.each
    voter = np.repeat(np.arange(voters), cell.each) if cell.order == "in blocks" else np.arange(VOTES) % voters
    tastes = cell.taste / np.sqrt(2) * rng.standard_normal((voters, models))
    a = rng.integers(0, models, VOTES)
    b = (a + rng.integers(1, models, VOTES)) % models
    wins = rng.random(VOTES) < 1 / (1 + np.exp(tastes[voter, b] - tastes[voter, a]))
    names = tuple(f"model {i:02d}" for i in range(models))
    return Votes(names, a, b, np.where(wins, 0, 1).astype(np.int8), VOTES, voter=voter)


Measured = tuple[float, float]
"""The share that is right, and the average half-width in Elo points."""


def measure_board(cell: TasteCell, rng: np.random.Generator) -> Measured:
    """Return the share of the intervals of a board that hold."""
    return _held(draw(cell, 20, rng), Settings(cluster=cell.cluster))[:2]


def measure_sequence(cell: TasteCell, rng: np.random.Generator) -> Measured:
    """Return the share of the models for which no look misses, and the width at the last look."""
    votes = draw(cell, 5, rng)
    right, points = np.ones(5, dtype=bool), np.nan
    for cast in np.linspace(0, VOTES, LOOKS + 1, dtype=int)[1:]:
        _, points, missed = _held(
            keep(votes, np.arange(VOTES) < cast), Settings(interval="sequence", cluster=cell.cluster)
        )
        right[missed] = False
    return float(right.mean()), points


def measure_compare(cell: TasteCell, rng: np.random.Generator) -> Measured:
    """Return 1.0 for a stream without a false answer, else 0.0, and half the width of the last interval."""
    votes = draw(cell, 2, rng)
    for cast in range(STEP, VOTES + 1, STEP):
        seen = keep(votes, np.arange(VOTES) < cast)
        if len(np.unique(seen.outcome + 2 * (seen.a < seen.b))) < 4:
            continue
        told = compare(count(seen), *votes.models, votes=seen, cluster=cell.cluster)
        if told.answer in (FIRST, SECOND):
            return 0.0, np.nan
    return 1.0, float(told.upper - told.lower) / 2 * 400 / np.log(10)


MEASURES: dict[Method, Callable[[TasteCell, np.random.Generator], Measured]] = {
    "board": measure_board,
    "sequence": measure_sequence,
    "compare": measure_compare,
}


def run_taste_cell(cell: TasteCell, repetitions: int, seed: int) -> TasteResult:
    """Return what a cell measures; the draws depend on the seed and the cell's votes, not on how they are grouped."""
    name = repr((cell.method, cell.taste, cell.each, cell.order))
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    streams = repetitions if cell.method == "board" else min(repetitions, STREAMS)
    measured = np.array([MEASURES[cell.method](cell, rng) for _ in range(streams)])
    points = measured[:, 1][np.isfinite(measured[:, 1])]
    return TasteResult(float(measured[:, 0].mean()), streams, float(points.mean()) if len(points) else None)


def taste_goal(cell: TasteCell) -> float:
    """Return the least share that is to be right."""
    return 0.93 if cell.method == "board" else 0.95


def taste_section(results: dict[TasteCell, TasteResult]) -> list[str]:
    """Return the section of docs/coverage.md."""
    assert __doc__ is not None
    start, end = __doc__.index("Every voter"), __doc__.index("\n\n    python -m")
    told = __doc__[start:end].replace("LOOKS", str(LOOKS)).replace("STEP", str(STEP))
    lines = [HEADING, "", "```", *told.splitlines(), "```", ""]
    lines += [
        "| method | taste | votes each | order | grouped by | right | width | streams | to reach | |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    return [*lines, *(_row(cell, results[cell]) for cell in TASTE_CELLS if cell in results), ""]


def _row(cell: TasteCell, result: TasteResult) -> str:
    goal = taste_goal(cell)
    verdict = "" if not cell.is_target else "met" if round(result.right, 3) >= goal else "missed"
    aim = f"at least {goal}" if cell.is_target else ""
    grouped = "voter" if cell.cluster == "voter" else "nothing"
    width = "" if result.points is None else f"{result.points:.1f}"
    return (
        f"| {cell.method} | {cell.taste:g} | {cell.each} | {cell.order if cell.each > 1 else ''} | {grouped} | "
        f"{result.right:.3f} | {width} | {result.repetitions} | {aim} | {verdict} |"
    )


def _held(votes: Votes, settings: Settings) -> tuple[float, float, NDArray[np.intp]]:
    """Return the share of the given intervals that hold zero, their average half-width, and which do not."""
    found = estimate(count(votes), settings, votes=votes)
    given = np.isfinite(found.lower)
    missed = given & ((found.lower > 0) | (found.upper < 0))
    half = (found.upper - found.lower)[given] / 2 * 400 / np.log(10)
    share = 1 - missed.sum() / max(given.sum(), 1)
    return float(share), float(half.mean()) if len(half) else np.nan, found.shown[missed]
