"""The sandwich against resampled votes and a hand calculation, and widths that are never zero."""

import numpy as np
import pytest
from hypothesis import given

from ratings.errors import SettingsError
from ratings.fit.bradley_terry import fit
from ratings.fit.newton import pseudo_inverse
from ratings.fit.prior import Prior
from ratings.intervals.sandwich import centre_on, covariance, difference_variance, has_spread, intervals, variances
from ratings.scale import quantile, to_points
from ratings.votes.counts import Counts, count
from ratings.votes.votes import Votes
from tests.ratings.helpers.examples import FIVE, counts_of
from tests.ratings.helpers.strategies import VOTES


def test_two_models_have_the_spread_of_a_proportion() -> None:
    """With w wins, l losses and no tie the variance of the difference is 1/w + 1/l."""
    joint = covariance(fit(counts_of([[0, 30], [10, 0]])))
    assert difference_variance(joint)[0, 1] == pytest.approx(1 / 30 + 1 / 10)
    assert joint.sum() == pytest.approx(0, abs=1e-12)


def test_ties_narrow_the_difference_as_the_scores_say() -> None:
    """With p = 1/2 a decided vote has squared score 1/4, a tie 0, and each adds 1/4 to the Hessian."""
    joint = covariance(fit(counts_of([[0, 10], [10, 0]], ties=[[0, 20], [0, 0]])))
    assert difference_variance(joint)[0, 1] == pytest.approx((20 / 4) / (40 / 4) ** 2)


def test_sandwich_agrees_with_resampled_votes() -> None:
    rng = np.random.default_rng(7)
    votes = FIVE.outcomes.sum()
    resampled = []
    for _ in range(600):
        drawn = rng.multinomial(int(votes), FIVE.outcomes.ravel() / votes).reshape(FIVE.outcomes.shape)
        result = fit(Counts(FIVE.models, FIVE.pairs, drawn.astype(float), FIVE.read))
        resampled.append(result.strengths)
    sandwich = covariance(fit(FIVE))
    bootstrap = np.cov(np.array(resampled).T)
    # 600 draws know a standard deviation to about 3%.
    assert np.sqrt(np.diag(sandwich)) == pytest.approx(np.sqrt(np.diag(bootstrap)), rel=0.1)
    differences = np.sqrt(difference_variance(sandwich)), np.sqrt(difference_variance(bootstrap))
    assert differences[0] == pytest.approx(differences[1], rel=0.1, abs=1e-9)
    # The inverse Hessian alone takes a tie for a coin toss; the votes say it is far too wide.
    assert np.diag(pseudo_inverse(fit(FIVE).hessian)).mean() > 1.15 * np.diag(bootstrap).mean()


def test_pseudo_inverse_is_numpys() -> None:
    hessian = fit(FIVE).hessian
    assert pseudo_inverse(hessian) == pytest.approx(np.linalg.pinv(hessian), abs=1e-12)


@given(VOTES)
def test_variances_are_the_diagonal_of_the_covariance(votes: Votes) -> None:
    counts = count(votes)
    for result in (fit(counts), fit(counts, both_bad="loss-to-the-field"), fit(counts, prior=Prior(200.0))):
        assert variances(result) == pytest.approx(np.diag(covariance(result)), rel=1e-9, abs=1e-12)


@given(VOTES)
def test_no_model_that_is_shown_has_a_zero_width_interval(votes: Votes) -> None:
    result = fit(count(votes))
    shown = has_spread(result)
    assert shown.sum() != 1
    strengths, joint = centre_on(shown, result.strengths, covariance(result))
    lower, upper = intervals(strengths, np.diag(joint), 0.95)
    assert (upper - lower > 1e-3).all()


def test_all_ties_have_no_spread_to_show() -> None:
    result = fit(counts_of([[0, 0, 0]] * 3, ties=[[0, 9, 4], [0, 0, 5], [0, 0, 0]]))
    assert result.strengths == pytest.approx(0)
    assert not has_spread(result).any()


def test_model_tied_to_one_equal_alone_has_no_spread() -> None:
    result = fit(counts_of([[0, 5, 0], [3, 0, 0], [0, 0, 0]], ties=[[0, 0, 0], [0, 0, 1], [0, 0, 0]]))
    assert has_spread(result).tolist() == [True, True, False]


def test_centring_on_some_models_keeps_their_differences() -> None:
    result = fit(FIVE)
    kept = np.array([True, False, True, True, False])
    strengths, joint = centre_on(kept, result.strengths, covariance(result))
    inside = np.ix_(kept, kept)
    assert strengths.sum() == pytest.approx(0, abs=1e-12)
    assert np.diff(strengths) == pytest.approx(np.diff(result.strengths[kept]))
    assert difference_variance(joint) == pytest.approx(difference_variance(covariance(result))[inside])


def test_interval_widens_with_confidence_and_is_centred() -> None:
    assert quantile(0.95) == pytest.approx(1.959964, abs=1e-6)
    lower, upper = intervals(np.array([1.0]), np.array([4.0]), 0.95)
    assert (lower[0], upper[0]) == (pytest.approx(1 - 2 * 1.959964), pytest.approx(1 + 2 * 1.959964))
    for confidence in (0.0, 1.0, 95.0, float("nan")):
        with pytest.raises(SettingsError, match="confidence"):
            quantile(confidence)


def test_odds_of_ten_to_one_are_400_points_around_1000() -> None:
    assert to_points(np.array([0.0, np.log(10), -np.log(10)])) == pytest.approx([1000, 1400, 600])
