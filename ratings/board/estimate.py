"""Counts to strengths with their spread: the fit, the joint covariance, the intervals and the ranks.

One function for each kind of interval; they differ in where the covariance comes from and in how far a
bound reaches, and everything after them is shared. Models whose votes show no spread are taken off and the
others measured from their own mean, so no interval has zero width.

- sandwich: from counts (sandwich.py).
- clustered: votes of one voter or on one prompt belong together (clustered.py); its t quantile is
  already in the covariance, and a voter with many votes counts for a twentieth of all at most.
- auto: clustered where the votes tell enough voters (grouping.py), with every vote counting alike, so that strengths
  are those of the sandwich, which it is otherwise.
- bootstrap: percentiles of resampled counts (bootstrap.py); ranks from their covariance.
- sequence: right at all looks at once (confidence_sequence.py), by the covariance that auto takes. Its ranks
  come from the joint sequences of all differences, and a model below the warm-up has no bounds yet.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.words import plural
from ratings.board.settings import Settings
from ratings.choices import Cluster, Interval
from ratings.errors import SettingsError, TooFewClustersError
from ratings.fit.bradley_terry import fit
from ratings.fit.covariates import CovariateFit
from ratings.fit.protocol import Fit
from ratings.fit.ties import fit_with
from ratings.intervals.bootstrap import REPLICATES, bootstrap
from ratings.intervals.clustered import MIN_CLUSTERS, Clustered, clustered
from ratings.intervals.confidence_sequence import FEWEST_VOTERS, WARM_UP, is_early, sequence
from ratings.intervals.differences import Differences, differences, sequence_differences
from ratings.intervals.grouping import Grouping, codes_of, group, remark_on_largest
from ratings.intervals.ranks import simultaneous_ranks
from ratings.intervals.sandwich import NO_SPREAD, centre_on, covariance, has_spread, intervals
from ratings.votes.clusters import ClusterSizes
from ratings.votes.counts import Counts
from ratings.votes.votes import Votes

Floats = NDArray[np.float64]
Progress = Callable[[int], None]

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


class _Spread(NamedTuple):
    """What a kind of interval finds out, over the R rated models."""

    fit: Fit
    has_spread: NDArray[np.bool_]
    covariance: Floats
    bounds: Callable[[NDArray[np.bool_]], tuple[Floats, Floats]] | None = None
    """The (S,) bounds of the models shown, where they are not those of the covariance."""
    notes: tuple[str, ...] = ()
    interval: Interval | None = None
    """The kind found, where that is not the one asked for."""
    cluster: Cluster = "none"
    voters: Floats | None = None
    independent: Floats | None = None


class _Given(NamedTuple):
    """What an estimate may rest on."""

    counts: Counts
    settings: Settings
    votes: Votes | None
    progress: Progress | None
    start: Mapping[str, float] | None
    voters: ClusterSizes | None

    def grouping(self) -> Grouping:
        """Return how the votes are grouped where that is not asked for."""
        are_simulated = self.counts.simulated >= self.counts.used
        return group(self.votes, self.settings.cluster, sizes=self.voters, are_simulated=are_simulated)

    @property
    def weights(self) -> Floats | None:
        """Return what the votes weigh by the chance of their pair, where that was asked for."""
        if self.counts.weights is None or self.votes is None or self.votes.probability is None:
            return None
        return np.asarray(1 / self.votes.probability)


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
    found = _SPREADS[settings.interval](_Given(counts, settings, votes, progress, start, voters))
    settings = replace(settings, interval=found.interval or settings.interval, cluster=found.cluster)
    return _finish(found, found.fit.strengths, found.fit.left_out, settings)


def with_covariates_equal(fitted: CovariateFit, settings: Settings) -> Estimate:
    """Return the strengths of a fit with covariates, with sandwich intervals and ranks."""
    found = _Spread(fitted.without, fitted.has_spread, fitted.covariance)
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


def _finish(found: _Spread, strengths: Floats, left_out: dict[str, int], settings: Settings) -> Estimate:
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


def _sandwich(given: _Given) -> _Spread:
    settings = given.settings
    result = fit_with(given.counts, settings.ties, both_bad=settings.both_bad, prior=settings.prior, start=given.start)
    return _Spread(result, has_spread(result), covariance(result))


def _clustered(given: _Given) -> _Spread:
    settings, votes = given.settings, given.votes
    if votes is None:
        raise SettingsError("clustered intervals need the votes themselves and not their counts")
    cluster: Cluster = "voter" if settings.cluster == "none" else settings.cluster
    codes = codes_of(votes, cluster)
    result = clustered(
        votes,
        codes,
        ties=settings.ties,
        both_bad=settings.both_bad,
        prior=settings.prior,
        weights=given.weights,
    )
    notes: tuple[str, ...] = ()
    if result.is_few:
        notes += (
            f"the {result.clusters} {cluster}s are worth {result.effective:.0f} of equal weight: so few that "
            "the intervals may be somewhat too narrow",
        )
    if result.capped:
        notes += (f"{result.capped} of {result.clusters} {cluster}s count for {result.cap:.0f} votes at most",)
    widened = result.widened(settings.confidence)
    return _Spread(result.fit, result.has_spread, widened, notes=notes, cluster=cluster)


def _auto(given: _Given) -> _Spread:
    """Return the clustered spread with every vote counting alike, or the sandwich, and why."""
    grouping, result = _grouped(given)
    if result is None:
        return _sandwich(given)._replace(notes=_on_grouping(grouping), interval="sandwich")
    widened = result.widened(given.settings.confidence)
    few = ""
    if result.is_few:
        few = f", worth {result.effective:.0f} of equal weight: so few that these may be somewhat too narrow"
    notes = _on_grouping(grouping, few) + _on_little_known(result, grouping.cluster)
    return _Spread(result.fit, result.has_spread, widened, notes=notes, cluster=grouping.cluster)


def _sequence(given: _Given) -> _Spread:
    """Return the spread behind a sequence; too few voters leave every model without bounds."""
    grouping, result = _grouped(given)
    if result is None:
        plain = _sandwich(given)
        voters = np.full(len(plain.has_spread), FEWEST_VOTERS - 1) if grouping.is_too_few else None
        return plain._replace(notes=_on_grouping(grouping), voters=voters)
    notes = _on_grouping(grouping)
    return _Spread(
        fit=result.fit,
        has_spread=result.has_spread,
        covariance=result.covariance,
        notes=notes,
        cluster=grouping.cluster,
        voters=np.minimum(result.voters, result.effective),
        independent=covariance(result.fit),
    )


def _grouped(given: _Given) -> tuple[Grouping, Clustered | None]:
    """Return how the votes are grouped and what follows; None where every vote is taken as independent."""
    grouping, settings = given.grouping(), given.settings
    if grouping.codes is None or given.votes is None:
        return grouping, None
    try:
        result = clustered(
            given.votes,
            grouping.codes,
            counts=given.counts,
            ties=settings.ties,
            both_bad=settings.both_bad,
            prior=settings.prior,
            weights=given.weights,
            cap=np.inf,
            split_few=True,
            start=given.start,
        )
    except TooFewClustersError:
        words = f"every vote taken as independent: too few {grouping.cluster}s voted on the models that are rated"
        return replace(grouping, cluster="none", codes=None, words=words, is_too_few=True), None
    return grouping, result


def _on_grouping(grouping: Grouping, few: str = "") -> tuple[str, ...]:
    remark = remark_on_largest(grouping.sizes, grouping.cluster)
    return (f"intervals: {grouping.words}{few}", *([remark] if remark else []))


def _on_little_known(result: Clustered, cluster: Cluster) -> tuple[str, ...]:
    shown = [result.fit.models[result.fit.rated[model]] for model in result.few if result.has_spread[model]]
    if not shown or result.fit.prior:
        return ()
    names = ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
    return (f"{names}: known from fewer than {MIN_CLUSTERS} {cluster}s, whose votes are taken as independent",)


def _bootstrap(given: _Given) -> _Spread:
    settings = given.settings
    result = fit(given.counts, ties=settings.ties, both_bad=settings.both_bad, prior=settings.prior, start=given.start)
    plain = _Spread(result, has_spread(result), covariance(result))
    if len(result.rated) == 0:
        return plain
    # Ten replicates in each tail at least, for the percentiles.
    replicates = max(REPLICATES, int(np.ceil(20 / (1 - settings.confidence))))
    rng = np.random.default_rng(settings.seed)
    drawn = bootstrap(result, rng=rng, replicates=replicates, progress=given.progress)

    def bounds(kept: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        strengths = drawn.strengths[:, kept]
        centred = strengths - strengths.mean(axis=1, keepdims=True)
        return replace(drawn, estimate=drawn.estimate[kept], strengths=centred).intervals(settings.confidence)

    lost = drawn.drawn - len(drawn.strengths)
    notes = (f"{lost} of {drawn.drawn} bootstrap replicates had no strengths and were left out",) if lost else ()
    return _Spread(result, plain.has_spread, drawn.covariance(), bounds, notes)


_SPREADS: dict[Interval, Callable[[_Given], _Spread]] = {
    "auto": _auto,
    "sandwich": _sandwich,
    "clustered": _clustered,
    "bootstrap": _bootstrap,
    "sequence": _sequence,
}
