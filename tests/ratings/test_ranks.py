"""Ranks that only differ where the votes can tell."""

import numpy as np

from ratings.intervals import quantile
from ratings.ranks import marginal_ranks


def test_models_that_cannot_be_told_apart_share_a_rank() -> None:
    strengths = np.array([1.0, 0.9, -1.9])
    assert marginal_ranks(strengths, np.eye(3) * 0.04, 0.95).tolist() == [1, 1, 3]


def test_rank_counts_the_models_that_are_surely_better() -> None:
    """0 and 2 are apart, 1 is within reach of both."""
    strengths = np.array([1.0, 0.0, -1.0])
    assert marginal_ranks(strengths, np.eye(3) * 0.18, 0.95).tolist() == [1, 1, 2]


def test_difference_just_beyond_its_interval_makes_a_rank() -> None:
    edge = quantile(0.95) * np.sqrt(2)
    for gap, ranks in ((edge + 1e-9, [2, 1]), (edge - 1e-9, [1, 1])):
        assert marginal_ranks(np.array([0.0, gap]), np.eye(2), 0.95).tolist() == ranks


def test_joint_covariance_separates_models_whose_own_intervals_overlap() -> None:
    joint = np.array([[1.0, 0.99], [0.99, 1.0]])  # their difference has variance 0.02
    assert marginal_ranks(np.array([0.5, 0.0]), joint, 0.95).tolist() == [1, 2]


def test_difference_without_spread_orders_nobody() -> None:
    joint = np.array([[1.0, 1.0], [1.0, 1.0]])
    assert marginal_ranks(np.array([1e-16, 0.0]), joint, 0.95).tolist() == [1, 1]
