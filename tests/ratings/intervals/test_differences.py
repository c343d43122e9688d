"""Differences with intervals of their own, and anchors that widen nothing."""

import numpy as np
import pytest

from ratings.errors import SettingsError
from ratings.fit.bradley_terry import fit
from ratings.intervals.confidence_sequence import sequence
from ratings.intervals.differences import Differences, anchor, anchor_shift, differences, sequence_differences
from ratings.intervals.sandwich import covariance
from ratings.scale import quantile, to_points
from tests.ratings.helpers.examples import FIVE, counts_of


def all_of(confidence: float = 0.95) -> Differences:
    result = fit(FIVE)
    return differences(result.strengths, covariance(result), confidence, rng=np.random.default_rng(1))


def test_two_models_have_the_interval_of_their_log_odds() -> None:
    result = fit(counts_of([[0, 30], [10, 0]]))
    told = differences(result.strengths, covariance(result), 0.95, rng=np.random.default_rng(1))
    assert told.estimate[0, 1] == pytest.approx(np.log(3))
    assert told.error[0, 1] == pytest.approx(np.sqrt(1 / 30 + 1 / 10))
    assert told.upper[0, 1] - told.estimate[0, 1] == pytest.approx(1.959964 * told.error[0, 1])
    assert told.multiplier == pytest.approx(1.96, abs=0.08)  # one pair: all at once is that pair


def test_differences_are_the_same_from_both_sides() -> None:
    told = all_of()
    assert told.estimate == pytest.approx(-told.estimate.T)
    for lower, upper in ((told.lower, told.upper), (told.joint_lower, told.joint_upper)):
        assert lower == pytest.approx(-upper.T)
        assert (np.diag(lower) == 0).all()


def test_intervals_for_all_pairs_at_once_are_wider_by_one_factor() -> None:
    told = all_of()
    off = ~np.eye(5, dtype=bool)
    ratio = (told.joint_upper - told.joint_lower)[off] / (told.upper - told.lower)[off]
    assert ratio == pytest.approx(np.full(20, told.multiplier / quantile(0.95)))
    assert 2.5 < told.multiplier < quantile(1 - 0.05 / 10)


def test_joint_intervals_cover_all_true_differences_at_once() -> None:
    """600 boards drawn around known strengths; the share is known to about 0.009."""
    result = fit(FIVE)
    joint, rng = covariance(result), np.random.default_rng(3)
    truth = result.strengths[:, None] - result.strengths
    right, alone = [], []
    for drawn in rng.multivariate_normal(result.strengths, joint, 600, method="eigh"):
        told = differences(drawn, joint, 0.95, rng=rng, draws=1000)
        right.append(((told.joint_lower <= truth) & (truth <= told.joint_upper)).all())
        alone.append(((told.lower <= truth) & (truth <= told.upper)).all())
    assert 0.925 < np.mean(right) < 0.975
    assert np.mean(alone) < 0.85


def test_difference_without_spread_has_no_interval() -> None:
    told = differences(np.array([0.0, 0.0]), np.zeros((2, 2)), 0.95, rng=np.random.default_rng(1))
    assert np.isnan(told.error[0, 1])
    assert np.isnan(told.lower[0, 1])
    assert np.isnan(told.joint_upper[1, 0])


def test_anchored_model_reads_the_value_and_no_interval_changes_its_width() -> None:
    result = fit(FIVE)
    joint = covariance(result)
    told = anchor(FIVE.models, result.strengths, joint, "c", 1200, confidence=0.95)
    assert told.points[2] == pytest.approx(1200)
    assert told.points - to_points(result.strengths) == pytest.approx(np.full(5, told.shift))
    widths = 2 * 1.959964 * np.sqrt(np.diag(joint)) * 400 / np.log(10)
    assert told.upper - told.lower == pytest.approx(widths)
    assert told.upper - told.points == pytest.approx(widths / 2)
    assert (told.upper - told.lower)[2] > 1


def test_anchor_that_is_not_on_the_board_is_refused() -> None:
    for name, points, message in (("z", 1000, "'z' is not a rated model; choose one of a, b"), ("a", np.nan, "nan")):
        with pytest.raises(SettingsError, match=message):
            anchor_shift("ab", np.zeros(2), name, points)


def test_sequences_hold_for_all_pairs_by_bonferroni_and_wait_for_their_warm_up() -> None:
    strengths, joint = np.array([0.5, 0.0, -0.5]), np.diag([0.01, 0.02, 0.03])
    found = sequence_differences(strengths, joint, 0.9)
    alone, together = (sequence(np.array(0.5), np.array(0.03), confidence=level) for level in (0.9, 1 - 0.1 / 3))
    assert (found.lower[0, 1], found.upper[0, 1]) == pytest.approx(alone)
    assert (found.joint_lower[0, 1], found.joint_upper[0, 1]) == pytest.approx(together)
    np.testing.assert_array_equal(found.joint_lower, -found.joint_upper.T)
    # 4 / 0.03 votes' worth on the first pair, 4 / 0.09 and 4 / 0.1 on the others.
    early = sequence_differences(strengths, np.diag([0.01, 0.02, 0.08]), 0.9)
    assert np.isnan(early.lower[0]).tolist() == [False, False, True]
    assert np.isnan(early.joint_upper[1]).tolist() == [False, False, True]
