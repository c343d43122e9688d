"""Davidson's fit against his own data, an independent optimiser and simulated votes; when it does not exist."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ratings.fit import bradley_terry
from ratings.fit.davidson import (
    DavidsonFit,
    fit_davidson,
    outcome_chances,
)
from ratings.fit.existence import NO_REVERSAL, NO_TIES, RATED
from ratings.fit.newton import TOLERANCE, pseudo_inverse
from ratings.fit.prior import Prior
from ratings.intervals.sandwich import covariance, difference_variance, has_spread, joint_covariance
from ratings.votes.counts import Counts, count
from ratings.votes.votes import Votes
from tests.ratings.helpers.examples import counts_of, simulated
from tests.ratings.helpers.strategies import VOTES

# Davidson (1970), example 2: brands i and j of chocolate pudding, preferences for i, for j, and for none.
PUDDINGS = [
    (1, 2, 19, 22, 16),
    (1, 3, 16, 19, 12),
    (2, 3, 19, 19, 10),
    (1, 4, 18, 23, 13),
    (2, 4, 23, 19, 9),
    (3, 4, 19, 20, 15),
    (1, 5, 13, 19, 18),
    (2, 5, 16, 20, 12),
    (3, 5, 16, 15, 17),
    (4, 5, 17, 14, 16),
    (1, 6, 18, 21, 12),
    (2, 6, 22, 20, 12),
    (3, 6, 13, 18, 10),
    (4, 6, 14, 19, 18),
    (5, 6, 11, 21, 12),
]


def puddings() -> Counts:
    """Return the counts of Davidson's example."""
    outcomes = np.array([[*row[2:], 0] for row in PUDDINGS], dtype=float)
    return Counts(tuple("123456"), np.array([row[:2] for row in PUDDINGS]) - 1, outcomes, int(outcomes.sum()))


def test_davidsons_chocolate_puddings() -> None:
    """Published fit: worths 0.1388 ... 0.2024, nu 0.7468, and its model-based errors on the log scale."""
    result = fit_davidson(puddings())
    worths = np.exp(result.strengths) / np.exp(result.strengths).sum()
    assert worths == pytest.approx([0.1388, 0.1730, 0.1617, 0.1654, 0.1587, 0.2024], abs=6e-5)
    assert result.nu == pytest.approx(0.7468, abs=6e-5)
    model_based = pseudo_inverse(result.hessian, np.append(np.ones(6), 0))
    assert np.sqrt(model_based[-1, -1]) == pytest.approx(0.0825, abs=6e-5)
    errors = np.sqrt(difference_variance(model_based[:-1, :-1])[0, 1:])
    assert errors == pytest.approx([0.1872, 0.1935, 0.1882, 0.1927, 0.1924], abs=6e-5)


def test_two_models_are_fitted_by_hand() -> None:
    """With 8 wins, 2 losses and 6 ties: s_a - s_b = log(8 / 2) and nu = 6 / sqrt(8 * 2)."""
    result = fit_davidson(counts_of([[0, 8], [2, 0]], ties=[[0, 6], [0, 0]]))
    assert result.strengths[0] - result.strengths[1] == pytest.approx(np.log(4), abs=1e-12)
    assert result.nu == pytest.approx(1.5, abs=1e-12)
    # A multinomial's spread: 1 / 8 + 1 / 2 for the log of the odds, as if the ties were not there.
    assert difference_variance(covariance(result))[0, 1] == pytest.approx(1 / 8 + 1 / 2)
    assert joint_covariance(result)[2, 2] == pytest.approx(1 / 6 + (1 / 8 + 1 / 2) / 4)


def loss(result: DavidsonFit, both: NDArray[np.float64]) -> float:
    """Return minus the log-likelihood by the textbook formula in pi and nu."""
    pi, nu = np.exp(both[:-1]), np.exp(both[-1])
    geometric = nu * np.sqrt(np.outer(pi, pi))
    everything = pi[:, None] + pi[None, :] + geometric
    decided = result.data.wins * np.log(pi[:, None] / everything)
    return -float((decided + result.data.ties / 2 * np.log(geometric / everything)).sum())


@settings(max_examples=40)
@given(VOTES)
def test_newton_agrees_with_an_independent_optimiser(votes: Votes) -> None:
    from scipy.optimize import minimize

    result = fit_davidson(count(votes))
    assume(result.converged)
    here = np.append(result.strengths, result.log_nu)
    found = minimize(lambda both: loss(result, both) + both[:-1].sum() ** 2, 0 * here, method="BFGS")
    assert loss(result, here) <= found.fun + 1e-9
    assert here == pytest.approx(found.x, abs=2e-3)


@settings(max_examples=50)
@given(VOTES)
def test_fit_meets_its_tolerance_and_sums_to_zero(votes: Votes) -> None:
    result = fit_davidson(count(votes))
    assert result.max_gradient <= TOLERANCE * max(result.used, 1)
    assert abs(result.strengths.sum()) < 1e-9
    assert votes.read == result.used + sum(result.left_out.values())
    assert result.converged == (len(result.rated) > 0) == (RATED in result.status) == np.isfinite(result.log_nu)
    assert joint_covariance(result).shape == result.hessian.shape


def test_hessian_is_the_slope_of_the_gradient() -> None:
    result = fit_davidson(puddings())
    here, step = np.append(result.strengths, result.log_nu), 1e-3
    moves = step * np.eye(len(here))
    numeric = [
        [
            loss(result, here + a + b)
            - loss(result, here + a - b)
            - loss(result, here - a + b)
            + loss(result, here - a - b)
            for b in moves
        ]
        for a in moves
    ]
    assert result.hessian == pytest.approx(np.array(numeric) / (4 * step**2), abs=1e-3)


def test_strengths_and_nu_of_simulated_votes_are_recovered() -> None:
    strengths = np.linspace(1, -1, 8)
    result = fit_davidson(simulated(strengths, np.log(0.6), 280_000, np.random.default_rng(3)))
    errors = np.sqrt(np.diag(joint_covariance(result)))
    assert errors.max() < 0.02
    assert (np.abs(result.strengths - strengths) < 4 * errors[:-1]).all()
    assert abs(result.log_nu - np.log(0.6)) < 4 * errors[-1]


def test_sandwich_is_the_spread_of_repeated_votes() -> None:
    rng = np.random.default_rng(4)
    strengths = np.array([0.8, 0.1, -0.2, -0.7])
    fits = [fit_davidson(simulated(strengths, np.log(0.8), 3000, rng)) for _ in range(300)]
    spread = np.cov(np.array([np.append(result.strengths, result.log_nu) for result in fits]).T)
    average = np.mean([joint_covariance(result) for result in fits], axis=0)
    # 300 repetitions know a standard deviation to about 4%.
    assert np.sqrt(np.diag(average)) == pytest.approx(np.sqrt(np.diag(spread)), rel=0.12)


def test_sandwich_is_the_inverse_hessian_where_the_model_is_exact() -> None:
    """With counts equal to their expectation M is H, cross terms with nu included."""
    counts = simulated(np.array([0.9, 0.2, -1.1]), np.log(0.7), 300, np.random.default_rng(0))
    won, tied, _ = outcome_chances(np.array([0.9, 0.2, -1.1]), np.log(0.7))
    i, j = counts.pairs.T
    exact = 1000 * np.stack([won[i, j], won[j, i], tied[i, j], 0 * tied[i, j]], axis=1)
    result = fit_davidson(Counts(counts.models, counts.pairs, exact, 3000))
    model_based = pseudo_inverse(result.hessian, np.append(np.ones(3), 0))
    assert joint_covariance(result) == pytest.approx(model_based, abs=1e-12)


def test_half_win_and_davidson_order_the_models_alike_on_a_shrunken_scale() -> None:
    counts = simulated(np.linspace(1, -1, 6), np.log(1.0), 60_000, np.random.default_rng(5))
    half, davidson = bradley_terry.fit(counts), fit_davidson(counts)
    assert (np.argsort(half.strengths) == np.argsort(davidson.strengths)).all()
    assert 0.5 < np.ptp(half.strengths) / np.ptp(davidson.strengths) < 0.9


def test_davidson_without_ties_is_not_fitted_and_says_so() -> None:
    result = fit_davidson(counts_of([[0, 2], [1, 0]]))
    assert result.status == (NO_TIES, NO_TIES)
    assert (result.used, result.converged, result.left_out) == (0, False, {"battle with an unrated model": 3})


def test_win_and_tie_of_one_pair_have_no_maximum_although_fords_condition_holds() -> None:
    counts = counts_of([[0, 1], [0, 0]], ties=[[0, 1], [0, 0]])
    assert fit_davidson(counts).status == (NO_REVERSAL, NO_REVERSAL)
    assert bradley_terry.fit(counts).status == (RATED, RATED)
    assert fit_davidson(counts_of([[0, 0], [0, 0]], ties=[[0, 3], [0, 0]])).status == (NO_REVERSAL, NO_REVERSAL)


def test_cycle_with_more_wins_than_ties_has_a_maximum() -> None:
    """a beats b beats c, and c ties with a: two wins to one tie. With a second tie there is none."""
    cycle = fit_davidson(counts_of([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ties=[[0, 0, 1], [0, 0, 0], [0, 0, 0]]))
    assert cycle.converged
    even = counts_of(
        [[0, 1, 0, 0], [0, 0, 1, 0], [0] * 4, [0] * 4], ties=[[0, 0, 0, 1], [0] * 4, [0, 0, 0, 1], [0] * 4]
    )
    assert set(fit_davidson(even).status) == {NO_REVERSAL}


@settings(max_examples=50)
@given(VOTES)
def test_existence_is_what_linear_programming_says(votes: Votes) -> None:
    """No maximum exactly where some direction, beyond a common shift, never loses likelihood."""
    from scipy.optimize import linprog

    counts = count(votes)
    half = bradley_terry.fit(counts)
    assume(len(half.rated) > 1)
    size, rows = len(half.rated), []
    for i in range(size):
        for j in range(size):
            utilities = np.zeros((3, size + 1))  # i wins, j wins, tie; as functions of the direction (d, e)
            utilities[0, i] = utilities[1, j] = utilities[2, -1] = 1
            utilities[2, i] = utilities[2, j] = 0.5
            if half.wins[i, j]:
                rows += [utilities[1] - utilities[0], utilities[2] - utilities[0]]
            if half.ties[i, j]:
                rows += [utilities[0] - utilities[2], utilities[1] - utilities[2]]
    fixed = np.eye(size + 1)[:1]  # the first strength stays, which takes the common shift away
    furthest = [
        linprog(
            sign * np.eye(size + 1)[axis],
            A_ub=np.array(rows),
            b_ub=np.zeros(len(rows)),
            A_eq=fixed,
            b_eq=[0],
            bounds=(-1, 1),
        ).fun
        for axis in range(size + 1)
        for sign in (1, -1)
    ]
    assert fit_davidson(counts).converged == (min(furthest) > -1e-9)


def test_prior_bounds_the_strengths_so_that_a_tie_and_a_win_suffice() -> None:
    result = fit_davidson(counts_of([[0, 1], [0, 0]], ties=[[0, 1], [0, 0]]), prior=Prior(200))
    assert result.converged
    assert 0 < result.strengths[0] < 1
    assert (np.diag(joint_covariance(result)) > 0).all()
    only_ties = fit_davidson(counts_of([[0, 0], [0, 0]], ties=[[0, 1], [0, 0]]), prior=Prior(200))
    assert set(only_ties.status) == {NO_REVERSAL}
    assert set(fit_davidson(counts_of([[0, 3], [0, 0]]), prior=Prior(200)).status) == {NO_TIES}


def test_model_tied_to_one_equal_alone_has_no_spread() -> None:
    result = fit_davidson(counts_of([[0, 5, 0], [5, 0, 0], [0, 0, 0]], ties=[[0, 2, 0], [0, 0, 1], [0, 0, 0]]))
    assert has_spread(result).tolist() == [True, True, False]


@settings(max_examples=50)
@given(VOTES)
def test_no_model_that_is_shown_has_a_zero_width_interval(votes: Votes) -> None:
    result = fit_davidson(count(votes))
    shown = has_spread(result)
    assert (np.diag(covariance(result))[shown] > 1e-6).all()


def test_chances_add_up_and_survive_extremes() -> None:
    won, tied, score = outcome_chances(np.array([400.0, 0.0, -400.0]), np.log(0.5))
    assert won + won.T + tied == pytest.approx(np.ones((3, 3)))
    assert score + score.T == pytest.approx(np.ones((3, 3)))
    assert won[2, 0] == pytest.approx(np.exp(-800.0 + 100) * np.exp(-100.0), rel=1e-9)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_given_a_decision_the_chance_is_bradley_terrys(ahead: float, log_nu: float) -> None:
    won, _, _ = outcome_chances(np.array([ahead, 0.0]), log_nu)
    assert won[0, 1] / (won[0, 1] + won[1, 0]) == pytest.approx(1 / (1 + np.exp(-ahead)))
