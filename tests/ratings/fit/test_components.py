"""Models that no chain of votes joins get boards of their own."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from ratings.fit.bradley_terry import fit
from ratings.fit.components import component_counts, counts_among
from ratings.fit.davidson import fit_davidson
from ratings.fit.existence import RATED
from ratings.outcomes import Outcome
from ratings.votes.counts import Counts, count
from ratings.votes.votes import Votes
from tests.ratings.helpers.strategies import VOTES

MakeVotes = Callable[..., Votes]
A, B, TIE, BAD = Outcome.A_WINS, Outcome.B_WINS, Outcome.TIE, Outcome.BOTH_BAD

THREE = [("a", "b", A), ("b", "c", A), ("c", "a", A), ("a", "b", A)]
TWO = [("x", "y", A), ("y", "x", A), ("x", "y", TIE), ("x", "y", A)]


def test_each_component_has_its_fit_and_the_largest_comes_first(make_votes: MakeVotes) -> None:
    bridge = [("x", "a", A), ("z", "x", B), ("p", "q", A)]
    counts = count(make_votes([*TWO, *THREE, *bridge]))
    large, small = component_counts(counts)
    assert (large.counts.models, small.counts.models) == (("a", "b", "c"), ("x", "y"))
    result = fit(small.counts)
    assert small.members.tolist() == [counts.models.index("x"), counts.models.index("y")]
    assert result.strengths == pytest.approx(fit(count(make_votes(TWO))).strengths, abs=1e-12)
    assert result.strengths.sum() == pytest.approx(0, abs=1e-12)
    assert (result.used, result.left_out) == (4, {})


def test_nobody_has_a_component_where_every_win_points_down(make_votes: MakeVotes) -> None:
    assert component_counts(count(make_votes([("a", "b", A), ("b", "c", A)]))) == ()


def test_component_can_be_fitted_by_davidson_or_without_ties(make_votes: MakeVotes) -> None:
    counts = count(make_votes([*TWO, *THREE]))
    by_davidson = component_counts(counts, ties="davidson")
    assert [fit_davidson(part.counts).converged for part in by_davidson] == [False, True]
    without = component_counts(counts, ties="drop")
    assert fit(without[1].counts, ties="drop").left_out == {"tie, dropped": 1}


@settings(max_examples=40)
@given(VOTES)
def test_first_component_is_what_the_whole_fit_rates(votes: Votes) -> None:
    counts = count(votes)
    whole, parts = fit(counts), component_counts(counts)
    fits = [fit(part.counts) for part in parts]
    assert (len(parts) > 0) == whole.converged
    if parts:
        assert parts[0].members.tolist() == whole.rated.tolist()
        assert fits[0].strengths == pytest.approx(whole.strengths, abs=1e-9)
        assert fits[0].used == whole.used
    assert all(set(result.status) == {RATED} for result in fits)
    assert [len(part.members) for part in parts] == sorted((len(part.members) for part in parts), reverse=True)
    members = np.concatenate([part.members for part in parts]) if parts else np.zeros(0)
    assert len(set(members.tolist())) == len(members)


def test_counts_among_some_models_keep_their_weights() -> None:
    outcomes = np.array([[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0.0]])
    counts = Counts(
        ("a", "b", "c"), np.array([(0, 1), (2, 1), (2, 0)]), outcomes, 6, {"tie": 1}, 2, 2 * outcomes, 4 * outcomes
    )
    part = counts_among(counts, np.array([1, 2]))
    assert (part.models, part.pairs.tolist(), part.read, part.left_out) == (("b", "c"), [[1, 0]], 2, {})
    assert part.weights is not None
    assert part.squared_weights is not None
    assert (part.weights.tolist(), part.squared_weights.tolist()) == ([[0, 4, 0, 0]], [[0, 8, 0, 0]])
