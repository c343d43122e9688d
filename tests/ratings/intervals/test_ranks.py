"""Ranks that only differ where the votes can tell."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ratings.errors import SettingsError
from ratings.intervals.ranks import _Draws, _largest, marginal_ranks, max_t_multiplier, simultaneous_ranks
from ratings.intervals.sandwich import difference_variance
from ratings.scale import quantile


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


def some_models(size: int, seed: int = 3) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return strengths and a covariance of uneven models that move together."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(size, size)) * 0.1 / np.sqrt(size)
    centre = np.eye(size) - 1 / size
    joint = centre @ (mixed @ mixed.T + np.diag(rng.uniform(0.003, 0.03, size))) @ centre
    return centre @ rng.normal(0, 0.4, size), joint


def stepdown_by_hand(
    strengths: NDArray[np.float64], joint: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], float]:
    """Return best and worst ranks and the last multiplier at 0.95, from all draws of all ordered pairs."""
    size = len(strengths)
    off = ~np.eye(size, dtype=bool)
    errors = np.sqrt(np.where(off, difference_variance(joint), 1.0))
    drawn = rng.multivariate_normal(np.zeros(size), joint, 20_000, method="eigh")
    draws = (drawn[:, :, None] - drawn[:, None, :]) / errors
    statistics = (strengths[:, None] - strengths[None, :]) / errors
    better = np.zeros((size, size), dtype=bool)
    while True:
        critical = float(np.quantile(np.where(off & ~better, draws, -9.0).max(axis=(1, 2)), 0.95))
        if ((statistics > critical) == better).all():
            return 1 + better.sum(axis=0), size - better.sum(axis=1), critical
        better = statistics > critical


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_simultaneous_ranks_are_the_step_down_over_ordered_pairs(seed: int) -> None:
    strengths, joint = some_models(8, seed)
    best, worst, critical = stepdown_by_hand(strengths, joint, np.random.default_rng(5))
    told = simultaneous_ranks(strengths, joint, 0.95, rng=np.random.default_rng(6), draws=20_000)
    assert told.multiplier == pytest.approx(critical, rel=0.012)  # both are known to about half of that
    assert told.best.tolist() == best.tolist()
    assert told.worst.tolist() == worst.tolist()


@pytest.mark.parametrize("share", [0.9, 0.5, 0.0])
def test_quantile_from_the_top_draws_is_that_of_all_draws_and_kept_pairs(share: float) -> None:
    """One order of each pair is always kept; of the others a share is."""
    rng = np.random.default_rng(9)
    _, joint = some_models(7)
    kept = rng.random((7, 7)) < share
    one_way = rng.random((7, 7)) < 0.5
    kept |= np.where(np.tri(7, dtype=bool), one_way, ~one_way.T)
    draws = _Draws(joint, rng, 3000)
    errors = np.sqrt(np.where(np.eye(7) > 0, 1.0, difference_variance(joint)))
    statistics = (draws._drawn[:, None] - draws._drawn[None, :]) / errors[:, :, None]
    expected = np.where((kept & ~np.eye(7, dtype=bool))[:, :, None], statistics, -9.0).max(axis=(0, 1))
    weights = (1 / errors).astype(np.float32)
    assert _largest(draws._drawn, weights, kept) == pytest.approx(np.maximum(expected, 0), rel=1e-4, abs=1e-4)
    for confidence in (0.99, 0.97, 0.95, 0.9, 0.8, 0.5):
        by_hand = np.sort(expected)[::-1][int((1 - confidence) * 3001) - 1]
        assert draws.quantile(confidence, kept) == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_draws_below_the_first_look_count_where_one_order_of_a_pair_is_left(seed: int) -> None:
    """Half of the draws have the wrong order, so the tail reaches twice as far down, or a little further."""
    draws = _Draws(np.eye(2), np.random.default_rng(seed), 2000)
    kept = np.array([[False, True], [False, False]])
    by_hand = np.sort((draws._drawn[0] - draws._drawn[1]) / np.sqrt(2))[::-1][int(0.05 * 2001) - 1]
    assert draws.quantile(0.95, kept) == pytest.approx(by_hand, rel=1e-4)


def test_step_down_lowers_the_multiplier_and_never_the_ranks() -> None:
    """Models far apart: half of the ordered pairs are settled, so the other half has less to guard against."""
    strengths, joint = np.arange(10.0), np.eye(10) * 0.02
    told = simultaneous_ranks(strengths, joint, 0.95, rng=np.random.default_rng(1))
    first = max_t_multiplier(joint, 0.95, rng=np.random.default_rng(1))
    assert told.steps > 1
    assert told.multiplier < first - 0.1
    by_hand = stepdown_by_hand(strengths, joint, np.random.default_rng(2))[2]
    assert told.multiplier == pytest.approx(by_hand, rel=0.015)
    assert told.best.tolist() == told.worst.tolist() == list(range(10, 0, -1))


def test_rank_intervals_of_equals_are_all_right_together_95_times_in_100() -> None:
    """All models are equal, so any order found is wrong. 600 boards know the share to about 0.009."""
    rng = np.random.default_rng(8)
    _, joint = some_models(6)
    estimates = rng.multivariate_normal(np.zeros(6), joint, 600, method="eigh")
    right = []
    for estimate in estimates:
        told = simultaneous_ranks(estimate, joint, 0.95, rng=rng, draws=1000)
        right.append((told.best == 1).all() and (told.worst == 6).all())
    assert 0.925 < np.mean(right) < 0.975
    marginal = [marginal_ranks(estimate, joint, 0.95).max() == 1 for estimate in estimates]
    assert np.mean(marginal) < 0.85


def test_multiplier_for_one_pair_is_the_quantile_and_for_many_below_bonferroni() -> None:
    rng = np.random.default_rng(2)
    assert max_t_multiplier(np.eye(2), 0.95, rng=rng, draws=50_000) == pytest.approx(1.96, abs=0.03)
    many = max_t_multiplier(np.eye(20), 0.95, rng=rng)
    assert 3.3 < many < quantile(1 - 0.05 / 190)


def test_same_seed_gives_the_same_rank_intervals() -> None:
    strengths, joint = some_models(30)
    first, again = (simultaneous_ranks(strengths, joint, 0.95, rng=np.random.default_rng(4)) for _ in range(2))
    assert first.multiplier == again.multiplier
    assert (first.best == again.best).all()


def test_relabelling_the_models_relabels_their_rank_intervals() -> None:
    strengths, joint = some_models(12)
    order = np.random.default_rng(0).permutation(12)
    told = simultaneous_ranks(strengths, joint, 0.95, rng=np.random.default_rng(4), draws=20_000)
    moved = simultaneous_ranks(
        strengths[order], joint[np.ix_(order, order)], 0.95, rng=np.random.default_rng(5), draws=20_000
    )
    assert moved.best.tolist() == told.best[order].tolist()
    assert moved.worst.tolist() == told.worst[order].tolist()


def test_models_without_spread_between_them_are_not_ordered_by_rounding() -> None:
    told = simultaneous_ranks(np.array([1e-16, 0.0]), np.ones((2, 2)), 0.95, rng=np.random.default_rng(0))
    assert (told.best.tolist(), told.worst.tolist()) == ([1, 1], [2, 2])


@pytest.mark.parametrize("size", [0, 1])
def test_nobody_or_one_model_has_nothing_to_order(size: int) -> None:
    told = simultaneous_ranks(np.zeros(size), np.zeros((size, size)), 0.95, rng=np.random.default_rng(0))
    assert told.best.tolist() == told.worst.tolist() == [1] * size


def test_draws_that_do_not_reach_the_tail_are_refused() -> None:
    with pytest.raises(SettingsError, match="10 draws"):
        simultaneous_ranks(np.zeros(2), np.eye(2), 0.95, rng=np.random.default_rng(0), draws=10)
    with pytest.raises(SettingsError, match="confidence"):
        simultaneous_ranks(np.zeros(2), np.eye(2), 95, rng=np.random.default_rng(0))
