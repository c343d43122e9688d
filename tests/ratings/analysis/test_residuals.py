"""Residuals of pairs: worked by hand, standard under the truth, and large where the truth is a cycle."""

from dataclasses import replace

import numpy as np
import pytest

from ratings.analysis.residuals import pairs_of, residuals
from ratings.fit.bradley_terry import fit, win_probability
from ratings.fit.davidson import fit_davidson, outcome_chances
from ratings.votes.counts import Counts
from tests.ratings.helpers.examples import counts_of
from tests.ratings.helpers.reports import ranked

CYCLE = counts_of([[0, 60, 30], [30, 0, 60], [60, 30, 0]])
TIED = counts_of([[0, 6, 9], [4, 0, 8], [2, 3, 0]], ties=[[0, 2, 1], [2, 0, 4], [1, 4, 0]])


def simulated(seed: int, size: int = 12, n: int = 60, ties: float = 0.3) -> Counts:
    """Return n votes on every pair from a Bradley-Terry world with strengths between -1 and 1, some tied."""
    rng = np.random.default_rng(seed)
    strengths = rng.uniform(-1, 1, size)
    first, second = np.triu_indices(size, 1)
    p = win_probability(strengths)[first, second]
    # A voter who looks twice and disagrees says tie, so the expected share stays p.
    once, twice = (rng.random((n, len(p))) < p for _ in range(2))
    tied = (once != twice) & (rng.random(once.shape) < ties)
    outcomes = np.stack([once & ~tied, ~once & ~tied, tied, np.zeros_like(tied)], axis=-1).sum(axis=0)
    names = tuple(f"m{k:02d}" for k in range(size))
    return Counts(names, np.stack([first, second], axis=1), outcomes.astype(float), int(outcomes.sum()))


def test_residuals_of_three_models_by_hand() -> None:
    result = fit(TIED)
    p = win_probability(result.strengths)
    pairs = [(0, 1), (0, 2), (1, 2)]
    share = {(i, j): result.wins[i, j] + result.ties[i, j] / 2 for i, j in pairs}
    votes = {(i, j): result.wins[i, j] + result.wins[j, i] + result.ties[i, j] for i, j in pairs}
    hessian, seen, expected = np.zeros((3, 3)), 0.0, 0.0
    for i, j in pairs:
        z = np.eye(3)[i] - np.eye(3)[j]
        hessian += votes[i, j] * p[i, j] * p[j, i] * np.outer(z, z)
        expected += votes[i, j] * p[i, j] * p[j, i]
        seen += result.wins[i, j] * p[j, i] ** 2 + result.wins[j, i] * p[i, j] ** 2
        seen += result.ties[i, j] * (0.5 - p[i, j]) ** 2
    found = residuals(result)
    for i, j in pairs:
        z = np.eye(3)[i] - np.eye(3)[j]
        variance = votes[i, j] * p[i, j] * p[j, i]
        leverage = variance * (z @ np.linalg.pinv(hessian) @ z)
        by_hand = (share[i, j] - votes[i, j] * p[i, j]) / np.sqrt(seen / expected * variance * (1 - leverage))
        assert found[i, j] == pytest.approx(by_hand, rel=1e-6)
        assert found[j, i] == pytest.approx(-by_hand, rel=1e-6)


def test_davidson_residuals_follow_the_tie_parameter_too() -> None:
    result = fit_davidson(TIED)
    won, tied, share = outcome_chances(result.strengths, result.log_nu)
    pairs, told = [(0, 1), (0, 2), (1, 2)], {}
    information, seen, expected = np.zeros((4, 4)), 0.0, 0.0
    for i, j in pairs:
        cast = np.array([result.data.wins[i, j], result.data.wins[j, i], result.data.ties[i, j]])
        chances = np.array([won[i, j], won[j, i], tied[i, j]])
        ahead = np.append(np.eye(3)[i] - np.eye(3)[j], 0.0)
        scores = np.outer([1, 0, 0.5], ahead) + np.outer([0, 0, 1], np.eye(4)[3])  # of a win, a loss and a tie
        centred = scores - chances @ scores
        gain = np.array([1, 0, 0.5]) - share[i, j]
        information += cast.sum() * (centred.T * chances) @ centred
        joint = cast.sum() * (centred.T * chances) @ gain
        seen += cast @ gain**2
        expected += cast.sum() * chances @ gain**2
        told[i, j] = (joint, cast.sum() * chances @ gain**2, cast @ gain)
    found, inverse = residuals(result), np.linalg.pinv(information)
    for i, j in pairs:
        joint, variance, beyond = told[i, j]
        by_hand = beyond / np.sqrt(seen / expected * (variance - joint @ inverse @ joint))
        assert found[i, j] == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("ties", [0.0, 0.8])
def test_residuals_are_standard_where_the_model_is_right(ties: float) -> None:
    upper = np.triu_indices(12, 1)
    drawn = np.concatenate([residuals(fit(simulated(seed, ties=ties)))[upper] for seed in range(12)])
    assert np.isfinite(drawn).all()
    assert drawn.mean() == pytest.approx(0, abs=0.12)
    assert drawn.std() == pytest.approx(1, abs=0.08)
    assert (np.abs(drawn) > 3).mean() < 0.012


def test_davidson_residuals_are_standard_where_davidson_is_right() -> None:
    rng = np.random.default_rng(5)
    size, n, drawn = 8, 80, []
    first, second = np.triu_indices(size, 1)
    for _ in range(20):
        strengths = rng.uniform(-1, 1, size)
        won, tied, _ = outcome_chances(strengths, np.log(0.9))
        chances = np.stack([won[first, second], won.T[first, second], tied[first, second]], axis=1)
        outcomes = np.column_stack([rng.multinomial(n, chances), np.zeros(len(first))])
        counts = Counts(tuple("abcdefgh"), np.stack([first, second], axis=1), outcomes, n * len(first))
        drawn.append(residuals(fit_davidson(counts))[first, second])
    assert np.std(drawn) == pytest.approx(1, abs=0.08)


def test_cycle_stands_out_in_every_pair() -> None:
    found = residuals(fit(CYCLE))
    assert fit(CYCLE).expected().share == pytest.approx(np.full((3, 3), 0.5))
    assert (found[[0, 1, 2], [1, 2, 0]] > 5).all()


def test_pair_that_alone_decides_has_no_residual() -> None:
    chain = counts_of([[0, 5, 0], [3, 0, 7], [0, 2, 0]])
    assert np.isnan(residuals(fit(chain))).all()
    assert np.isnan(residuals(fit_davidson(counts_of([[0, 5], [3, 0]], ties=[[0, 2], [2, 0]])))[0, 0])


def test_same_votes_with_equal_weights_have_the_same_residuals() -> None:
    weighted = replace(CYCLE, weights=CYCLE.outcomes * 7, squared_weights=CYCLE.outcomes * 49)
    assert residuals(fit(weighted)) == pytest.approx(residuals(fit(CYCLE)), nan_ok=True)


def test_pairs_stand_in_the_order_of_the_board_and_are_cut() -> None:
    counts = counts_of([[0, 2, 1], [5, 0, 3], [9, 4, 0]], ties=[[0, 2, 0], [2, 0, 0], [0, 0, 0]])
    board = ranked(counts)
    pairs = pairs_of(board, counts, fit(counts), 2)
    assert pairs.models == tuple(row.model for row in board.rows[:2]) == ("c", "b")
    assert pairs.observed[0, 1] == 4 / 7
    assert pairs.battles[0, 1] == pairs.battles[1, 0] == 7
    assert pairs.expected is not None
    assert pairs.expected[0, 1] + pairs.expected[1, 0] == pytest.approx(1)


def test_pairs_without_a_fit_count_as_the_board_does() -> None:
    counts = Counts(("a", "b"), np.array([[0, 1], [1, 0]]), np.array([[2.0, 0, 0, 4], [1, 0, 1, 0]]), 8)
    board = ranked(counts)
    seen = pairs_of(board, counts, None, 9)
    assert seen.expected is None
    assert seen.observed[seen.models.index("a"), seen.models.index("b")] == (2 + 0.5 * 5) / 8
    dropped = replace(board, settings=replace(board.settings, both_bad="drop"))
    seen = pairs_of(dropped, counts, None, 9)
    assert seen.observed[seen.models.index("a"), seen.models.index("b")] == 2.5 / 4
