"""Clusters against the plain sandwich, against simulated voters, and what they must refuse."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import stdtrit

from ratings.errors import TooFewClustersError
from ratings.fit.both_bad import field_score_products
from ratings.fit.bradley_terry import BradleyTerryFit, fit
from ratings.fit.davidson import fit_davidson
from ratings.fit.prior import Prior
from ratings.intervals.cluster_sums import cluster_sums
from ratings.intervals.clustered import Clustered, cap_factors, clustered, t_quantile
from ratings.intervals.sandwich import covariance, difference_variance
from ratings.outcomes import BothBad
from ratings.votes.counts import count
from ratings.votes.votes import Votes

NAMES = tuple("abcdef")


def draw(
    rng: np.random.Generator, votes: int, voters: int, taste: float = 0.0, both_bad: float = 0.0
) -> tuple[Votes, NDArray[np.int64]]:
    """Return votes on six models by voters with tastes of their own, in nats, and who cast each."""
    strengths = np.array([0.5, 0.3, 0.1, -0.1, -0.3, -0.5]) + taste * rng.standard_normal((voters, 6))
    voter = rng.integers(0, voters, votes)
    a = rng.integers(0, 6, votes)
    b = (a + rng.integers(1, 6, votes)) % 6
    p = 1 / (1 + np.exp(strengths[voter, b] - strengths[voter, a]))
    outcome = np.where(rng.random(votes) < 0.2, 2, (rng.random(votes) > p).astype(int))
    outcome = np.where(rng.random(votes) < both_bad, 3, outcome).astype(np.int8)
    return Votes(NAMES, a, b, outcome, votes), voter


@pytest.mark.parametrize("both_bad", ["tie", "drop", "loss-to-the-field"])
@pytest.mark.parametrize("ties", ["half", "drop"])
def test_every_vote_its_own_cluster_gives_the_plain_sandwich(ties: str, both_bad: str) -> None:
    votes, _ = draw(np.random.default_rng(1), 800, 1, both_bad=0.2)
    told = clustered(votes, np.arange(800), ties=ties, both_bad=both_bad)  # type: ignore[arg-type]
    plain = covariance(fit(count(votes), ties=ties, both_bad=both_bad))  # type: ignore[arg-type]
    assert told.covariance * (told.clusters - 1) / told.clusters == pytest.approx(plain, rel=1e-9, abs=1e-14)
    assert told.clusters == told.fit.used
    assert (told.capped, told.effective) == (0, pytest.approx(told.clusters))


def test_votes_that_are_copies_of_each_other_count_once() -> None:
    """With every vote cast four times by the same voter the covariance is that of the votes alone."""
    votes, _ = draw(np.random.default_rng(2), 500, 1)
    alone = clustered(votes, np.arange(500))
    four = Votes(NAMES, *(np.repeat(x, 4) for x in (votes.a, votes.b, votes.outcome)), 2000)
    told = clustered(four, np.repeat(np.arange(500), 4))
    assert told.fit.strengths == pytest.approx(alone.fit.strengths, abs=1e-9)
    assert told.covariance == pytest.approx(alone.covariance, rel=1e-9, abs=1e-14)


def test_tastes_of_voters_widen_the_intervals_as_resampled_voters_do() -> None:
    votes, voter = draw(np.random.default_rng(3), 4500, 150, taste=1.0)
    told = clustered(votes, voter)
    rng = np.random.default_rng(4)
    by_voter = [np.flatnonzero(voter == j) for j in range(150)]
    resampled = []
    for _ in range(400):
        chosen = np.concatenate([by_voter[j] for j in rng.integers(0, 150, 150)])
        drawn = Votes(NAMES, votes.a[chosen], votes.b[chosen], votes.outcome[chosen], len(chosen))
        resampled.append(fit(count(drawn)).strengths)
    bootstrap = np.array(resampled).std(axis=0)
    # 400 draws know a standard deviation to about 4%.
    assert np.sqrt(np.diag(told.covariance)) == pytest.approx(bootstrap, rel=0.15)
    plain = np.sqrt(np.diag(covariance(fit(count(votes)))))
    assert (np.sqrt(np.diag(told.covariance)) > 1.2 * plain).all()


def test_cluster_with_more_votes_than_the_cap_counts_for_the_cap() -> None:
    clusters = np.array([0] * 30 + [1] * 5 + [2] * 10)
    factors = cap_factors(clusters, 10.0, np.ones(45))
    assert np.bincount(clusters, factors) == pytest.approx([10, 5, 10])
    assert (factors[clusters == 1] == 1).all()


def test_one_zealous_voter_cannot_move_the_board_beyond_a_twentieth() -> None:
    rng = np.random.default_rng(5)
    votes, voter = draw(rng, 1000, 100)
    zeal = Votes(
        NAMES,
        np.concatenate([votes.a, np.full(1000, 5)]),
        np.concatenate([votes.b, np.zeros(1000, np.int64)]),
        np.concatenate([votes.outcome, np.zeros(1000, np.int8)]),
        2000,
    )
    who = np.concatenate([voter, np.full(1000, 100)])
    told, loose = clustered(zeal, who), clustered(zeal, who, cap=2000)
    assert (told.cap, told.capped, loose.capped) == (100, 1, 0)
    honest = fit(count(votes)).strengths
    assert np.abs(told.fit.strengths - honest).max() < 0.4 * np.abs(loose.fit.strengths - honest).max()
    assert (told.fit.used, told.fit.left_out) == (2000, {})


def test_weights_of_the_draw_enter_scores_and_hessian_on_one_scale() -> None:
    """Weights that are all the same change nothing, and weights of votes merge with those of the counts."""
    votes, voter = draw(np.random.default_rng(6), 900, 90)
    plain, same = clustered(votes, voter), clustered(votes, voter, weights=np.full(900, 7.0))
    assert same.covariance == pytest.approx(plain.covariance, rel=1e-9, abs=1e-14)
    weights = np.where(votes.a == 0, 3.0, 1.0)
    told = clustered(votes, np.arange(900), weights=weights)
    sandwich = told.fit.score_products()
    inverse = np.linalg.pinv(told.fit.hessian)
    assert told.covariance * 899 / 900 == pytest.approx(inverse @ sandwich @ inverse, rel=1e-6, abs=1e-14)


def test_scores_of_a_loss_to_the_field_are_those_of_the_formula() -> None:
    """Two clusters: one loses models 0 and 1 to the field together, the other plays an ordinary vote."""
    strengths = np.array([0.4, 0.1, -0.5])
    both_bad = np.zeros((3, 3))
    both_bad[0, 1] = both_bad[1, 0] = 1
    votes = Votes(("a", "b", "c"), np.array([0, 0]), np.array([1, 2]), np.array([3, 0], dtype=np.int8), 2)
    told = cluster_sums(votes, np.array([0, 1]), _at(votes, strengths), ties="half", both_bad="loss-to-the-field")
    vote = np.array([1.0, 0.0, -1.0]) / (1 + np.exp(0.9))
    assert told.products == pytest.approx(field_score_products(both_bad, strengths) + np.outer(vote, vote))
    assert told.voters == pytest.approx([2, 1, 1])


def _at(votes: Votes, strengths: NDArray[np.float64]) -> BradleyTerryFit:
    return replace(fit(count(votes), prior=Prior(400)), strengths=strengths)


def test_few_clusters_are_refused_then_flagged_then_fine() -> None:
    rng = np.random.default_rng(7)
    votes, _ = draw(rng, 3000, 1)
    with pytest.raises(TooFewClustersError, match=r"^9 clusters .* at least 10"):
        clustered(votes, np.arange(3000) % 9)
    few, many = clustered(votes, np.arange(3000) % 12), clustered(votes, np.arange(3000) % 200)
    assert (few.is_few, many.is_few) == (True, False)
    # Student's t with 11 degrees of freedom reaches 2.201 where the normal reaches 1.960.
    assert few.widened(0.95) == pytest.approx(few.covariance * (2.201 / 1.960) ** 2, rel=1e-3)
    assert np.diag(many.widened(0.95)) == pytest.approx(np.diag(many.covariance), rel=0.03)


def test_effective_clusters_are_fewer_where_some_cast_most_votes() -> None:
    votes, _ = draw(np.random.default_rng(8), 2000, 1)
    told = clustered(votes, np.minimum(np.arange(2000), 1000) % 1000, cap=2000)
    weights = np.bincount(np.minimum(np.arange(2000), 1000) % 1000)
    assert told.effective == pytest.approx(2000**2 / (weights**2).sum())
    assert told.clusters == 1000


def single_voter_model() -> tuple[Votes, NDArray[np.int64]]:
    """Return votes in which model "f" is known from one voter alone."""
    votes, voter = draw(np.random.default_rng(9), 600, 30)
    kept = (votes.a != 5) & (votes.b != 5)
    a, b = np.append(votes.a[kept], [5] * 20), np.append(votes.b[kept], [0] * 20)
    outcome = np.append(votes.outcome[kept], [0, 1] * 10).astype(np.int8)
    return Votes(NAMES, a, b, outcome, len(a)), np.append(voter[kept], [0] * 20)


def test_model_that_one_voter_knows_has_no_interval() -> None:
    told = clustered(*single_voter_model())
    assert told.has_spread.tolist() == [True] * 5 + [False]


def test_prior_gives_even_that_model_a_spread() -> None:
    told: Clustered = clustered(*single_voter_model(), prior=Prior(200))
    assert told.has_spread.all()
    assert np.diag(told.covariance).min() > 0
    assert difference_variance(told.covariance)[5, :5].min() > 0.01


@pytest.mark.parametrize("both_bad", ["tie", "loss-to-the-field"])
def test_davidson_with_every_vote_its_own_cluster_gives_its_plain_sandwich(both_bad: BothBad) -> None:
    votes, _ = draw(np.random.default_rng(10), 900, 1, both_bad=0.1)
    told = clustered(votes, np.arange(900), ties="davidson", both_bad=both_bad)
    plain = covariance(fit_davidson(count(votes), both_bad=both_bad))
    assert told.covariance * (told.clusters - 1) / told.clusters == pytest.approx(plain, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("part", [200, 10_000])
@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_parts_of_any_size_and_narrow_codes_add_up_to_the_same(
    part: int, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    votes, voter = draw(np.random.default_rng(12), 3000, 70, taste=0.5)
    whole = clustered(votes, voter).covariance
    narrow = replace(votes, a=votes.a.astype(kind), b=votes.b.astype(kind))
    for dense in (0, 1000):
        monkeypatch.setattr("ratings.intervals.cluster_sums.PART", part)
        monkeypatch.setattr("ratings.intervals.cluster_sums._DENSE", dense)
        assert clustered(narrow, voter.astype(kind)).covariance == pytest.approx(whole, rel=1e-9)


def test_lone_model_split_up_has_about_the_plain_spread() -> None:
    votes, voter = single_voter_model()
    told = clustered(votes, voter, split_few=True)
    assert told.few.tolist() == [5]
    assert told.has_spread.all()
    plain = difference_variance(covariance(fit(count(votes))))
    assert difference_variance(told.covariance)[5, 0] == pytest.approx(plain[5, 0], rel=0.3)


def test_infinite_cap_leaves_the_strengths_of_the_counts() -> None:
    votes, _ = draw(np.random.default_rng(13), 2000, 1)
    who = np.minimum(np.arange(2000), 1000)
    told = clustered(votes, who, cap=np.inf)
    assert told.fit.strengths == pytest.approx(fit(count(votes)).strengths, abs=1e-12)
    assert (told.capped, told.clusters) == (0, 1001)


@given(st.floats(500, 1e7), st.floats(0.5, 0.99999))
def test_series_of_student_s_quantile_agrees_with_scipy(freedom: float, confidence: float) -> None:
    assert t_quantile(freedom, confidence) == pytest.approx(float(stdtrit(freedom, (1 + confidence) / 2)), rel=1e-9)
