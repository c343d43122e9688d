"""Summed scores against the definition, vote by vote."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratings.fit.bradley_terry import fit, win_probability
from ratings.fit.prior import Prior
from ratings.intervals.cluster_sums import cluster_sums
from ratings.votes.clusters import effective_number
from ratings.votes.counts import count
from ratings.votes.votes import Votes

NAMES = ("a", "b", "c", "d")


def drawn(seed: int, votes: int, voters: int) -> Votes:
    """Return votes on four models without structure."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 4, votes)
    b = (a + rng.integers(1, 4, votes)) % 4
    outcome = rng.integers(0, 4, votes).astype(np.int8)
    return Votes(NAMES, a, b, outcome, votes, voter=rng.integers(0, voters, votes))


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(5, 60), st.integers(1, 9))
def test_products_are_the_sum_over_voters_of_their_squared_scores(seed: int, number: int, voters: int) -> None:
    votes = drawn(seed, number, voters)
    assert votes.voter is not None
    result = fit(count(votes), prior=Prior(300))
    place = {int(model): k for k, model in enumerate(result.rated)}
    chance = win_probability(result.strengths)
    scores = np.zeros((voters, len(place)))
    for a, b, outcome, voter in zip(votes.a, votes.b, votes.outcome, votes.voter, strict=True):
        i, j = place[a], place[b]
        score = (1.0, 0.0, 0.5, 0.5)[outcome] - chance[i, j]
        scores[voter, i] += score
        scores[voter, j] -= score
    told = cluster_sums(votes, votes.voter, result, ties="half", both_bad="tie")
    np.testing.assert_allclose(told.products, scores.T @ scores, atol=1e-12)
    assert told.weight.sum() == number


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_names_of_voters_and_the_side_of_a_model_do_not_matter(seed: int) -> None:
    votes = drawn(seed, 80, 12)
    assert votes.voter is not None
    result = fit(count(votes), prior=Prior(300))
    told = cluster_sums(votes, votes.voter, result, ties="half", both_bad="tie").products
    renamed = np.random.default_rng(seed).permutation(50)[votes.voter]
    swapped = Votes(NAMES, votes.b, votes.a, np.array([1, 0, 2, 3], np.int8)[votes.outcome], votes.read)
    again = cluster_sums(swapped, renamed, result, ties="half", both_bad="tie").products
    np.testing.assert_allclose(again, told, atol=1e-12)


def test_what_voters_tell_about_a_difference_leaves_out_those_who_never_saw_it() -> None:
    """Twelve voters judge a and b, and a hundred others c and d, who are joined to them by one vote."""
    ab, cd = np.repeat(np.arange(12), 4), 12 + np.arange(100)
    a = np.concatenate([np.zeros(48, int), np.full(100, 2), [0, 2]])
    b = np.concatenate([np.ones(48, int), np.full(100, 3), [2, 0]])
    outcome = np.concatenate([np.tile([0, 1], 24), np.tile([0, 1], 50), [0, 0]]).astype(np.int8)
    voter = np.concatenate([ab, cd, [12, 13]])
    votes = Votes(NAMES, a, b, outcome, 150, voter=voter)
    result = fit(count(votes))
    contrast = np.linalg.pinv(result.hessian) @ np.array([1.0, -1, 0, 0])
    told = cluster_sums(votes, voter, result, ties="half", both_bad="tie", contrast=contrast)
    assert effective_number(told.information) == pytest.approx(12, abs=0.1)
    assert effective_number(told.weight) > 30
