"""The confidence sequence: its width, and that looking often does not break it."""

import numpy as np
import pytest
import scipy.stats

from ratings.errors import SettingsError
from ratings.intervals.confidence_sequence import HORIZON, WARM_UP, effective_votes, is_early, multiplier, sequence
from ratings.scale import quantile

VOTES = np.geomspace(WARM_UP, 1e6, 200)


def test_multiplier_is_the_formula_of_the_paper() -> None:
    """Written out at 500 votes for rho = 0.1: sqrt(2 * 6 / 5 * log(sqrt(6) / 0.05)), alpha = 0.05."""
    best = -2 * np.log(0.05) + np.log(-2 * np.log(0.05)) + 1
    got = multiplier(np.array(500.0), confidence=0.95, horizon=best / 0.1**2)
    assert got == pytest.approx(np.sqrt(2 * 6 / 5 * np.log(np.sqrt(6) / 0.05)))


@pytest.mark.parametrize("horizon", [200.0, HORIZON, 20_000.0])
def test_sequence_is_narrowest_near_its_horizon(horizon: float) -> None:
    """Narrowest in comparison: of all horizons, this one gives the least width at this number of votes."""
    widths = [float(multiplier(np.array(horizon), confidence=0.95, horizon=h * horizon)) for h in (0.5, 1.0, 2.0)]
    assert widths[1] == min(widths)
    assert widths[1] / quantile(0.95) == pytest.approx(1.55, abs=0.005)


def test_sequence_is_wider_than_one_look_and_narrows_with_votes() -> None:
    reach = multiplier(VOTES, confidence=0.95) / np.sqrt(VOTES)
    assert (np.diff(reach) < 0).all()
    assert (multiplier(VOTES, confidence=0.95) > 1.5 * quantile(0.95)).all()


def test_width_near_the_horizon_is_as_documented() -> None:
    near = np.linspace(HORIZON / 5, 18 * HORIZON, 100)
    assert (multiplier(near, confidence=0.95) < 1.705 * quantile(0.95)).all()
    at_horizon = multiplier(np.array(HORIZON), confidence=0.95) * np.sqrt(4 / HORIZON)
    assert at_horizon * 400 / np.log(10) == pytest.approx(33, abs=0.5)


def test_decided_vote_between_equals_is_one_effective_vote() -> None:
    """The log-odds of w wins and l losses has the variance 1/w + 1/l."""
    assert effective_votes(np.array(1 / 50 + 1 / 50)) == pytest.approx(100)


def test_bounds_lie_around_the_estimate_for_any_shape() -> None:
    estimates = np.array([[0.0, 1.0], [-1.0, 0.0]])
    lower, upper = sequence(estimates, np.full((2, 2), 0.01), confidence=0.9)
    assert (lower + upper) / 2 == pytest.approx(estimates)
    assert upper - lower == pytest.approx(np.full((2, 2), float(2 * 0.1 * multiplier(np.array(400.0), confidence=0.9))))


def test_sixty_looks_miss_no_more_often_than_one_look_may() -> None:
    """Log-odds of two models after each of 60 batches; of 2,000 arenas, how many are ever wrong?"""
    rng = np.random.default_rng(12)
    truth, batch, arenas = 0.4, 50, 2000
    wins = rng.binomial(batch, 1 / (1 + np.exp(-truth)), (arenas, 60)).cumsum(axis=1)
    losses = batch * np.arange(1, 61) - wins
    estimates, variance = np.log(wins / losses), 1 / wins + 1 / losses
    lower, upper = sequence(estimates, variance, confidence=0.95)
    ready = effective_votes(variance) >= WARM_UP
    missed = (((truth < lower) | (truth > upper)) & ready).any(axis=1).mean()
    assert 0.003 < missed <= 0.05
    one_look = quantile(0.95) * np.sqrt(variance)
    assert ((np.abs(estimates - truth) > one_look) & ready).any(axis=1).mean() > 0.2


def test_nonsense_is_refused() -> None:
    for confidence in (0.0, 1.0, 95.0):
        with pytest.raises(SettingsError, match="confidence"):
            multiplier(VOTES, confidence=confidence)
    for horizon in (0.0, -5.0, float("inf"), float("nan")):
        with pytest.raises(SettingsError, match="horizon"):
            multiplier(VOTES, confidence=0.95, horizon=horizon)


def test_low_confidence_still_has_a_width() -> None:
    assert np.isfinite(multiplier(VOTES, confidence=0.1)).all()


def test_few_voters_widen_the_sequence_and_many_leave_it() -> None:
    plain = multiplier(VOTES, confidence=0.95)
    few, many = (multiplier(VOTES, confidence=0.95, voters=voters) for voters in (12.0, 1e7))
    assert (few > 1.25 * plain).all()
    assert many == pytest.approx(plain, rel=1e-5)
    # The tail beyond each is the same, by Student's t and by the normal distribution.
    assert scipy.stats.t.sf(few, 11) == pytest.approx(scipy.stats.norm.sf(plain), rel=1e-6)


def test_sequence_is_early_below_its_votes_or_its_voters() -> None:
    variance = np.array([4 / 49, 4 / 51])
    assert is_early(variance).tolist() == [True, False]
    assert is_early(variance, 9.9).tolist() == [True, True]
    assert is_early(variance, 10.0).tolist() == [True, False]
