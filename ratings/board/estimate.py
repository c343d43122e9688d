"""Counts to strengths with their spread: the fit, the joint covariance, the intervals and the ranks.

The kinds of intervals differ in where the covariance comes from and in how far a bound reaches
(spreads.py), and everything after that is shared. Models whose votes show no spread are taken off and the
others measured from their own mean, so no interval has zero width. A sequence has its ranks from the joint sequences of
all differences, and a model below the warm-up has no bounds yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from common.words import plural
from ratings.board.settings import Settings
from ratings.board.spreads import SPREADS, Floats, Given, Spread
from ratings.board.spreads import Progress as Progress
from ratings.fit.covariates import CovariateFit
from ratings.fit.protocol import Fit
from ratings.intervals.confidence_sequence import FEWEST_VOTERS, WARM_UP, is_early, sequence
from ratings.intervals.differences import Differences, differences, sequence_differences
from ratings.intervals.ranks import simultaneous_ranks
from ratings.intervals.sandwich import NO_SPREAD, centre_on, intervals
from ratings.votes.clusters import ClusterSizes
from ratings.votes.counts import Counts
from ratings.votes.votes import Votes

TOO_EARLY = "too early for an interval that may be watched"


@dataclass(frozen=True)
class Estimate:
    """Strengths of the S models shown out of the K of the counts; in nats, summing to zero over the shown."""

    fit: Fit
    status: tuple[str, ...]
    """(K,) "rated", or why there is no number."""
    shown: NDArray[np.int64]
    """(S,) indices into the models of the counts, in order."""
    strengths: Floats
    """(S,)"""
    covariance: Floats
    """(S, S)"""
    lower: Floats
    """(S,) NaN where it is too early for a bound."""
    upper: Floats
    best: NDArray[np.int64]
    """(S,) the best rank; all rank intervals hold at once."""
    worst: NDArray[np.int64]
    left_out: dict[str, int]
    """Rows that did not enter the fit, by reason."""
    notes: tuple[str, ...] = ()
    multiplier: float | None = None
    """Standard errors that the intervals of all differences at once reach; None where that differs by pair."""
    settings: Settings = field(default_factory=Settings)
    """The choices as they were carried out, with the kind of interval that these are."""
    voters: Floats | None = None
    """(S,) effective number of the clusters behind a sequence; None where every vote is independent."""
    independent: Floats | None = None
    """(S, S) covariance if every vote were independent, which a clustered sequence never falls below."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the (S,) names of the models shown."""
        return tuple(self.fit.models[model] for model in self.shown)


def estimate(
    counts: Counts,
    settings: Settings,
    *,
    votes: Votes | None = None,
    progress: Progress | None = None,
    start: Mapping[str, float] | None = None,
    voters: ClusterSizes | None = None,
) -> Estimate:
    """Return strengths, intervals and ranks of the models that can be rated together.

    `votes` are those that were counted, which intervals by cluster need; `voters` is how they are spread over
    the voters where no more is known. `progress` is called with the
    number of bootstrap replicates done. A fit by half a win each is quicker from a `start` close to its
    end: strengths by name, in nats. Raises SettingsError, VotesError where the votes do not record
    who cast them, TooFewClustersError and NotConvergedError.
    """
    found = SPREADS[settings.interval](Given(counts, settings, votes, progress, start, voters))
    settings = replace(settings, interval=found.interval or settings.interval, cluster=found.cluster)
    return _finish(found, found.fit.strengths, found.fit.left_out, settings)


def with_covariates_equal(fitted: CovariateFit, settings: Settings) -> Estimate:
    """Return the strengths of a fit with covariates, with sandwich intervals and ranks."""
    found = Spread(fitted.without, fitted.has_spread, fitted.covariance)
    plain = replace(settings, interval="sandwich", cluster="none")
    return _finish(found, fitted.strengths, fitted.left_out, plain)


def pairwise(found: Estimate, order: NDArray[np.int64]) -> Differences:
    """Return all differences among the models shown, taken in this (S,) order, by the estimate's kind of interval."""
    settings = found.settings
    strengths, joint = found.strengths[order], found.covariance[np.ix_(order, order)]
    if settings.interval == "sequence":
        plain = None if found.independent is None else found.independent[np.ix_(order, order)]
        voters = None if found.voters is None else found.voters[order]
        return sequence_differences(strengths, joint, settings.confidence, voters, plain)
    rng = np.random.default_rng(settings.seed)
    return differences(
        strengths, joint, settings.confidence, rng=rng, draws=settings.draws, multiplier=found.multiplier
    )


def _finish(found: Spread, strengths: Floats, left_out: dict[str, int], settings: Settings) -> Estimate:
    kept, rated = found.has_spread, found.fit.rated
    independent = None if found.independent is None else centre_on(kept, strengths, found.independent)[1]
    strengths, joint = centre_on(kept, strengths, found.covariance)
    status = list(found.fit.status)
    for model in rated[~kept]:
        status[model] = NO_SPREAD
    voters = None if found.voters is None else found.voters[kept]
    multiplier = None
    if settings.interval == "sequence":
        lower, upper = _watched(strengths, joint, independent, settings.confidence, voters)
        for model in rated[kept][np.isnan(lower)]:
            status[model] = TOO_EARLY
        ahead = sequence_differences(strengths, joint, settings.confidence, voters, independent).joint_lower > 0
        best, worst = 1 + ahead.sum(axis=0), len(strengths) - ahead.sum(axis=1)
    else:
        bounds = found.bounds(kept) if found.bounds else None
        lower, upper = bounds or intervals(strengths, np.diag(joint), settings.confidence)
        rng = np.random.default_rng(settings.seed)
        ranks = simultaneous_ranks(strengths, joint, settings.confidence, rng=rng, draws=settings.draws)
        best, worst, multiplier = ranks.best, ranks.worst, ranks.joint
    notes = found.notes
    if too_early := int(np.isnan(lower).sum()):
        notes += (
            f"{too_early} of {plural(len(lower), 'model')} {'has' if too_early == 1 else 'have'} no interval yet: "
            f"it holds from {WARM_UP:.0f} votes' worth on{_of_voters(voters)}",
        )
    return Estimate(
        fit=found.fit,
        status=tuple(status),
        shown=rated[kept],
        strengths=strengths,
        covariance=joint,
        lower=lower,
        upper=upper,
        best=best,
        worst=worst,
        left_out=left_out,
        notes=notes,
        multiplier=multiplier,
        settings=settings,
        voters=voters,
        independent=independent,
    )


def _watched(
    strengths: Floats, joint: Floats, independent: Floats | None, confidence: float, voters: Floats | None
) -> tuple[Floats, Floats]:
    variance = np.diag(joint) if independent is None else np.maximum(np.diag(joint), np.diag(independent))
    lower, upper = sequence(strengths, variance, confidence=confidence, voters=voters)
    early = is_early(variance, voters)
    return np.where(early, np.nan, lower), np.where(early, np.nan, upper)


def _of_voters(voters: Floats | None) -> str:
    return "" if voters is None else f", cast by {FEWEST_VOTERS:.0f} voters or more"
