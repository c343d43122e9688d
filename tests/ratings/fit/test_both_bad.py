"""Losses to the field: by hand, against finite differences and an optimiser, and in the sandwich."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ratings.fit.both_bad import centred, field_derivatives, field_score_products
from ratings.fit.bradley_terry import fit
from ratings.fit.davidson import fit_davidson
from ratings.fit.existence import NEVER_LOST, ONLY_FIELD, RATED
from ratings.intervals.sandwich import covariance, joint_covariance, sandwich
from ratings.outcomes import Outcome
from ratings.votes.counts import Counts, count
from ratings.votes.votes import Votes
from tests.ratings.helpers.strategies import VOTES

FIELD = "loss-to-the-field"
A, B, TIE, BAD = Outcome.A_WINS, Outcome.B_WINS, Outcome.TIE, Outcome.BOTH_BAD

LOSSES = st.lists(st.integers(0, 9), min_size=4, max_size=4).map(lambda row: np.array(row, dtype=float))
STRENGTHS = st.lists(st.floats(-3, 3), min_size=4, max_size=4).map(np.array)


def test_two_models_by_hand(make_votes: Callable[..., Votes]) -> None:
    """a : b is w : l, and a both-bad vote of the two adds log(1 - q)(1 - (1 - q)) with q = P(a beats the mean).

    With d = s_a - s_b the derivative is w - (w + l) P(d) - n (2 P(d / 2) - 1) / 2, zero at the fit.
    """
    rows = [("a", "b", A)] * 9 + [("a", "b", B)] * 3 + [("a", "b", BAD)] * 8
    apart = float(-np.diff(fit(count(make_votes(rows)), both_bad=FIELD).strengths)[0])
    chance = 1 / (1 + np.exp(-apart))
    over_mean = 1 / (1 + np.exp(-apart / 2))
    assert 9 - 12 * chance - 8 * (2 * over_mean - 1) / 2 == pytest.approx(0, abs=1e-9)
    assert 0 < apart < np.log(3)


def test_model_that_is_often_bad_falls(make_votes: Callable[..., Votes]) -> None:
    rows = [(i, j, A) for i, j in ("ab", "ba", "bc", "cb", "ca", "ac")] * 5
    bad = [("a", "b", BAD)] * 4 + [("a", "c", BAD)] * 4
    strengths = fit(count(make_votes([*rows, *bad])), both_bad=FIELD).strengths
    assert strengths[0] < strengths[1] == pytest.approx(strengths[2])
    assert fit(count(make_votes([*rows, *bad])), both_bad="tie").strengths == pytest.approx(0, abs=1e-9)


def log_likelihood(losses: NDArray[np.float64], strengths: NDArray[np.float64]) -> float:
    return -float(losses @ np.logaddexp(0, strengths - strengths.mean()))


@given(LOSSES, STRENGTHS)
def test_gradient_and_hessian_are_finite_differences(
    losses: NDArray[np.float64], strengths: NDArray[np.float64]
) -> None:
    gradient, hessian = field_derivatives(losses, strengths)
    step = 1e-5 * np.eye(4)
    up = [log_likelihood(losses, strengths + e) for e in step]
    down = [log_likelihood(losses, strengths - e) for e in step]
    assert gradient == pytest.approx((np.array(up) - down) / 2e-5, abs=1e-6)
    slopes = [
        (field_derivatives(losses, strengths - e)[0] - field_derivatives(losses, strengths + e)[0]) / 2e-5 for e in step
    ]
    assert hessian == pytest.approx(np.array(slopes), abs=1e-6)


@given(LOSSES, STRENGTHS, st.floats(-50, 50))
def test_shift_of_all_strengths_changes_nothing(
    losses: NDArray[np.float64], strengths: NDArray[np.float64], shift: float
) -> None:
    assert log_likelihood(losses, strengths + shift) == pytest.approx(log_likelihood(losses, strengths))
    assert field_derivatives(losses, strengths)[1].sum(axis=1) == pytest.approx(0, abs=1e-9)
    assert field_derivatives(losses, strengths)[0].sum() == pytest.approx(0, abs=1e-9)


def test_squared_scores_are_those_of_the_votes_one_by_one() -> None:
    strengths = np.array([0.7, -0.1, 0.3, -0.9])
    both_bad = np.array([[0, 3, 0, 1], [3, 0, 2, 0], [0, 2, 0, 5], [1, 0, 5, 0]], dtype=float)
    total = np.zeros((4, 4))
    for i in range(4):
        for j in range(i):
            one = np.zeros(4)
            one[[i, j]] = 1
            score = field_derivatives(one, strengths)[0]
            total += both_bad[i, j] * np.outer(score, score)
    assert field_score_products(both_bad, strengths) == pytest.approx(total, abs=1e-12)


def test_centred_takes_the_mean_out_of_rows_and_columns() -> None:
    matrix = np.array([[4.0, 1, 2], [1, 3, 0], [2, 0, 5]])
    centre = np.eye(3) - 1 / 3
    assert centred(matrix) == pytest.approx(centre @ matrix @ centre)


@settings(max_examples=40)
@given(VOTES)
def test_newton_agrees_with_an_independent_optimiser(votes: Votes) -> None:
    from scipy.optimize import minimize
    from scipy.special import log_expit

    result = fit(count(votes), both_bad=FIELD)
    assume(len(result.rated) > 1)
    shares, losses = result.wins + result.ties / 2, result.data.field.sum(axis=1)

    def loss(s: NDArray[np.float64]) -> float:
        pairs = (shares * log_expit(s[:, None] - s[None, :])).sum()
        return float(s.sum() ** 2 - pairs - losses @ log_expit(s.mean() - s))

    found = minimize(loss, np.zeros(len(shares)), method="BFGS", options={"gtol": 1e-7})
    assert result.strengths == pytest.approx(found.x, abs=1e-4)
    assert loss(result.strengths) <= found.fun + 1e-12


def test_sandwich_agrees_with_resampled_votes() -> None:
    rng = np.random.default_rng(11)
    pairs = np.array([(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)])
    outcomes = np.array([[60, 30, 20, 40], [50, 50, 30, 10], [70, 20, 10, 60], [30, 50, 10, 30], [40, 40, 40, 10.0]])
    votes = int(outcomes.sum())
    strengths, both = [], []
    for _ in range(300):
        drawn = rng.multinomial(votes, outcomes.ravel() / votes).reshape(outcomes.shape).astype(float)
        resampled = Counts(tuple("abcd"), pairs, drawn, votes)
        strengths.append(fit(resampled, both_bad=FIELD).strengths)
        davidson = fit_davidson(resampled, both_bad=FIELD)
        both.append(np.append(davidson.strengths, davidson.log_nu))
    counts = Counts(tuple("abcd"), pairs, outcomes, votes)
    result, davidson = fit(counts, both_bad=FIELD), fit_davidson(counts, both_bad=FIELD)
    # 300 draws know a standard deviation to about 4%; without the both-bad votes it is 15 to 20% off.
    spread = np.sqrt(np.diag(sandwich(result.hessian, result.score_products())))
    assert spread == pytest.approx(np.std(strengths, axis=0), rel=0.12)
    assert np.sqrt(np.diag(joint_covariance(davidson))) == pytest.approx(np.std(both, axis=0), rel=0.12)
    assert covariance(davidson).sum() == pytest.approx(0, abs=1e-12)


def test_tie_parameter_is_told_by_the_battles_only(make_votes: Callable[..., Votes]) -> None:
    """Both models lose alike, so nothing moves but, if losses were battles without a tie, nu would."""
    rows = [("a", "b", A), ("a", "b", B), ("a", "b", TIE), ("a", "b", TIE)]
    alone = fit_davidson(count(make_votes(rows)))
    with_bad = fit_davidson(count(make_votes([*rows, *[("a", "b", BAD)] * 9])), both_bad=FIELD)
    assert alone.nu == pytest.approx(2)
    assert with_bad.nu == pytest.approx(2)
    assert with_bad.used == 13


def test_both_bad_votes_rate_nobody_by_themselves(make_votes: Callable[..., Votes]) -> None:
    core = [("a", "b", A), ("b", "a", A)]
    result = fit(count(make_votes([*core, ("c", "a", BAD), ("d", "a", A), ("d", "b", BAD)])), both_bad=FIELD)
    assert result.status == (RATED, RATED, ONLY_FIELD, NEVER_LOST)
    assert result.left_out == {"battle with an unrated model": 3}
