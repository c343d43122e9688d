"""Comparisons of votes that say who cast them: no answer too sure, whoever votes and however often one looks."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ratings.analysis.comparison import Comparison, compare
from ratings.choices import Cluster
from ratings.compare import describe
from ratings.errors import SettingsError
from ratings.votes.clusters import ClusterSizes
from ratings.votes.counts import count
from ratings.votes.votes import Votes, keep


def drawn(
    rng: np.random.Generator,
    voter: NDArray[np.int64],
    *,
    taste: float = 0.0,
    ahead: float = 0.0,
    models: int = 2,
) -> Votes:
    """Return a vote of each voter of `voter`; the first model is `ahead`, and tastes have this spread."""
    size = len(voter)
    tastes = taste / np.sqrt(2) * rng.standard_normal((int(voter.max()) + 1, models))
    tastes[:, 0] += ahead
    a = rng.integers(0, models, size)
    b = (a + rng.integers(1, models, size)) % models
    wins = rng.random(size) < 1 / (1 + np.exp(tastes[voter, b] - tastes[voter, a]))
    return Votes(tuple("abcde"[:models]), a, b, np.where(wins, 0, 1).astype(np.int8), size, voter=voter)


def ask(votes: Votes, cluster: Cluster = "voter") -> Comparison:
    return compare(count(votes), "a", "b", votes=votes, cluster=cluster)


def false_answers(
    rng: np.random.Generator, streams: int, voter: NDArray[np.int64], cluster: Cluster, **world: float
) -> int:
    """Return how many of these streams of equals are decided at one of 25 looks."""
    found = 0
    for _ in range(streams):
        votes = drawn(rng, voter, **world)  # type: ignore[arg-type]
        looks = np.linspace(0, len(voter), 26, dtype=int)[2:]
        found += any(is_decided(keep(votes, np.arange(len(voter)) < n), cluster) for n in looks)
    return found


def is_decided(votes: Votes, cluster: Cluster) -> bool:
    try:
        return ask(votes, cluster).answer in ("first", "second")
    except SettingsError:  # one has not won yet
        return False


@pytest.mark.parametrize("order", ["in blocks", "in turns"])
def test_tastes_decide_nothing_between_equals(order: str) -> None:
    voter = np.repeat(np.arange(40), 25) if order == "in blocks" else np.arange(1000) % 40
    assert false_answers(np.random.default_rng(1), 30, voter, "voter", taste=1.0) <= 3
    assert false_answers(np.random.default_rng(1), 30, voter, "none", taste=1.0) >= 6


@pytest.mark.parametrize("voters", [5, 12, 20])
def test_few_voters_with_many_votes_decide_nothing(voters: int) -> None:
    assert false_answers(np.random.default_rng(2), 20, np.repeat(np.arange(voters), 100), "voter", taste=2.0) <= 1


def test_lead_that_all_voters_see_is_found() -> None:
    votes = drawn(np.random.default_rng(3), np.repeat(np.arange(60), 10), taste=0.5, ahead=1.0, models=5)
    assert ask(votes).answer == "first"


def test_voters_who_vote_once_are_as_good_as_independent_votes() -> None:
    votes = drawn(np.random.default_rng(4), np.arange(600), models=3)
    grouped, plain = ask(votes), ask(votes, "none")
    assert grouped.lower == pytest.approx(plain.lower, abs=0.01)
    assert grouped.upper == pytest.approx(plain.upper, abs=0.01)
    assert grouped.upper - grouped.lower >= plain.upper - plain.lower


def test_sides_and_the_names_of_voters_change_nothing() -> None:
    votes = drawn(np.random.default_rng(5), np.arange(900) % 45, taste=1.0, models=3)
    assert votes.voter is not None
    swapped = Votes(votes.models, votes.b, votes.a, 1 - votes.outcome, votes.read, voter=200 - 2 * votes.voter)
    assert ask(swapped).lower == pytest.approx(ask(votes).lower, rel=1e-9)
    back = compare(count(votes), "b", "a", votes=votes)
    assert (back.lower, back.upper) == (pytest.approx(-ask(votes).upper), pytest.approx(-ask(votes).lower))


def test_votes_of_a_voter_who_contradicts_himself_are_no_surer_than_independent_ones() -> None:
    """Each of forty voters casts one vote for either, so their scores sum to nothing."""
    outcome = np.tile([0, 1], 80).astype(np.int8)
    zeros = np.zeros(160, dtype=np.int64)
    told = ask(Votes(("a", "b"), zeros, zeros + 1, outcome, 160, voter=np.arange(160) // 4))
    assert told.error == pytest.approx(math.sqrt(4 / 160))


def test_too_few_voters_get_no_interval_and_the_way_out() -> None:
    votes = drawn(np.random.default_rng(6), np.arange(500) % 5, ahead=1.0)
    told = ask(votes)
    assert (told.answer, told.lower, told.upper, told.pair_votes) == ("too early", -math.inf, math.inf, None)
    said = describe(told, 0.95)
    assert "no interval yet" in said
    assert "5 voters are too few to group by; it takes 10" in said
    assert "--cluster none" in said
    assert ask(votes, "none").answer == "first"
    unread = compare(count(votes), "a", "b", voters=ClusterSizes(5, 5.0, 0.2))
    assert (unread.answer, unread.lower) == ("too early", -math.inf)


def test_difference_that_few_of_many_voters_saw_is_too_early() -> None:
    rng = np.random.default_rng(7)
    rest = drawn(rng, np.repeat(np.arange(3, 60), 20), models=4)
    kept = keep(rest, (rest.a > 0) & (rest.b > 0))
    few = drawn(rng, np.repeat(np.arange(3), 100), ahead=1.0, models=4)
    few = keep(few, (few.a == 0) | (few.b == 0))
    both = (np.concatenate([getattr(kept, name), getattr(few, name)]) for name in ("a", "b", "outcome", "voter"))
    a, b, outcome, voter = both
    told = ask(Votes(tuple("abcd"), a, b, outcome, len(a), voter=voter))
    assert told.answer == "too early"
    assert told.voters is not None
    assert told.voters < 5


def test_votes_to_go_of_the_arena_fit_the_clustered_variance() -> None:
    """So many times the votes, by further voters like those so far, decide it, and a little fewer do not."""
    votes = drawn(np.random.default_rng(11), np.repeat(np.arange(40), 20), taste=1.0, ahead=0.25, models=3)
    told = ask(votes)
    assert told.answer == "undecided"
    assert told.arena_votes is not None
    assert told.arena_votes > 1.2 * (ask(votes, "none").arena_votes or 0)
    times = math.ceil(told.arena_votes / 800) + 1
    assert ask(repeated(votes, times)).answer == "first"
    assert ask(repeated(votes, max(times - 2, 1))).answer == "undecided"


def repeated(votes: Votes, times: int) -> Votes:
    """Return the votes of so many times as many voters, alike."""
    assert votes.voter is not None
    shift = np.repeat(np.arange(times), votes.used) * (int(votes.voter.max()) + 1)
    a, b, outcome, voter = (np.tile(column, times) for column in (votes.a, votes.b, votes.outcome, votes.voter))
    return Votes(votes.models, a, b, outcome, times * votes.used, voter=voter + shift)


def test_grouping_is_said() -> None:
    votes = drawn(np.random.default_rng(9), np.arange(400) % 40)
    assert "Votes grouped by 40 voters." in describe(ask(votes), 0.95)
    assert "Every vote taken as independent: the votes do not say who cast them." in describe(
        compare(count(votes), "a", "b"), 0.95
    )
