"""Covariance that knows that one voter cast many votes, or that many votes were about one prompt.

Votes of one voter lean the same way, so a hundred of them are worth less than those of a hundred voters, and
the sandwich of sandwich.py, which takes every vote as independent, is too narrow. Here
the scores are summed within each cluster before they are squared,

    M = J / (J - 1)  sum_j G_j G_j^T,    G_j = sum of w (y - P_ab) (e_a - e_b) over the votes of j,

for J clusters (Liang and Zeger 1986, doi:10.1093/biomet/73.1.13; Cameron and Miller 2015,
doi:10.3368/jhr.50.2.317). It holds for many clusters of which none dominates (Hansen and Lee 2019,
doi:10.1016/j.jeconom.2019.02.001). Three rules see to that:

- A cluster has no more weight than `cap` votes: one with more has each of its votes weighted by
  cap / (number of its votes). Strengths and covariance both come from the weighted votes. The
  default is a twentieth of all votes: nobody outweighs nineteen others, and below that a cap costs
  precision and buys nothing, as the covariance already knows that the votes belong together.
- Fewer than MIN_CLUSTERS clusters give no covariance but an error.
- From there on J is small rather than absent, so intervals use Student's t with the degrees of
  freedom of the effective number of clusters, (sum of weights)^2 / (sum of squared weights), less
  one. `widened` puts that into the covariance, and whatever is made of it by normal intervals is wide
  enough. Below FEW_CLUSTERS effective ones `is_few` asks for a warning beside the figures.

A model that a single cluster voted on has a score of zero by the fit itself, not because it is well
known; `has_spread` is False for it, as its interval would have no width.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratings.errors import TooFewClustersError
from ratings.fit.both_bad import centred
from ratings.fit.bradley_terry import BradleyTerryFit, fit
from ratings.fit.prior import Prior, prior_derivatives
from ratings.intervals.sandwich import sandwich
from ratings.outcomes import BothBad, Ties
from ratings.scale import quantile
from ratings.votes.counts import weighted_counts
from ratings.votes.shares import BAD, shares
from ratings.votes.votes import Votes

MIN_CLUSTERS = 10
"""Clusters below which no covariance is given."""

FEW_CLUSTERS = 40.0
"""Effective clusters below which even the t intervals are somewhat too narrow."""

LARGEST_SHARE = 1 / 20
"""The share of all votes that a cluster counts for at most, unless a cap is given."""

_ROUNDING = 1e-14  # of the Hessian's diagonal, as in sandwich.py


@dataclass(frozen=True)
class Clustered:
    """Strengths of the R rated models and their covariance, with votes that belong together."""

    fit: BradleyTerryFit
    """The fit of the votes as weighted by the cap: its wins and ties are sums of weights."""
    covariance: NDArray[np.float64]
    """(R, R) nats squared, with J / (J - 1) and without the t correction."""
    has_spread: NDArray[np.bool_]
    """(R,) whether a model has an interval: two clusters or more voted on it, and not all for ties."""
    clusters: int
    """J, of the votes that entered the fit."""
    effective: float
    """How many clusters of equal weight would be as good; J where all weigh the same."""
    cap: float
    """Votes that one cluster counts for at most."""
    capped: int
    """Clusters whose votes were weighted down."""

    @property
    def is_few(self) -> bool:
        """Return whether the clusters are so few that the intervals deserve a warning."""
        return self.effective < FEW_CLUSTERS

    def widened(self, confidence: float) -> NDArray[np.float64]:
        """Return the (R, R) covariance whose normal intervals at this confidence are the t intervals."""
        from scipy.stats import t

        ratio = float(t.ppf((1 + confidence) / 2, self.effective - 1)) / quantile(confidence)
        return np.asarray(self.covariance * ratio**2)


def clustered(
    votes: Votes,
    clusters: NDArray[np.int64],
    *,
    ties: Ties = "half",
    both_bad: BothBad = "tie",
    prior: Prior | None = None,
    weights: NDArray[np.float64] | None = None,
    cap: float | None = None,
) -> Clustered:
    """Return strengths and covariance of `votes` where `clusters` is (n,), a code from 0 for each vote.

    The treatments are those of `fit`. `weights` is (n,), such as 1 / (chance of the pair); without them
    each vote weighs 1. `cap` is in votes of average weight, by default LARGEST_SHARE of all. Raises
    TooFewClustersError where fewer than MIN_CLUSTERS clusters voted on the rated models, and what
    `fit` raises.
    """
    cap = max(LARGEST_SHARE * votes.used, 1.0) if cap is None else cap
    given = np.ones(votes.used) if weights is None else weights / weights.mean()
    factors = cap_factors(clusters, cap, given)
    result = fit(weighted_counts(votes, given * factors), ties=ties, both_bad=both_bad, prior=prior)
    size = len(result.rated)
    scores = _scores(votes, given * factors, result, ties, both_bad)
    codes, number = _codes(clusters[scores.vote])
    if number < MIN_CLUSTERS:
        raise TooFewClustersError(
            f"{number} clusters voted on the rated models; at least {MIN_CLUSTERS} are needed for clustered "
            "intervals, so collect votes from more of them or choose another interval"
        )
    squared, voters = cluster_scores(codes, scores.left, scores.right, scores.residual, size)
    squared *= number / (number - 1)
    has_spread = (voters > 1) & (np.diag(squared) > _ROUNDING * np.diag(result.hessian))
    if prior:
        squared += prior_derivatives(prior, result.strengths)[1]
        has_spread[:] = True
    entered, first = np.unique(scores.vote, return_index=True)
    total = np.bincount(codes[first], (given * factors)[entered])
    return Clustered(
        fit=result,
        covariance=sandwich(result.hessian, squared),
        has_spread=has_spread,
        clusters=number,
        effective=float(total.sum() ** 2 / (total**2).sum()),
        cap=cap,
        capped=len(np.unique(clusters[factors < 1])),
    )


def cap_factors(clusters: NDArray[np.int64], cap: float, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) factors of the (n,) weights, up to 1, so that those of no cluster sum to more than `cap`."""
    totals = np.bincount(clusters, weights)
    return np.asarray(np.minimum(1.0, cap / np.maximum(totals, 1e-300))[clusters])


def cluster_scores(
    clusters: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    residuals: NDArray[np.float64],
    size: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (size, size) sum_j G_j G_j^T, and (size,) how many clusters voted on each model.

    All arguments are (n,), clusters being codes from 0. A row adds its residual to its cluster's score
    of `left` and takes it from that of `right`, or from all equally where `right` is `size`, the field.
    """
    from scipy.sparse import csr_array

    rows, columns = np.concatenate([clusters, clusters]), np.concatenate([left, right])
    values = np.concatenate([residuals, -residuals])
    # Summed over the votes of a cluster on a model, this is (J, size + 1) with few entries per row.
    scores = csr_array((values, (rows, columns)), shape=(int(clusters.max(initial=-1)) + 1, size + 1))
    voters = np.bincount(scores.indices, minlength=size + 1)
    return centred((scores.T @ scores).toarray()[:size, :size]), voters[:size]


@dataclass(frozen=True)
class _Scores:
    """The score of each vote in the fit; a both-bad vote lost to the field has two rows."""

    vote: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    residual: NDArray[np.float64]


def _scores(
    votes: Votes, weights: NDArray[np.float64], result: BradleyTerryFit, ties: Ties, both_bad: BothBad
) -> _Scores:
    size = len(result.rated)
    place = np.full(len(votes.models), -1)
    place[result.rated] = np.arange(size)
    left, right = place[votes.a], place[votes.b]
    won, is_bad = shares(both_bad, ties)[votes.outcome], BAD[votes.outcome] > 0
    inside = (left >= 0) & (right >= 0)
    voted, lost = np.flatnonzero(inside & np.isfinite(won)), np.flatnonzero(inside & is_bad)
    if both_bad != "loss-to-the-field":
        lost = lost[:0]
    used = np.concatenate([voted, lost])
    # The fit scales the weights to a mean of 1 over its votes, so the scores have to.
    scale = len(used) / max(float(weights[used].sum()), 1e-300)
    strengths = np.append(result.strengths, result.strengths.mean() if size else 0.0)  # the field is the last
    vote = np.concatenate([voted, lost, lost])
    left = np.concatenate([left[voted], left[lost], right[lost]])
    right = np.concatenate([right[voted], np.full(2 * len(lost), size)])
    share = np.concatenate([won[voted], np.zeros(2 * len(lost))])
    expected = np.exp(-np.logaddexp(0, strengths[right] - strengths[left]))
    return _Scores(vote, left, right, scale * weights[vote] * (share - expected))


def _codes(clusters: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Return the same clusters with codes from 0 of which none is unused, and their number."""
    used = np.bincount(clusters) > 0
    return np.asarray((np.cumsum(used) - 1)[clusters]), int(used.sum())
