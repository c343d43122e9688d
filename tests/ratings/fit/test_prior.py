"""A prior places everyone, says who leans on it, and has the interval it promises."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from ratings.errors import SettingsError
from ratings.fit.bradley_terry import fit
from ratings.fit.existence import LEANS_ON_PRIOR, NO_VOTES, RATED
from ratings.fit.prior import Prior
from ratings.intervals.sandwich import sandwich
from ratings.outcomes import Outcome
from ratings.scale import POINTS_PER_NAT, quantile
from ratings.votes.counts import Counts, count
from ratings.votes.votes import Votes
from tests.ratings.helpers.examples import counts_of
from tests.ratings.helpers.strategies import VOTES

MakeVotes = Callable[..., Votes]
A, B, TIE, BAD = Outcome.A_WINS, Outcome.B_WINS, Outcome.TIE, Outcome.BOTH_BAD


def test_map_of_two_models_by_hand() -> None:
    """One win: the fit solves 1 - P(d) = tau d / 2, as s_a = d / 2 pulls with tau d / 2."""
    result = fit(counts_of([[0, 1], [0, 0]]), prior=Prior(POINTS_PER_NAT))
    apart = result.strengths[0] - result.strengths[1]
    assert 1 / (1 + np.exp(apart)) == pytest.approx(apart / 2, abs=1e-10)
    assert result.status == ("leans on the prior: never lost or tied", "leans on the prior: never won or tied")


def test_every_model_with_a_vote_is_rated_and_the_status_says_who_leans_on_the_prior(make_votes: MakeVotes) -> None:
    core = [("a", "b", A), ("b", "c", A), ("c", "a", A)]
    rest = [("d", "a", A), ("a", "e", A), ("x", "y", A), ("y", "x", A), ("p", "a", BAD)]
    counts = count(make_votes([*core, *rest]))
    wider = Counts((*counts.models, "z"), counts.pairs, counts.outcomes, counts.read)
    told = dict(zip(wider.models, fit(wider, prior=Prior(200), both_bad="loss-to-the-field").status, strict=True))
    assert [told[name] for name in "abc"] == [RATED] * 3
    assert told["d"] == "leans on the prior: never lost or tied"
    assert told["e"] == "leans on the prior: never won or tied"
    assert told["x"] == told["y"] == "leans on the prior: not connected to the rated models"
    assert told["p"] == f"{LEANS_ON_PRIOR}: no votes but both-bad ones, which connect it to nobody"
    assert told["z"] == NO_VOTES
    dropped = fit(wider, prior=Prior(200), both_bad="drop")
    assert dropped.status[wider.models.index("p")] == "no votes but both-bad ones, which are dropped"
    assert dropped.left_out == {"both bad, dropped": 1}


@settings(max_examples=30)
@given(VOTES)
def test_newton_agrees_with_an_independent_optimiser(votes: Votes) -> None:
    from scipy.optimize import minimize
    from scipy.special import log_expit

    result = fit(count(votes), prior=Prior(300))
    shares, tau = result.wins + result.ties / 2, (POINTS_PER_NAT / 300) ** 2

    def loss(s: NDArray[np.float64]) -> float:
        # The sum over independent normal strengths; its optimum has mean zero by itself.
        return float(-(shares * log_expit(s[:, None] - s[None, :])).sum() + tau / 2 * (s**2).sum())

    found = minimize(loss, np.zeros(len(shares)), method="BFGS", options={"gtol": 1e-7})
    assert result.strengths == pytest.approx(found.x, abs=1e-4)
    assert votes.read == result.used + sum(result.left_out.values())


@settings(max_examples=30)
@given(VOTES)
def test_no_model_has_a_zero_width_interval(votes: Votes) -> None:
    result = fit(count(votes), prior=Prior(300))
    assert (np.diag(sandwich(result.hessian, result.score_products())) > 1e-4).all()
    assert result.hessian.sum(axis=1) == pytest.approx(0, abs=1e-9)


def test_covariance_is_laplaces_posterior() -> None:
    result = fit(counts_of([[0, 9, 8], [3, 0, 7], [2, 4, 0]]), prior=Prior(150))
    joint = sandwich(result.hessian, result.score_products())
    assert joint == pytest.approx(np.linalg.pinv(result.hessian), abs=1e-12)


def test_narrow_prior_draws_all_to_the_mean_and_a_wide_one_does_not() -> None:
    counts = counts_of([[0, 9, 8], [3, 0, 7], [2, 4, 0]])
    free = fit(counts).strengths
    spreads = [np.ptp(fit(counts, prior=Prior(sd)).strengths) for sd in (5, 100, 1000, 1e6)]
    assert spreads == sorted(spreads)
    assert spreads[0] < 0.02
    assert fit(counts, prior=Prior(1e6)).strengths == pytest.approx(free, abs=1e-6)


def test_interval_holds_on_average_over_models_drawn_from_the_prior() -> None:
    """Seven votes a model; the votes' own squared scores would cover 91%."""
    rng, prior, size, hits, tried = np.random.default_rng(2), Prior(150), 8, 0, 0
    pairs = np.array([(i, j) for i in range(size) for j in range(i)])
    for _ in range(250):
        strengths = rng.normal(0, 150 / POINTS_PER_NAT, size)
        chance = 1 / (1 + np.exp(strengths[pairs[:, 1]] - strengths[pairs[:, 0]]))
        won = rng.binomial(1, chance)
        outcomes = np.stack([won, 1 - won, 0 * won, 0 * won], axis=1).astype(float)
        result = fit(Counts(tuple("abcdefgh"), pairs, outcomes, len(pairs)), prior=prior)
        reach = quantile(0.95) * np.sqrt(np.diag(sandwich(result.hessian, result.score_products())))
        hits += int((np.abs(result.strengths - strengths + strengths.mean()) < reach).sum())
        tried += size
    assert 0.92 < hits / tried < 0.97


@pytest.mark.parametrize("sd", [0, -200, float("nan"), float("inf")])
def test_standard_deviation_that_makes_no_sense_is_an_error(sd: float) -> None:
    with pytest.raises(SettingsError, match="standard deviation"):
        Prior(sd)
