"""Strengths against worked examples, an independent optimiser, and what must not change them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ratings.errors import NotConvergedError, SettingsError
from ratings.fit import newton
from ratings.fit.bradley_terry import BradleyTerryFit, fit
from ratings.fit.existence import RATED
from ratings.fit.newton import TOLERANCE
from ratings.outcomes import OUTCOMES, Outcome
from ratings.votes.collect import collect
from ratings.votes.counts import Counts, count
from ratings.votes.votes import Record, Votes
from tests.ratings.helpers.examples import counts_of
from tests.ratings.helpers.strategies import VOTES


def test_wikipedias_four_players() -> None:
    wins = [[0, 2, 0, 1], [3, 0, 5, 0], [0, 3, 0, 1], [4, 0, 3, 0]]
    result = fit(counts_of(wins))
    assert np.exp(result.strengths) == pytest.approx([0.640, 1.043, 0.660, 2.270], abs=5e-4)


def test_agrestis_baseball_teams() -> None:
    """American League 1987 (Agresti, Categorical Data Analysis, table 10.10); Baltimore is the last."""
    wins = [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ]
    strengths = fit(counts_of(wins)).strengths
    assert strengths - strengths[-1] == pytest.approx([1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0], abs=6e-3)


def test_two_models_are_apart_by_the_log_of_their_odds() -> None:
    result = fit(counts_of([[0, 3_000_000], [1, 0]]))
    assert result.strengths[0] - result.strengths[1] == pytest.approx(np.log(3_000_000), abs=1e-10)


def strengths_by_name(result: BradleyTerryFit) -> dict[str, float]:
    """Return the strength of each rated model."""
    return {result.models[i]: s for i, s in zip(result.rated, result.strengths, strict=True)}


@given(VOTES)
def test_newton_agrees_with_an_independent_optimiser(votes: Votes) -> None:
    from scipy.optimize import minimize
    from scipy.special import log_expit

    result = fit(count(votes))
    assume(len(result.rated) > 1)
    shares = result.wins + result.ties / 2

    def loss(s: NDArray[np.float64]) -> float:
        return float(-(shares * log_expit(s[:, None] - s[None, :])).sum() + s.sum() ** 2)

    found = minimize(loss, np.zeros(len(shares)), method="BFGS", options={"gtol": 1e-7})
    assert result.strengths == pytest.approx(found.x, abs=1e-4)
    assert loss(result.strengths) <= found.fun + 1e-12


@given(VOTES)
def test_fit_meets_its_tolerance_and_sums_to_zero(votes: Votes) -> None:
    result = fit(count(votes))
    assert result.max_gradient <= TOLERANCE * max(result.used, 1)
    assert abs(result.strengths.sum()) < 1e-9
    assert result.hessian.sum(axis=1) == pytest.approx(0, abs=1e-9)
    assert result.converged == (len(result.rated) > 0)


@given(VOTES, st.sampled_from(["tie", "drop"]))
def test_every_vote_enters_the_fit_or_is_left_out_under_a_reason(votes: Votes, both_bad: str) -> None:
    result = fit(count(votes), both_bad=both_bad)  # type: ignore[arg-type]
    assert votes.read == result.used + sum(result.left_out.values())
    assert all(n > 0 for n in result.left_out.values())


@given(VOTES, st.randoms(use_true_random=False))
def test_swapping_the_sides_with_the_outcome_changes_nothing(votes: Votes, random: object) -> None:
    swap = np.array([random.random() < 0.5 for _ in range(votes.used)], dtype=bool)  # type: ignore[attr-defined]
    flipped = np.array([OUTCOMES[code].flip().code for code in votes.outcome])
    swapped = Votes(
        votes.models,
        np.where(swap, votes.b, votes.a),
        np.where(swap, votes.a, votes.b),
        np.where(swap, flipped, votes.outcome).astype(np.int8),
        votes.read,
    )
    before, after = fit(count(votes)), fit(count(swapped))
    assert before.status == after.status
    assert before.strengths == pytest.approx(after.strengths, abs=1e-9)


@given(VOTES, st.permutations("vwxyz"))
def test_renaming_the_models_permutes_their_strengths(votes: Votes, names: list[str]) -> None:
    new = dict(zip("abcde", names, strict=True))
    renamed = collect(
        Record(new[votes.models[a]], new[votes.models[b]], OUTCOMES[code])
        for a, b, code in zip(votes.a, votes.b, votes.outcome, strict=True)
    )
    before, after = fit(count(votes)), fit(count(renamed))
    assume(len(before.rated) > len(before.models) / 2)  # else the name decides between equal groups
    expected = {new[name]: s for name, s in strengths_by_name(before).items()}
    assert strengths_by_name(after) == pytest.approx(expected, abs=1e-9)


@given(VOTES, st.integers(2, 5))
def test_every_vote_cast_n_times_keeps_the_strengths(votes: Votes, n: int) -> None:
    counts = count(votes)
    times = Counts(counts.models, counts.pairs, counts.outcomes * n, counts.read * n)
    assert fit(times).strengths == pytest.approx(fit(counts).strengths, abs=1e-9)


@given(VOTES)
def test_counts_split_over_rows_fit_like_their_sum(votes: Votes) -> None:
    counts = count(votes)
    halves = Counts(
        counts.models,
        np.repeat(counts.pairs, 2, axis=0),
        np.repeat(counts.outcomes / 2, 2, axis=0),
        counts.read,
    )
    assert fit(halves).strengths == pytest.approx(fit(counts).strengths, abs=1e-9)


@given(VOTES, st.integers(0, 2**32 - 1), st.sampled_from([1e-9, 1e-4, 0.3]))
def test_start_moves_no_digit_that_counts(votes: Votes, seed: int, far: float) -> None:
    """However close the start is: not even a first step that is nearly there may end too early."""
    for times in (1, 1_000_000):
        counts = count(votes)
        counts = replace(counts, outcomes=counts.outcomes * times)
        cold = fit(counts)
        moved = cold.strengths + far * np.random.default_rng(seed).normal(size=len(cold.strengths))
        names = [cold.models[model] for model in cold.rated]
        warm = fit(counts, start=dict(zip(names, moved.tolist(), strict=True)))
        assert warm.strengths == pytest.approx(cold.strengths, abs=1e-9)
        assert warm.max_gradient <= TOLERANCE * max(warm.used, 1)


def test_tie_counts_as_half_a_win_for_each() -> None:
    with_ties = fit(counts_of([[0, 2], [1, 0]], ties=[[0, 2], [0, 0]]))
    as_halves = fit(counts_of([[0, 3], [2, 0]]))
    assert with_ties.strengths == pytest.approx(as_halves.strengths, abs=1e-12)


def test_both_bad_counts_as_a_tie_or_is_dropped(make_votes: Callable[..., Votes]) -> None:
    rows = [("a", "b", Outcome.A_WINS)] * 3 + [("b", "a", Outcome.A_WINS), ("a", "b", Outcome.BOTH_BAD)]
    counts = count(make_votes(rows))
    assert np.exp(np.diff(fit(counts).strengths)) == pytest.approx([1.5 / 3.5])
    dropped = fit(counts, both_bad="drop")
    assert np.exp(np.diff(dropped.strengths)) == pytest.approx([1 / 3])
    assert (dropped.used, dropped.left_out) == (4, {"both bad, dropped": 1})
    with pytest.raises(SettingsError, match="'ignore'"):
        fit(counts, both_bad="ignore")  # type: ignore[arg-type]


def test_votes_on_an_unrated_model_do_not_enter_the_fit(make_votes: Callable[..., Votes]) -> None:
    core = [("a", "b", Outcome.A_WINS), ("b", "a", Outcome.A_WINS), ("b", "a", Outcome.A_WINS)]
    alone = fit(count(make_votes(core)))
    result = fit(count(make_votes([*core, *[("z", "a", Outcome.A_WINS)] * 5])))
    assert result.status == (RATED, RATED, "unbounded: never lost or tied")
    assert result.left_out == {"battle with an unrated model": 5}
    assert result.strengths == pytest.approx(alone.strengths)


def test_model_with_dropped_votes_alone_says_so(make_votes: Callable[..., Votes]) -> None:
    rows = [("a", "b", Outcome.TIE), ("a", "b", Outcome.A_WINS), ("c", "b", Outcome.BOTH_BAD)]
    assert fit(count(make_votes(rows)), both_bad="drop").status[2] == "no votes but both-bad ones, which are dropped"


def test_fit_that_runs_out_of_iterations_gives_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newton, "MAX_ITERATIONS", 1)
    with pytest.raises(NotConvergedError, match="stopped after 1 iterations"):
        fit(counts_of([[0, 9], [1, 0]]))


def test_lopsided_chain_converges() -> None:
    size = 8
    wins = [[10_000 if j == i + 1 else (1 if j == i - 1 else 0) for j in range(size)] for i in range(size)]
    assert np.diff(fit(counts_of(wins)).strengths) == pytest.approx(-np.log(10_000), abs=1e-8)


def test_import_brings_no_heavy_library(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, ratings.compute, ratings.export, ratings.report.html.page; "
        "print([m for m in ('pandas', 'plotly', 'scipy', 'torch', 'gradio') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
