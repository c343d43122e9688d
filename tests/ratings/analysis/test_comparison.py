"""Which of two models is better so far, and how many more votes would decide it."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratings.analysis.comparison import Comparison, compare, votes_to_go
from ratings.compare import describe
from ratings.errors import SettingsError
from ratings.fit.bradley_terry import fit
from ratings.intervals.confidence_sequence import effective_votes, multiplier
from ratings.intervals.sandwich import covariance, difference_variance
from ratings.outcomes import Outcome
from ratings.votes.collect import collect
from ratings.votes.counts import Counts, count
from ratings.votes.votes import Record
from tests.ratings.helpers.examples import counts_of

MakeLedger = Callable[..., Path]


def chain(ab: int, ba: int, bc: int, cb: int) -> Counts:
    """Return counts in which a meets b and b meets c, but a never meets c."""
    return counts_of([[0, ab, 0], [ba, 0, bc], [0, cb, 0]])


def test_clear_lead_is_told_from_both_sides() -> None:
    counts = counts_of([[0, 300], [100, 0]])
    told, reverse = compare(counts, "a", "b"), compare(counts, "b", "a")
    assert (told.answer, reverse.answer) == ("first", "second")
    assert told.estimate == pytest.approx(math.log(3))
    assert (reverse.lower, reverse.upper) == (pytest.approx(-told.upper), pytest.approx(-told.lower))
    assert (told.met, told.used, told.pair_votes, told.arena_votes) == (400, 400, 0, 0)
    assert "a is better" in describe(told, 0.95)


def test_lead_that_one_look_would_accept_is_still_undecided() -> None:
    told = compare(counts_of([[0, 235], [190, 0]]), "a", "b")
    assert told.estimate > 2 * told.error
    assert (told.answer, told.may_be_nothing) == ("undecided", False)
    assert told.lower < 0 < told.upper


def test_models_that_never_met_are_compared_by_those_between() -> None:
    told = compare(chain(300, 150, 300, 150), "a", "c")
    assert told.met == 0
    assert told.estimate == pytest.approx(2 * math.log(2))
    assert told.error == pytest.approx(math.sqrt(2 * (1 / 300 + 1 / 150)))
    assert told.answer == "first"


def is_decided(counts: Counts) -> bool:
    result = fit(counts)
    variance = float(difference_variance(covariance(result))[0, 1])
    reach = float(multiplier(effective_votes(np.array(variance)), confidence=0.95)) * math.sqrt(variance)
    return abs(result.strengths[0] - result.strengths[1]) > reach


def with_more(counts: Counts, shares: list[list[float]], more: float) -> Counts:
    """Return the counts after more wins in these shares of the whole."""
    added = np.array([[shares[i][j], 0, 0, 0] for i, j in counts.pairs])
    return Counts(counts.models, counts.pairs, counts.outcomes + more * added, counts.read)


def test_votes_to_go_between_the_two_are_those_after_which_a_refit_decides() -> None:
    counts = counts_of([[0, 60, 90], [45, 0, 85], [60, 65, 0]])
    told = compare(counts, "a", "b")
    assert told.pair_votes is not None
    assert told.pair_votes > 100
    p = 1 / (1 + math.exp(-told.estimate))  # more votes that fall as the estimate says leave it where it is
    shares = [[0, p, 0], [1 - p, 0, 0], [0, 0, 0]]
    assert not is_decided(with_more(counts, shares, 0.95 * told.pair_votes))
    assert is_decided(with_more(counts, shares, 1.05 * told.pair_votes))


def test_votes_to_go_of_the_arena_are_those_after_which_a_refit_decides() -> None:
    counts = counts_of([[0, 60, 90], [45, 0, 85], [60, 65, 0]])
    told = compare(counts, "a", "b")
    assert told.arena_votes is not None
    assert told.pair_votes is not None
    assert told.arena_votes > told.pair_votes
    total = counts.outcomes.sum()
    shares = [[0, 60 / total, 90 / total], [45 / total, 0, 85 / total], [60 / total, 65 / total, 0]]
    assert not is_decided(with_more(counts, shares, told.arena_votes - 3))
    assert is_decided(with_more(counts, shares, told.arena_votes + 3))


def test_equal_models_are_never_promised_a_decision() -> None:
    told = compare(counts_of([[0, 200], [200, 0]]), "a", "b")
    assert (told.answer, told.pair_votes, told.arena_votes) == ("undecided", None, None)
    assert "no number of votes will decide it" in describe(told, 0.95)


def test_estimate_within_its_error_says_that_there_may_be_nothing() -> None:
    told = compare(counts_of([[0, 205], [195, 0]]), "a", "b")
    assert told.pair_votes is not None
    assert told.fewest_votes is not None
    assert told.may_be_nothing
    assert told.fewest_votes < told.pair_votes / 3
    said = describe(told, 0.95)
    assert "there may be no difference" in said
    assert "about" in said


def test_first_votes_decide_nothing_however_clear_they_are() -> None:
    told = compare(counts_of([[0, 30], [1, 0]]), "a", "b")
    assert told.answer == "too early"
    assert "too early" in describe(told, 0.95)


@given(st.floats(1e-3, 10), st.floats(1, 1e6))
def test_votes_to_go_is_the_first_number_that_is_enough(difference: float, scale: float) -> None:
    def reach(x: float) -> float:
        return math.sqrt(scale / (1 + x))

    votes = votes_to_go(reach, difference)
    needed = scale / difference**2 - 1
    if votes is None:
        assert needed > 0.99e9
    else:
        assert votes == pytest.approx(max(needed, 0), rel=1e-5, abs=1.5)


def test_horizon_and_confidence_reach_the_interval() -> None:
    counts = counts_of([[0, 235], [190, 0]])

    def width(told: Comparison) -> float:
        return told.upper - told.lower

    usual = width(compare(counts, "a", "b"))
    assert width(compare(counts, "a", "b", confidence=0.8)) < usual
    assert width(compare(counts, "a", "b", horizon=100_000)) > usual
    assert width(compare(counts, "a", "b", horizon=425)) < usual


def test_ties_alone_are_no_ground_for_an_answer() -> None:
    with pytest.raises(SettingsError, match="nothing but ties"):
        compare(counts_of([[0, 0], [0, 0]], ties=[[0, 9], [0, 0]]), "a", "b")


def test_models_of_a_smaller_group_are_compared_by_its_own_votes() -> None:
    duel = [Record("a", "b", Outcome.A_WINS)] * 9 + [Record("b", "a", Outcome.A_WINS)] * 5
    more = [Record("x", "y", Outcome.A_WINS)] * 90 + [Record("y", "x", Outcome.A_WINS)] * 50
    assert compare(count(collect(duel + more)), "a", "b") == compare(count(collect(duel)), "a", "b")
    with pytest.raises(SettingsError, match="not connected"):
        compare(count(collect(duel + more)), "a", "x")
