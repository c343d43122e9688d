"""The choice between treatments of ties, and what no treatment of ties or both-bad votes may depend on."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ratings.errors import NoVotesError, SettingsError
from ratings.fit.bradley_terry import BradleyTerryFit, fit, win_probability
from ratings.fit.davidson import DavidsonFit, outcome_chances
from ratings.fit.existence import ONLY_DROPPED_BOTH, ONLY_DROPPED_TIES, RATED
from ratings.fit.ties import choose_ties
from ratings.intervals.sandwich import joint_covariance
from ratings.outcomes import OUTCOMES, Outcome
from ratings.votes.collect import collect
from ratings.votes.counts import Counts, count
from ratings.votes.votes import Record, Votes
from tests.ratings.helpers.examples import counts_of, simulated
from tests.ratings.helpers.strategies import FEW, VOTES, WAYS, Way, rated

A, B, TIE, BAD = Outcome.A_WINS, Outcome.B_WINS, Outcome.TIE, Outcome.BOTH_BAD


def same(one: BradleyTerryFit | DavidsonFit, other: BradleyTerryFit | DavidsonFit) -> bool:
    """Return whether two fits have the same strengths, spread and tie parameter."""
    assert one.status == other.status
    assert other.strengths == pytest.approx(one.strengths, abs=1e-8)
    assert joint_covariance(other) == pytest.approx(joint_covariance(one), rel=1e-6, abs=1e-8)
    if isinstance(one, DavidsonFit) and isinstance(other, DavidsonFit):
        assert other.log_nu == pytest.approx(one.log_nu, abs=1e-8, nan_ok=True)
    return True


@FEW
@given(VOTES, WAYS, st.randoms(use_true_random=False))
def test_swapping_the_sides_with_the_outcome_changes_nothing(votes: Votes, way: Way, random: object) -> None:
    swap = np.array([random.random() < 0.5 for _ in range(votes.used)], dtype=bool)  # type: ignore[attr-defined]
    flipped = np.array([OUTCOMES[code].flip().code for code in votes.outcome])
    swapped = replace(
        votes,
        a=np.where(swap, votes.b, votes.a),
        b=np.where(swap, votes.a, votes.b),
        outcome=np.where(swap, flipped, votes.outcome).astype(np.int8),
    )
    assert same(rated(count(votes), way), rated(count(swapped), way))


@FEW
@given(VOTES, WAYS, st.permutations("vwxyz"))
def test_renaming_the_models_permutes_their_strengths(votes: Votes, way: Way, names: list[str]) -> None:
    new = dict(zip("abcde", names, strict=True))
    renamed = collect(
        Record(new[votes.models[a]], new[votes.models[b]], OUTCOMES[code])
        for a, b, code in zip(votes.a, votes.b, votes.outcome, strict=True)
    )
    before, after = rated(count(votes), way), rated(count(renamed), way)
    assume(len(before.rated) > len(before.models) / 2)  # else the name decides between equal groups
    expected = {new[before.models[i]]: s for i, s in zip(before.rated, before.strengths, strict=True)}
    told = {after.models[i]: s for i, s in zip(after.rated, after.strengths, strict=True)}
    assert told == pytest.approx(expected, abs=1e-8)


@FEW
@given(VOTES, WAYS, st.randoms(use_true_random=False))
def test_order_of_the_votes_changes_nothing(votes: Votes, way: Way, random: object) -> None:
    order = list(range(votes.used))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = replace(votes, a=votes.a[order], b=votes.b[order], outcome=votes.outcome[order])
    assert same(rated(count(votes), way), rated(count(shuffled), way))


@FEW
@given(VOTES, WAYS)
def test_counts_split_over_rows_fit_like_their_sum(votes: Votes, way: Way) -> None:
    counts = count(votes)
    halves = replace(
        counts, pairs=np.repeat(counts.pairs, 2, axis=0), outcomes=np.repeat(counts.outcomes / 2, 2, axis=0)
    )
    assert same(rated(counts, way), rated(halves, way))


@FEW
@given(VOTES, WAYS)
def test_every_vote_enters_the_fit_or_is_left_out_under_a_reason(votes: Votes, way: Way) -> None:
    result = rated(count(votes), way)
    assert votes.read == result.used + sum(result.left_out.values())
    assert all(n > 0 for n in result.left_out.values())


@FEW
@given(VOTES, WAYS, st.floats(-40, 40))
def test_shares_do_not_change_when_all_strengths_are_shifted(votes: Votes, way: Way, shift: float) -> None:
    result = rated(count(votes), way)
    moved = replace(result, strengths=result.strengths + shift).expected().share
    assert moved == pytest.approx(result.expected().share, abs=1e-9)
    assert moved + moved.T == pytest.approx(np.ones_like(moved))


def test_dropped_ties_leave_the_fit_and_are_counted() -> None:
    counts = counts_of([[0, 3], [1, 0]], ties=[[0, 5], [0, 0]])
    result = fit(counts, ties="drop")
    assert result.strengths[0] - result.strengths[1] == pytest.approx(np.log(3))
    assert (result.used, result.left_out) == (4, {"tie, dropped": 5})


def test_both_bad_vote_counted_as_a_tie_shares_the_fate_of_the_ties(make_votes: Callable[..., Votes]) -> None:
    rows = [
        ("a", "b", A),
        ("a", "b", B),
        ("a", "b", BAD),
        ("a", "b", TIE),
        ("c", "a", TIE),
        ("d", "a", TIE),
        ("d", "b", BAD),
    ]
    result = fit(count(make_votes(rows)), ties="drop")
    assert result.status == (RATED, RATED, ONLY_DROPPED_TIES, ONLY_DROPPED_BOTH)
    assert result.left_out == {"tie, dropped": 3, "both bad, dropped": 2}


def test_bradley_terry_names_where_davidson_is_fitted() -> None:
    with pytest.raises(SettingsError, match=r"ratings\.fit\.davidson"):
        fit(counts_of([[0, 1], [1, 0]]), ties="davidson")
    with pytest.raises(SettingsError, match="'both'"):
        fit(counts_of([[0, 1], [1, 0]]), ties="both")  # type: ignore[arg-type]


def test_davidson_is_chosen_for_votes_that_follow_it() -> None:
    counts = simulated(np.linspace(3, -3, 6), np.log(0.8), 300_000, np.random.default_rng(1))
    choice = choose_ties(counts, np.random.default_rng(2))
    assert (choice.ties, choice.is_clear, choice.votes, choice.unavailable) == ("davidson", True, 300_000, ())
    assert [score.ties for score in choice.scores] == ["davidson", "half", "drop"]
    assert choice.scores[0].behind == choice.scores[0].behind_error == 0
    assert choice.scores[1].behind_error < choice.scores[1].standard_error


def test_davidsons_share_at_nu_two_is_bradley_terrys_on_half_the_scale() -> None:
    strengths = np.linspace(3, -3, 6)
    assert outcome_chances(strengths, np.log(2))[2] == pytest.approx(win_probability(strengths / 2))
    choice = choose_ties(simulated(strengths, np.log(2), 300_000, np.random.default_rng(1)), np.random.default_rng(2))
    assert {score.ties for score in choice.scores[:2]} == {"half", "davidson"}
    assert (choice.ties, choice.is_clear) == ("half", False)  # the plainer of two that predict alike


def test_half_is_chosen_for_votes_whose_shares_follow_bradley_terry() -> None:
    """Each vote is a tie with a chance of 0.4 min(p, 1 - p) / 0.5, which leaves the expected share at p."""
    size, strengths = 6, np.linspace(2, -2, 6)
    pairs = np.array([(i, j) for i in range(size) for j in range(i)])
    share = 1 / (1 + np.exp(strengths[pairs[:, 1]] - strengths[pairs[:, 0]]))
    tie = 0.8 * np.minimum(share, 1 - share)
    chances = np.stack([share - tie / 2, 1 - share - tie / 2, tie, 0 * tie], axis=1)
    outcomes = np.random.default_rng(3).multinomial(4000, chances).astype(float)
    choice = choose_ties(Counts(tuple("abcdef"), pairs, outcomes, 60_000), np.random.default_rng(4))
    assert (choice.ties, choice.is_clear) == ("half", True)


def test_losses_are_those_of_the_held_out_votes_one_by_one() -> None:
    """Two models and two folds, dealt again with the same seed and scored by hand."""
    counts = counts_of([[0, 40], [20, 0]], ties=[[0, 30], [0, 0]])
    choice = choose_ties(counts, np.random.default_rng(6), folds=2)
    dealt = np.random.default_rng(6).multinomial(counts.outcomes.astype(int), [0.5, 0.5])
    losses = []
    for part, rest in ((dealt[..., 0], dealt[..., 1]), (dealt[..., 1], dealt[..., 0])):
        won, lost, tied = rest[0, 0] + rest[1, 1], rest[0, 1] + rest[1, 0], rest[:, 2].sum()
        share = (won + tied / 2) / (won + lost + tied)  # half a win each; with two models it is the share itself
        losses += [-np.log(share)] * (part[0, 0] + part[1, 1])
        losses += [-np.log(1 - share)] * (part[0, 1] + part[1, 0])
        losses += [-(np.log(share) + np.log(1 - share)) / 2] * part[:, 2].sum()
    half = next(score for score in choice.scores if score.ties == "half")
    assert half.loss == pytest.approx(np.mean(losses), abs=1e-9)
    assert half.standard_error == pytest.approx(np.std(losses) / np.sqrt(len(losses)), abs=1e-9)
    assert choice.votes == len(losses) == 90


def test_choice_is_the_same_for_the_same_seed() -> None:
    counts = simulated(np.linspace(1, -1, 4), np.log(0.5), 600, np.random.default_rng(5))
    first, again, other = (choose_ties(counts, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_weights_alike_change_no_choice_and_uneven_ones_change_the_loss() -> None:
    counts = simulated(np.linspace(1, -1, 4), np.log(0.5), 6000, np.random.default_rng(5))
    alike = replace(counts, weights=3 * counts.outcomes, squared_weights=9 * counts.outcomes)
    plain, same_weights = (choose_ties(part, np.random.default_rng(1)) for part in (counts, alike))
    for one, other in zip(plain.scores, same_weights.scores, strict=True):
        assert (other.ties, other.loss, other.standard_error) == (
            one.ties,
            pytest.approx(one.loss),
            pytest.approx(one.standard_error),
        )
    by_pair = np.arange(1, len(counts.pairs) + 1)[:, None] * counts.outcomes
    uneven = replace(counts, weights=by_pair, squared_weights=by_pair**2 / np.maximum(counts.outcomes, 1))
    assert choose_ties(uneven, np.random.default_rng(1)).scores[0].loss != pytest.approx(plain.scores[0].loss, rel=1e-4)


def test_without_ties_half_is_kept_and_davidson_is_not_available() -> None:
    choice = choose_ties(counts_of([[0, 60, 50], [40, 0, 70], [20, 30, 0]]), np.random.default_rng(1))
    assert (choice.ties, choice.unavailable) == ("half", ("davidson",))
    assert [(score.ties, score.behind) for score in choice.scores] == [("half", 0.0), ("drop", 0.0)]
    assert not choice.is_clear


def test_choice_that_cannot_be_made_is_an_error() -> None:
    counts = counts_of([[0, 1], [1, 0]])
    with pytest.raises(NoVotesError, match="too few votes"):
        choose_ties(counts, np.random.default_rng(1))
    with pytest.raises(SettingsError, match="folds is 1"):
        choose_ties(counts, np.random.default_rng(1), folds=1)
    with pytest.raises(SettingsError, match="whole"):
        choose_ties(replace(counts, outcomes=counts.outcomes / 2), np.random.default_rng(1))
