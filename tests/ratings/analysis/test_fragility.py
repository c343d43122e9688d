"""The votes said to hold up the first place do, and the named voters move the board as said."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from ratings.analysis.fragility import fragility
from ratings.analysis.influence import influential_voters
from ratings.errors import SettingsError, TooFewModelsError
from ratings.fit.bradley_terry import fit
from ratings.fit.prior import Prior
from ratings.outcomes import Outcome
from ratings.scale import POINTS_PER_NAT
from ratings.votes.counts import Counts, count
from ratings.votes.votes import Votes
from tests.ratings.helpers.examples import counts_of
from tests.ratings.helpers.strategies import VOTES


def draw(n: int, strengths: list[float], seed: int = 0) -> Votes:
    """Return n votes, a sixth of them ties, as the strengths say."""
    rng = np.random.default_rng(seed)
    s = np.array(strengths)
    a = rng.integers(0, len(s), n)
    b = (a + rng.integers(1, len(s), n)) % len(s)
    first, second = rng.random((2, n)) < 1 / (1 + np.exp(s[b] - s[a]))
    outcome = np.where((first != second) & (rng.random(n) < 0.4), 2, np.where(first, 0, 1))
    return Votes(tuple("abcdefgh"[: len(s)]), a, b, outcome.astype(np.int8), n)


def test_two_models_need_the_difference_of_their_wins_plus_one() -> None:
    found = fragility(fit(counts_of([[0, 60], [40, 0]])))
    assert (found.first, found.challenger, found.needed, found.votes) == ("a", "b", 21, 100)
    # A win of a moves the lead by (1 - p) / (n p (1 - p)) = 1/60, and the lead is 0.405.
    assert found.predicted == 25
    (kind,) = found.dropped
    assert (kind.winner, kind.loser, kind.is_tie, kind.votes) == ("a", "b", False, 21)
    assert found.lead == pytest.approx(POINTS_PER_NAT * np.log(60 / 40))
    assert found.lead_after == pytest.approx(POINTS_PER_NAT * np.log(39 / 40))


@pytest.mark.parametrize("seed", range(4))
def test_dropping_the_named_votes_changes_the_first_place_and_one_fewer_does_not(seed: int) -> None:
    result = fit(count(draw(3_000, [0.3, 0.2, 0.0, -0.5], seed)))
    found = fragility(result)
    assert found.needed is not None
    assert found.predicted is not None
    assert sum(kind.votes for kind in found.dropped) == found.needed
    # The lead is a few dozen votes of thousands, where the approximation is close.
    assert abs(found.predicted - found.needed) <= 0.1 * found.needed + 1
    names = [result.models[k] for k in result.rated]

    def leader(fewer: int) -> str:
        wins, ties = result.wins.copy(), np.triu(result.ties)
        spared = fewer
        for kind in reversed(found.dropped):
            keep = min(spared, kind.votes)
            spared -= keep
            place = names.index(kind.winner), names.index(kind.loser)
            (ties if kind.is_tie else wins)[place] -= kind.votes - keep
        table = counts_of(wins.astype(int).tolist(), ties.astype(int).tolist())
        return names[int(fit(table).strengths.argmax())]

    assert leader(0) != found.first
    assert leader(1) == found.first


def test_few_votes_need_no_more_than_the_best_of_all_sets_allows() -> None:
    """All sets of up to three of the fourteen votes are tried; the approximation finds one as small."""
    result = fit(counts_of([[0, 4, 2], [3, 0, 1], [1, 2, 0]], ties=[[0, 1, 0], [0, 0, 0], [0, 0, 0]]))
    first = result.strengths.argmax()
    kinds = [(i, j, False) for i, j in np.argwhere(result.wins > 0)] + [(0, 1, True)]
    smallest = None
    for number in (1, 2, 3):
        for chosen in itertools.combinations_with_replacement(kinds, number):
            wins, ties = result.wins.copy(), np.triu(result.ties)
            for i, j, is_tie in chosen:
                (ties if is_tie else wins)[i, j] -= 1
            if min(wins.min(), ties.min()) < 0:
                continue
            again = fit(counts_of(wins.astype(int).tolist(), ties.astype(int).tolist()))
            if len(again.rated) == 3 and again.strengths[first] < again.strengths.max() - 1e-9:
                smallest = smallest or number
    assert smallest is not None
    assert fragility(result).needed == smallest


def test_challenger_who_needs_fewest_is_named_even_if_not_second() -> None:
    """b is second and met a ten thousand times; c is close behind on a handful of votes."""
    wins = [[0, 5_300, 6], [5_000, 0, 0], [5, 0, 0]]
    found = fragility(fit(counts_of(wins)))
    assert found.challenger == "c"
    assert found.needed == 2
    assert fragility(fit(counts_of(wins)), challengers=1).challenger == "b"


def test_larger_leads_need_more_votes() -> None:
    needed = [fragility(fit(count(draw(3_000, [s, 0.0, -0.4])))).needed for s in (0.1, 0.3, 0.6)]
    assert None not in needed
    assert needed == sorted(needed)  # type: ignore[type-var]
    assert len(set(needed)) == 3


@given(VOTES)
def test_any_board_has_a_first_place_or_says_why_not(votes: Votes) -> None:
    result = fit(count(votes))
    if len(result.rated) == 0:
        with pytest.raises(TooFewModelsError):
            fragility(result)
        return
    found = fragility(result)
    assert found.lead >= 0
    if found.needed is None:
        assert (found.lead_after, found.dropped) == (None, ())
    else:
        assert 0 < found.needed < found.votes
        assert found.lead_after is not None
        assert found.lead_after < 0


def test_settings_out_of_range_are_errors() -> None:
    votes = draw(100, [0.3, 0.0])
    result = fit(count(votes))
    with pytest.raises(SettingsError, match="challengers"):
        fragility(result, challengers=0)
    with pytest.raises(SettingsError, match="shape"):
        influential_voters(result, votes, np.zeros(99, dtype=np.int64))
    with pytest.raises(SettingsError, match="loss-to-the-field"):
        influential_voters(result, votes, np.zeros(100, dtype=np.int64), both_bad="loss-to-the-field")


def test_fit_on_more_than_plain_votes_is_refused() -> None:
    counts = counts_of([[0, 60], [40, 0]])
    prior = fit(counts, prior=Prior(200.0))
    weighted = fit(replace(counts, weights=counts.outcomes * 3, squared_weights=counts.outcomes * 12))
    lost = fit(replace(counts, outcomes=counts.outcomes + np.array([0, 0, 0, 1])), both_bad="loss-to-the-field")
    votes = draw(100, [0.3, 0.0])
    for result in (prior, weighted, lost):
        with pytest.raises(SettingsError, match="without prior, weights or losses"):
            fragility(result)
        with pytest.raises(SettingsError, match="without prior, weights or losses"):
            influential_voters(result, votes, np.zeros(100, dtype=np.int64))


def stuffed() -> tuple[Votes, np.ndarray]:
    """Return votes by fifty voters of which number 7 voted for c every time, against everybody."""
    votes = draw(2_000, [0.3, 0.0, -0.3])
    voters = np.random.default_rng(1).integers(0, 50, 2_000)
    outcome = votes.outcome.copy()
    mine = (voters == 7) & ((votes.a == 2) | (votes.b == 2))
    outcome[mine] = np.where(votes.a[mine] == 2, Outcome.A_WINS.code, Outcome.B_WINS.code)
    return Votes(votes.models, votes.a, votes.b, outcome, 2_000), voters


def test_voter_who_stuffs_is_the_most_influential() -> None:
    votes, voters = stuffed()
    result = fit(count(votes))
    found = influential_voters(result, votes, voters, top=5)
    assert len(found) == 5
    assert (found[0].voter, found[0].model) == ("7", "c")
    assert found[0].change is not None
    assert found[0].change < 0


def test_influence_is_the_change_of_a_fit_without_the_voter() -> None:
    votes, voters = stuffed()
    result = fit(count(votes))
    for one in influential_voters(result, votes, voters, top=50):
        rest = voters != int(one.voter)
        again = fit(count(Votes(votes.models, votes.a[rest], votes.b[rest], votes.outcome[rest], int(rest.sum()))))
        change = POINTS_PER_NAT * (again.strengths - result.strengths)
        model = votes.models.index(one.model)
        assert one.votes == int((~rest).sum())
        assert one.change == pytest.approx(change[model], abs=1e-6)
        assert abs(one.change) == pytest.approx(np.abs(change).max(), abs=1e-6)
        assert one.lead_change == pytest.approx(change[0] - change[1], abs=1e-6)
        assert one.first == votes.models[int(again.strengths.argmax())]
        # One step leaves out that the voter's votes carried information too: here a fiftieth of it.
        assert one.one_step == pytest.approx(one.change, rel=0.1, abs=0.05)


def test_candidates_are_the_same_however_many_are_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from ratings.analysis import influence

    votes, voters = stuffed()
    result = fit(count(votes))
    whole = influential_voters(result, votes, voters, top=50)
    monkeypatch.setattr(influence, "_CHUNK", 21)
    assert influential_voters(result, votes, voters, top=50) == whole
    assert influential_voters(result, votes, voters, top=5) == whole[:5]


def test_voter_without_whom_a_model_has_no_rating_says_so() -> None:
    votes = draw(200, [0.3, 0.0])
    a, b = np.append(votes.a, [2, 2]), np.append(votes.b, [0, 1])
    wider = Votes(("a", "b", "c"), a, b, np.append(votes.outcome, [0, 1]).astype(np.int8), 202)
    voters = np.append(np.arange(200) % 20, [99, 99])
    found = {one.voter: one for one in influential_voters(fit(count(wider)), wider, voters, top=30)}
    assert (found["99"].model, found["99"].change, found["99"].first, found["99"].lead_change) == (
        "c",
        None,
        None,
        None,
    )
    assert all(one.change is not None for code, one in found.items() if code != "99")


def test_votes_that_are_nobodys_or_not_in_the_fit_have_no_voter() -> None:
    votes = draw(300, [0.3, 0.0])
    outcome = votes.outcome.copy()
    outcome[:10] = Outcome.BOTH_BAD.code
    votes = Votes(votes.models, votes.a, votes.b, outcome, 300)
    voters = np.where(np.arange(300) < 10, 5, np.where(np.arange(300) < 200, -1, 8))
    dropped = influential_voters(fit(count(votes), both_bad="drop"), votes, voters, both_bad="drop")
    assert [(one.voter, one.votes) for one in dropped] == [("8", 100)]
    assert {one.voter for one in influential_voters(fit(count(votes)), votes, voters)} == {"5", "8"}
    assert influential_voters(fit(count(votes)), votes, np.full(300, -1)) == ()


def test_board_without_a_fit_has_no_influential_voter() -> None:
    one_sided = Counts(("a", "b"), np.array([[0, 1]]), np.array([[5.0, 0, 0, 0]]), 5)
    votes = Votes(("a", "b"), np.zeros(5, np.int64), np.ones(5, np.int64), np.zeros(5, np.int8), 5)
    assert influential_voters(fit(one_sided), votes, np.arange(5)) == ()
