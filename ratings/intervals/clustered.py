"""Covariance that knows that one voter cast many votes, or that many votes were about one prompt.

Votes of one voter lean the same way, so a hundred of them are worth less than those of a hundred voters, and
the sandwich of sandwich.py, which takes every vote as independent, is too narrow. Here
the scores are summed within each cluster before they are squared (cluster_sums.py),

    M = J / (J - 1)  sum_j G_j G_j^T,    G_j = sum of w (y - P_ab) (e_a - e_b) over the votes of j,

for J clusters (Liang and Zeger 1986, doi:10.1093/biomet/73.1.13; Cameron and Miller 2015,
doi:10.3368/jhr.50.2.317). It holds for many clusters of which none dominates (Hansen and Lee 2019,
doi:10.1016/j.jeconom.2019.02.001). Three rules see to that:

- A cluster has no more weight than `cap` votes: one with more has each of its votes weighted by
  cap / (number of its votes). Strengths and covariance both come from the weighted votes. The
  default is a twentieth of all votes: nobody outweighs nineteen others, and below that a cap costs
  precision and buys nothing, as the covariance already knows that the votes belong together. With an infinite
  cap every vote counts alike, and the strengths are those of the counts.
- Fewer than MIN_CLUSTERS clusters give no covariance but an error.
- From there on J is small rather than absent, so intervals use Student's t with the degrees of
  freedom of the effective number of clusters, (sum of weights)^2 / (sum of squared weights), less
  one. `widened` puts that into the covariance, and whatever is made of it by normal intervals is wide
  enough. Below FEW_CLUSTERS effective ones `is_few` asks for a warning beside the figures.

With a prior only the products of different votes of a cluster are taken from M, and the rest as prior.py has it.
Under Davidson's model the score has one more entry, of log nu, and the rest is the same.

A model that a single cluster voted on has a score of zero by the fit itself, not because it is well
known; `has_spread` is False for it, as its interval would have no width. With two or three clusters the scores still
nearly cancel. With `split_few` the votes on models with fewer than MIN_CLUSTERS effective clusters are
taken as independent instead, as there is nothing to learn about how they belong together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings.errors import TooFewClustersError
from ratings.fit.newton import flat_direction
from ratings.fit.prior import Prior
from ratings.fit.protocol import Fit
from ratings.fit.ties import fit_with
from ratings.intervals.cluster_sums import ClusterSums, cluster_sums
from ratings.intervals.sandwich import sandwich
from ratings.outcomes import BothBad, Ties
from ratings.scale import quantile
from ratings.votes.clusters import effective_number, tally
from ratings.votes.counts import Counts, count, weighted_counts
from ratings.votes.votes import Votes

MIN_CLUSTERS = 10
"""Clusters below which no covariance is given."""

FEW_CLUSTERS = 40.0
"""Effective clusters below which even the t intervals are somewhat too narrow."""

LARGEST_SHARE = 1 / 20
"""The share of all votes that a cluster counts for at most, unless a cap is given."""

_MANY, _FAR = 500, 4.5  # degrees of freedom from which on, and z up to which, the series is exact to nine digits

_ROUNDING = 1e-14  # of the Hessian's diagonal, as in sandwich.py


@dataclass(frozen=True)
class Clustered:
    """Strengths of the R rated models and their covariance, with votes that belong together."""

    fit: Fit
    """The fit of the votes as weighted by the cap: its wins and ties are sums of weights."""
    covariance: NDArray[np.float64]
    """(R, R) nats squared, with J / (J - 1) and without the t correction."""
    has_spread: NDArray[np.bool_]
    """(R,) whether a model has an interval: two clusters or more voted on it, and not all for ties."""
    few: NDArray[np.int64]
    """Which of the R models fewer than MIN_CLUSTERS effective clusters voted on, or none that shows a spread."""
    voters: NDArray[np.float64]
    """(R,) effective number of the clusters that voted on a model."""
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
        ratio = t_quantile(self.effective - 1, confidence) / quantile(confidence)
        return np.asarray(self.covariance * ratio**2)


def t_quantile(freedom: float, confidence: float) -> float:
    """Return the two-sided quantile of Student's t, such as 1.97 at 200 degrees of freedom for 0.95.

    For many degrees of freedom by its series around the normal one (Abramowitz and Stegun 1964, 26.7.5), as importing
    scipy's takes longer than the board.
    """
    z = quantile(confidence)
    if freedom < _MANY or z > _FAR:
        from scipy.special import stdtrit

        return float(stdtrit(freedom, (1 + confidence) / 2))
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom ** (power + 1) for power, term in enumerate(terms))


def clustered(
    votes: Votes,
    clusters: NDArray[Any],
    *,
    counts: Counts | None = None,
    ties: Ties = "half",
    both_bad: BothBad = "tie",
    prior: Prior | None = None,
    weights: NDArray[np.float64] | None = None,
    cap: float | None = None,
    split_few: bool = False,
    start: Mapping[str, float] | None = None,
) -> Clustered:
    """Return strengths and covariance of `votes` where `clusters` is (n,), a code from 0 for each vote.

    The treatments are those of `fit_with`. `counts` are those of the votes, where they are known already; a
    fit from a `start` is quicker. `weights` is (n,), such as 1 / (chance of the pair); without them
    each vote weighs 1. `cap` is in votes of average weight, by default LARGEST_SHARE of all. Raises
    TooFewClustersError where fewer than MIN_CLUSTERS clusters voted on the rated models, and what
    `fit_with` raises.
    """
    cap = max(LARGEST_SHARE * votes.used, 1.0) if cap is None else cap
    weigh, capped = _weights(clusters, cap, weights)
    counts = count(votes) if counts is None else counts
    counts = replace(counts, weights=None, squared_weights=None) if weigh is None else weighted_counts(votes, weigh)
    result = fit_with(counts, ties, both_bad=both_bad, prior=prior, start=start)

    def sums(codes: NDArray[Any]) -> ClusterSums:
        return cluster_sums(votes, codes, result, ties=ties, both_bad=both_bad, weights=weigh)

    found = sums(clusters)
    number, size = int((found.weight > 0).sum()), len(result.rated)
    if number < MIN_CLUSTERS:
        raise TooFewClustersError(
            f"{number} clusters voted on the rated models; at least {MIN_CLUSTERS} are needed for clustered "
            "intervals, so collect votes from more of them or choose another interval"
        )
    # The fit scales the weights to a mean of 1 over its votes, so the scores have to.
    scale = (result.data.used / float(found.weight.sum())) ** 2
    products, has_spread = found.products, (found.voters > 1 + 1e-9) & _shows(found.products, result)
    few = np.flatnonzero(~has_spread | (found.voters < MIN_CLUSTERS))
    if (split_few or prior) and len(few):
        products = sums(_split(votes, clusters, result.rated[few])).products
        has_spread = _shows(products, result)
    products = products * scale * number / (number - 1)
    if prior:
        products = _with_prior(result, products - scale * sums(np.arange(votes.used)).products)
        has_spread[:] = True
    return Clustered(
        fit=result,
        covariance=sandwich(result.hessian, products, flat_direction(size, len(result.hessian)))[:size, :size],
        has_spread=has_spread,
        few=few,
        voters=found.voters,
        clusters=number,
        effective=effective_number(found.weight),
        cap=cap,
        capped=capped,
    )


def cap_factors(clusters: NDArray[Any], cap: float, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) factors of the (n,) weights, up to 1, so that those of no cluster sum to more than `cap`."""
    totals = np.bincount(clusters, weights)
    return np.asarray(np.minimum(1.0, cap / np.maximum(totals, 1e-300))[clusters])


def _weights(
    clusters: NDArray[Any], cap: float, weights: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64] | None, int]:
    """Return what the votes weigh after the cap, None where each weighs 1, and how many clusters it touched."""
    if weights is None and tally(clusters).max(initial=0) <= cap:
        return None, 0
    given = np.ones(len(clusters)) if weights is None else weights / weights.mean()
    factors = cap_factors(clusters, cap, given)
    return given * factors, len(np.unique(clusters[factors < 1]))


def _with_prior(result: Fit, together: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return M of a fit with a prior from what the votes of a cluster add by belonging together, both (p, p).

    A prior is for models with few votes, whose own spread comes out too small; so the spread of single votes is the
    expected one (prior.py), and only their products with each other are those observed.
    """
    values, vectors = np.linalg.eigh(result.score_products() + together)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def _shows(products: NDArray[np.float64], result: Fit) -> NDArray[np.bool_]:
    """Return (R,) whether the scores of a model are more than rounding."""
    size = len(result.rated)
    return np.asarray(np.diag(products)[:size] > _ROUNDING * np.diag(result.hessian)[:size])


def _split(votes: Votes, clusters: NDArray[Any], models: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the clusters with each vote on one of the models in a cluster of its own."""
    is_lone = np.zeros(len(votes.models), dtype=bool)
    is_lone[models] = True
    apart = np.flatnonzero(is_lone[votes.a] | is_lone[votes.b])
    first = int(clusters.max(initial=0)) + 1
    codes = clusters.astype(np.int64 if first + len(apart) > np.iinfo(clusters.dtype).max else clusters.dtype)
    codes[apart] = first + np.arange(len(apart))
    return codes
