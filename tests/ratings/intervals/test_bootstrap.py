"""The bootstrap against the sandwich and the plain fit, and replicates without strengths."""

import numpy as np
import pytest

from ratings.errors import NotConvergedError, SettingsError, TooFewModelsError
from ratings.fit.bradley_terry import fit
from ratings.fit.prior import Prior
from ratings.intervals.bootstrap import Bootstrap, bootstrap, newton
from ratings.intervals.sandwich import covariance
from ratings.votes.counts import Counts
from tests.ratings.helpers.examples import FIVE, counts_of


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_spread_of_the_replicates_is_that_of_the_sandwich() -> None:
    result = fit(FIVE)
    told = bootstrap(result, rng=rng(), replicates=2000)
    assert (told.drawn, told.fell_apart, told.not_converged, len(told.strengths)) == (2000, 0, 0, 2000)
    sandwich = covariance(result)
    assert np.sqrt(np.diag(told.covariance())) == pytest.approx(np.sqrt(np.diag(sandwich)), rel=0.08)
    assert told.covariance() == pytest.approx(sandwich, abs=0.15 * np.diag(sandwich).max())


def test_replicate_is_the_fit_of_its_votes() -> None:
    shares = np.stack([fit(FIVE).data.shares * k + np.eye(5)[::-1] * 5 * (1 - np.eye(5)) for k in (1, 0.3)])
    found, converged = newton(shares, np.array([2.0, 0, 0, 0, -2]))
    assert converged.all()
    for got, share in zip(found, shares, strict=True):
        expected = fit(counts_of(np.round(share * 1e6).astype(int).tolist())).strengths
        assert got == pytest.approx(expected, abs=1e-4)


def test_both_kinds_of_interval_agree_where_votes_are_many() -> None:
    told = bootstrap(fit(FIVE), rng=rng(), replicates=2000)
    percentile, normal = told.intervals(0.95), told.intervals(0.95, "normal")
    reach = (normal[1] - normal[0]).mean()
    for got, expected in zip(percentile, normal, strict=True):
        assert got == pytest.approx(expected, abs=0.06 * reach)
    assert (percentile[0] < told.estimate).all()
    assert (told.estimate < percentile[1]).all()


def test_same_seed_gives_the_same_replicates_and_another_does_not() -> None:
    result = fit(FIVE)
    first, again, other = (bootstrap(result, rng=rng(seed), replicates=20).strengths for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_weighted_votes_spread_as_their_squares_say() -> None:
    """Votes on the pairs of the first model weigh three times as much, half of the others one and a half."""
    is_first = (FIVE.pairs == 0).any(axis=1)[:, None]
    weights = FIVE.outcomes * np.where(is_first, 3.0, 1.0)
    squares = FIVE.outcomes * np.where(is_first, 9.0, (0.5**2 + 1.5**2) / 2)
    weighted = fit(Counts(FIVE.models, FIVE.pairs, FIVE.outcomes, FIVE.read, weights=weights, squared_weights=squares))
    told = bootstrap(weighted, rng=rng(), replicates=2000)
    expected = np.sqrt(np.diag(covariance(weighted)))
    assert np.sqrt(np.diag(told.covariance())) == pytest.approx(expected, rel=0.08)
    assert expected.mean() > 1.1 * np.sqrt(np.diag(covariance(fit(FIVE)))).mean()
    assert told.strengths.mean(axis=0) == pytest.approx(weighted.strengths, abs=0.15 * expected.min())


def test_replicates_that_fall_apart_are_counted_and_forbid_the_interval() -> None:
    """The one win of the last model is missing from a replicate with probability 1/e."""
    result = fit(counts_of([[0, 50, 9], [50, 0, 9], [1, 0, 0]]))
    told = bootstrap(result, rng=rng(), replicates=500)
    assert told.fell_apart / 500 == pytest.approx(np.exp(-1), abs=0.07)
    assert len(told.strengths) + told.fell_apart + told.not_converged == 500
    assert np.isfinite(told.strengths).all()
    for kind in ("percentile", "normal"):
        with pytest.raises(NotConvergedError, match=f"{told.fell_apart} fell apart"):
            told.intervals(0.95, kind)  # type: ignore[arg-type]


def test_progress_adds_up_to_the_replicates() -> None:
    done: list[int] = []
    bootstrap(fit(FIVE), rng=rng(), replicates=30, progress=done.append)
    assert sum(done) == 30


def test_what_it_cannot_do_is_refused() -> None:
    result = fit(FIVE)
    with pytest.raises(SettingsError, match="replicates is 1"):
        bootstrap(result, rng=rng(), replicates=1)
    with pytest.raises(SettingsError, match="'basic'"):
        bootstrap(result, rng=rng(), replicates=9).intervals(0.95, "basic")  # type: ignore[arg-type]
    with pytest.raises(NotConvergedError, match="draw at least 40"):
        bootstrap(result, rng=rng(), replicates=9).intervals(0.95)
    with pytest.raises(SettingsError, match="prior"):
        bootstrap(fit(FIVE, prior=Prior(200)), rng=rng())
    with pytest.raises(TooFewModelsError):
        bootstrap(fit(counts_of([[0, 3], [0, 0]])), rng=rng())
    with pytest.raises(NotConvergedError, match="3 of 4"):
        Bootstrap(np.zeros(2), np.zeros((1, 2)), 4, 3, 0).covariance()
