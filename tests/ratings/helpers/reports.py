"""Reports for the tests of the page: one with every part filled, and small ones with nothing but a board."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from ratings.analysis.attribution import attribute
from ratings.analysis.changes import compare_boards
from ratings.analysis.elo_shuffles import elo_over_shuffles
from ratings.analysis.fragility import fragility
from ratings.analysis.influence import influential_voters
from ratings.analysis.over_time import series
from ratings.analysis.position import fit_position
from ratings.analysis.style import fit_style
from ratings.board.leaderboard import Leaderboard, build
from ratings.fit.bradley_terry import fit
from ratings.fit.ties import choose_ties
from ratings.intervals.differences import Differences, differences
from ratings.intervals.sandwich import covariance
from ratings.outcomes import Outcome
from ratings.report.report import Report
from ratings.scale import POINTS_PER_NAT
from ratings.votes.collect import collect
from ratings.votes.counts import Counts, count
from ratings.votes.votes import Record, Votes, keep

NOW = datetime(2030, 3, 2, 9, 30, tzinfo=UTC)
MODELS = ("mia-base", "mia-dpo", "mia-rlhf", "mia-rlhf-int8", "mia-sft", "mia-sft-lora", "zoo-base", "zoo-sft")
POINTS = {
    "mia-base": -170.0,
    "mia-dpo": 95.0,
    "mia-rlhf": 150.0,
    "mia-rlhf-int8": 100.0,
    "mia-sft": 40.0,
    "mia-sft-lora": 15.0,
    "zoo-base": -210.0,
    "zoo-sft": -20.0,
}
PARENTS = {
    "mia-sft": "mia-base",
    "mia-sft-lora": "mia-base",
    "mia-dpo": "mia-sft",
    "mia-rlhf": "mia-sft",
    "mia-rlhf-int8": "mia-rlhf",
    "zoo-sft": "zoo-base",
}
STAGES = {
    "mia-base": "base",
    "zoo-base": "base",
    "mia-sft": "sft",
    "mia-sft-lora": "sft",
    "zoo-sft": "sft",
    "mia-dpo": "dpo",
    "mia-rlhf": "rlhf",
    "mia-rlhf-int8": "rlhf",
}
TAGS = {"mia-sft-lora": ("lora",), "mia-rlhf-int8": ("int8",)}
CATEGORIES = ("code", "language=English", "stories")


def simulated_votes(n: int = 4_000, seed: int = 7) -> tuple[Votes, np.ndarray]:
    """Return n votes with voters, times and categories, and the (n, 4) style differences beside them."""
    rng = np.random.default_rng(seed)
    strengths = np.array([POINTS[name] for name in MODELS]) / POINTS_PER_NAT
    a = rng.integers(0, len(MODELS), n)
    b = (a + rng.integers(1, len(MODELS), n)) % len(MODELS)
    style = np.clip(rng.normal(0, 0.3, (n, 4)) + 0.1 * (strengths[a] - strengths[b])[:, None], -1, 1)
    p = 1 / (1 + np.exp(-(strengths[a] - strengths[b] + style @ [0.9, 0.2, 0.3, -0.1] + 0.1)))
    first, second = rng.random((2, n)) < p
    outcome = np.where((first != second) & (rng.random(n) < 0.5), 2, np.where(first, 0, 1))
    outcome = np.where(rng.random(n) < 0.03 + 0.08 * (strengths[a] < -0.5), 3, outcome)
    votes = Votes(
        models=MODELS,
        a=a,
        b=b,
        outcome=outcome.astype(np.int8),
        read=n + 13,
        left_out={"self-battle": 4, "missing outcome": 9},
        simulated=250,
        voter=np.minimum(rng.geometric(0.02, n), 90),
        time=np.sort(rng.uniform(0, 45 * 86_400, n)) + 1_893_456_000,  # from 2030-01-01
        category=rng.integers(0, len(CATEGORIES) + 1, n),
        categories=(*((name,) for name in CATEGORIES), ()),
    )
    return votes, style


def ranked(counts: Counts) -> Leaderboard:
    return build(counts, "bradley-terry", now=NOW)


def full_report() -> Report:
    """Return a report with every field filled."""
    votes, style = simulated_votes()
    counts = count(votes)
    result = fit(counts)
    board = ranked(counts)
    assert votes.category is not None
    assert votes.voter is not None
    assert votes.time is not None
    by_category = {name: count(part_of(votes, votes.category == i)) for i, name in enumerate(CATEGORIES)}
    styled = fit_style(votes, style, position=True)
    before = build(count(part_of(votes, np.arange(votes.used) < 3_200)), "bradley-terry", now=NOW.replace(day=1))
    return Report(
        board=replace(board, groups=(ranked(duel("far-a", "far-b", 9, 5)),)),
        counts=counts,
        fit=result,
        pairwise=lambda: differences_of(board, counts),
        tie_choice=choose_ties(counts, np.random.default_rng(1)),
        categories={name: ranked(part) for name, part in by_category.items()},
        position=fit_position(counts),
        style=styled,
        styled_board=styled_board(board, styled.strengths),
        series=series(votes, votes.time, by="week"),
        attribution=attribute(MODELS, result.strengths, covariance(result), parents=PARENTS, stages=STAGES, tags=TAGS),
        elo_shuffles=elo_over_shuffles(votes, np.random.default_rng(2), 5),
        fragility=fragility(result),
        voters=influential_voters(result, votes, votes.voter, top=5),
        changes=compare_boards(before.to_json_dict(), board.to_json_dict()),
        notes=("--category poetry: no vote belongs to it",),
    )


def differences_of(board: Leaderboard, counts: Counts) -> Differences:
    """Return all differences of a board whose models are all rated, in its order."""
    result = fit(counts)
    order = [counts.models.index(row.model) for row in board.rows]
    joint = covariance(result)[np.ix_(order, order)]
    return differences(result.strengths[order], joint, 0.95, rng=np.random.default_rng(4), draws=2_000)


def part_of(votes: Votes, use: np.ndarray) -> Votes:
    return replace(keep(votes, use), read=int(use.sum()), left_out={}, simulated=0)


def styled_board(board: Leaderboard, strengths: np.ndarray) -> Leaderboard:
    """Return the board with these strengths in the place of its ratings, intervals as wide as before."""
    points = dict(zip(MODELS, 1000 + POINTS_PER_NAT * strengths, strict=True))
    rows = [
        replace(
            row,
            rating=float(points[row.model]),
            lower=row.lower - row.rating + float(points[row.model]),
            upper=row.upper - row.rating + float(points[row.model]),
        )
        for row in board.rows
    ]
    return replace(board, rows=tuple(sorted(rows, key=lambda row: -row.rating)))


def duel(first: str, second: str, won: int, lost: int, tied: int = 0) -> Counts:
    """Return the counts of votes between two models."""
    rows = [Outcome.A_WINS] * won + [Outcome.B_WINS] * lost + [Outcome.TIE] * tied
    return count(collect(Record(first, second, outcome) for outcome in rows))


def minimal_report(won: int = 30, lost: int = 5, names: tuple[str, str] = ("rlhf", "base")) -> Report:
    """Return a report of a board alone."""
    counts = duel(*names, won, lost)
    return Report(board=ranked(counts), counts=counts, fit=fit(counts))
