"""Weighted votes: repeated and rescaled weights, the target they aim at, and their sandwich."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ratings.errors import VotesError
from ratings.fit.bradley_terry import fit
from ratings.intervals.sandwich import joint_covariance, sandwich
from ratings.outcomes import BothBad
from ratings.votes.counts import Counts, count
from ratings.votes.votes import Votes
from tests.ratings.helpers.examples import simulated
from tests.ratings.helpers.strategies import FEW, VOTES, WAYS, Way, rated


def weighted(counts: Counts, per_vote: NDArray[np.float64] | float) -> Counts:
    """Return the counts with this weight for each vote of a cell."""
    weights = counts.outcomes * per_vote
    return replace(counts, weights=weights, squared_weights=weights * per_vote)


@FEW
@given(VOTES, WAYS, st.floats(0.01, 100))
def test_one_weight_for_all_votes_is_no_weight(votes: Votes, way: Way, weight: float) -> None:
    counts = count(votes)
    plain, same = rated(counts, way), rated(weighted(counts, weight), way)
    assert plain.status == same.status
    assert same.strengths == pytest.approx(plain.strengths, abs=1e-8)
    assert joint_covariance(same) == pytest.approx(joint_covariance(plain), rel=1e-6, abs=1e-8)
    assert (same.used, same.left_out) == (plain.used, plain.left_out)


@FEW
@given(VOTES, WAYS, st.integers(0, 2**32))
def test_scale_of_the_weights_changes_nothing_but_whole_weights_repeat_votes(votes: Votes, way: Way, seed: int) -> None:
    """A vote of weight n has the strengths of n votes, but its scores come together: the spread differs."""
    counts = count(votes)
    times = np.random.default_rng(seed).integers(1, 4, counts.outcomes.shape).astype(float)
    told, scaled = (rated(weighted(counts, scale * times), way) for scale in (1.0, 7.5))
    assert scaled.strengths == pytest.approx(told.strengths, abs=1e-8)
    assert joint_covariance(scaled) == pytest.approx(joint_covariance(told), rel=1e-6, abs=1e-8)
    if way[2] is None:  # a prior weighs against the number of votes, which differs
        repeated = rated(replace(counts, outcomes=counts.outcomes * times), way)
        assert told.strengths == pytest.approx(repeated.strengths, abs=1e-8)


@pytest.mark.parametrize("both_bad", ["tie", "loss-to-the-field"])
def test_sandwich_of_weighted_votes_agrees_with_resampled_ones(both_bad: BothBad) -> None:
    rng = np.random.default_rng(12)
    counts = simulated(np.array([0.5, 0.2, -0.7]), np.log(0.6), 1500, rng)
    counts = replace(counts, outcomes=counts.outcomes + np.array([0, 0, 0, 100]))
    per_vote = np.array([1.0, 4.0, 9.0])[:, None]
    votes = counts.outcomes.sum()
    resampled = []
    for _ in range(400):
        drawn = rng.multinomial(int(votes), counts.outcomes.ravel() / votes).reshape(counts.outcomes.shape)
        again = weighted(replace(counts, outcomes=drawn.astype(float)), per_vote)
        resampled.append(fit(again, both_bad=both_bad).strengths)
    result = fit(weighted(counts, per_vote), both_bad=both_bad)
    spread = np.sqrt(np.diag(sandwich(result.hessian, result.score_products())))
    # 400 draws know a standard deviation to about 4%; weights that entered M but once would be far off.
    assert spread == pytest.approx(np.std(resampled, axis=0), rel=0.12)


def test_weights_undo_an_uneven_choice_of_pairs() -> None:
    """Shares that follow no Bradley-Terry model, so the fit depends on how often each pair is drawn."""
    pairs = np.array([(0, 1), (1, 2), (2, 0)])
    share = np.array([0.8, 0.8, 0.6])
    cells = np.stack([share, 1 - share, 0 * share, 0 * share], axis=1)
    often = np.array([0.9, 0.05, 0.05])[:, None]
    even = Counts(tuple("abc"), pairs, cells * 10_000, 30_000)
    uneven = Counts(tuple("abc"), pairs, cells * often * 30_000, 30_000)
    target = fit(even).strengths
    assert np.abs(fit(uneven).strengths - target).max() > 0.05
    assert fit(weighted(uneven, 1 / often)).strengths == pytest.approx(target, abs=1e-9)


def test_weights_that_do_not_belong_to_the_counts_are_errors() -> None:
    counts = Counts(("a", "b"), np.array([(0, 1)]), np.array([[2.0, 1, 0, 0]]), 3)
    good = np.array([[4.0, 2, 0, 0]])
    with pytest.raises(VotesError, match="come together"):
        fit(replace(counts, weights=good))
    with pytest.raises(VotesError, match="shapes"):
        fit(replace(counts, weights=good[:, :3], squared_weights=good[:, :3]))
    for wrong in ([[0.0, 2, 0, 0]], [[-4.0, 2, 0, 0]], [[4.0, 2, 1, 0]], [[np.nan, 2, 0, 0]], [[np.inf, 2, 0, 0]]):
        with pytest.raises(VotesError, match="positive and finite"):
            fit(replace(counts, weights=np.array(wrong), squared_weights=good))
        with pytest.raises(VotesError, match="positive and finite"):
            fit(replace(counts, weights=good, squared_weights=np.array(wrong)))


def test_squared_scores_are_those_of_the_weighted_votes_one_by_one() -> None:
    """Two wins of weights 1 and 3, a loss of weight 2, and ties of weights 5 and 1; mean weight 12 / 5."""
    outcomes = np.array([[2.0, 1, 2, 0]])
    weights, squares = np.array([[4.0, 2, 6, 0]]), np.array([[10.0, 4, 26, 0]])
    result = fit(Counts(("a", "b"), np.array([(0, 1)]), outcomes, 5, {}, 0, weights, squares))
    chance = (4 + 6 / 2) / 12
    assert result.strengths[0] - result.strengths[1] == pytest.approx(np.log(chance / (1 - chance)))
    scores = 10 * (1 - chance) ** 2 + 4 * chance**2 + 26 * (0.5 - chance) ** 2
    assert result.score_products()[0] == pytest.approx(np.array([1, -1]) * scores / 2.4**2)
