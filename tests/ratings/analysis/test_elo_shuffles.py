"""Elo over shuffles: every order by hand, seeds, and what the spread says."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from ratings.analysis import elo_shuffles
from ratings.analysis.elo_shuffles import elo_over_shuffles
from ratings.errors import SettingsError
from ratings.fit.elo import elo
from ratings.outcomes import Outcome
from ratings.votes.votes import Votes

MakeVotes = Callable[..., Votes]
A, B, TIE, BAD = Outcome.A_WINS, Outcome.B_WINS, Outcome.TIE, Outcome.BOTH_BAD

SOME = [("a", "b", A)] * 30 + [("b", "c", A)] * 20 + [("c", "a", A)] * 10 + [("a", "c", TIE)] * 10


def test_three_votes_have_the_mean_and_range_of_their_six_orders(make_votes: MakeVotes) -> None:
    votes = make_votes([("a", "b", A), ("b", "c", A), ("c", "a", TIE)])
    orders = [list(order) for order in permutations(range(3))]
    every = [elo(replace(votes, a=votes.a[o], b=votes.b[o], outcome=votes.outcome[o]), k=32) for o in orders]
    found = elo_over_shuffles(votes, np.random.default_rng(1), 3000, k=32)
    assert found.mean == pytest.approx(np.mean(every, axis=0), abs=0.05)
    assert found.sd == pytest.approx(np.std(every, axis=0), rel=0.05)
    assert found.lowest == pytest.approx(np.min(every, axis=0), abs=1e-9)
    assert found.highest == pytest.approx(np.max(every, axis=0), abs=1e-9)
    assert found.range == pytest.approx(np.ptp(every, axis=0), abs=1e-9)


def test_same_seed_gives_the_same_and_points_are_kept(make_votes: MakeVotes) -> None:
    votes = make_votes(SOME)
    first, again = (elo_over_shuffles(votes, np.random.default_rng(7), 5) for _ in range(2))
    assert first.mean.tolist() == again.mean.tolist()
    assert first.mean.sum() == pytest.approx(3000)
    assert (first.sd > 0).all()
    assert first.shuffles == 5


def test_order_of_the_votes_no_longer_matters(make_votes: MakeVotes) -> None:
    forward, backward = make_votes(SOME), make_votes(SOME[::-1])
    once = np.abs(elo(forward, k=32) - elo(backward, k=32)).max()
    many = [elo_over_shuffles(votes, np.random.default_rng(1), 300, k=32).mean for votes in (forward, backward)]
    assert np.abs(many[0] - many[1]).max() < once / 10


def test_spread_grows_with_k(make_votes: MakeVotes) -> None:
    spreads = [elo_over_shuffles(make_votes(SOME), np.random.default_rng(1), k=k).sd.max() for k in (1, 4, 16)]
    assert spreads == sorted(spreads)


def test_model_without_a_vote_that_counts_has_no_number(make_votes: MakeVotes) -> None:
    found = elo_over_shuffles(make_votes([*SOME, ("d", "a", BAD)]), np.random.default_rng(1), both_bad="drop")
    assert np.isnan([found.mean, found.sd, found.lowest, found.highest])[:, 3].all()
    assert np.isfinite(found.mean[:3]).all()


def test_settings_that_make_no_sense_are_errors(make_votes: MakeVotes) -> None:
    votes, rng = make_votes(SOME), np.random.default_rng(1)
    with pytest.raises(SettingsError, match="shuffles is 1"):
        elo_over_shuffles(votes, rng, 1)
    with pytest.raises(SettingsError, match="k is"):
        elo_over_shuffles(votes, rng, k=0)
    with pytest.raises(SettingsError, match="lost to the field"):
        elo_over_shuffles(votes, rng, both_bad="loss-to-the-field")


def test_compiled_pass_gives_what_the_plain_one_gives(make_votes: MakeVotes, monkeypatch: pytest.MonkeyPatch) -> None:
    import numba  # noqa: F401  # from requirements-dev.txt: without it this would compare plain Python with itself

    votes = make_votes(SOME)
    compiled = elo_over_shuffles(votes, np.random.default_rng(1))
    monkeypatch.setattr(elo_shuffles, "_compiled_play", lambda: None)
    plain = elo_over_shuffles(votes, np.random.default_rng(1))
    assert compiled.mean == pytest.approx(plain.mean, abs=1e-9)
