"""Counts to strengths with their spread: the fit, the joint covariance, the intervals and the ranks.

One function for each kind of interval; they differ in where the covariance comes from and in how far a
bound reaches, and everything after them is shared. Models whose votes show no spread are taken off and the
others measured from their own mean, so no interval has zero width.

- sandwich: from counts (sandwich.py).
- clustered: votes of one voter or on one prompt belong together (clustered.py); its t quantile is
  already in the covariance.
- bootstrap: percentiles of resampled counts (bootstrap.py); ranks from their covariance.
- sequence: right at all looks at once (confidence_sequence.py). Its ranks come from the joint sequences of
  all differences, and a model below the warm-up has no bounds yet.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.words import plural
from ratings.board.settings import Settings
from ratings.choices import Interval
from ratings.errors import SettingsError, VotesError
from ratings.fit.bradley_terry import fit
from ratings.fit.covariates import CovariateFit
from ratings.fit.protocol import Fit
from ratings.fit.ties import fit_with
from ratings.intervals.bootstrap import REPLICATES, bootstrap
from ratings.intervals.clustered import clustered
from ratings.intervals.confidence_sequence import WARM_UP, effective_votes, sequence
from ratings.intervals.differences import Differences, differences, sequence_differences
from ratings.intervals.ranks import simultaneous_ranks
from ratings.intervals.sandwich import NO_SPREAD, centre_on, covariance, has_spread, intervals
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


class _Given(NamedTuple):
    """What an estimate may rest on."""

    counts: Counts
    settings: Settings
    votes: Votes | None
    progress: Progress | None
    start: Mapping[str, float] | None


def estimate(
    counts: Counts,
    settings: Settings,
    *,
    votes: Votes | None = None,
    progress: Progress | None = None,
    start: Mapping[str, float] | None = None,
) -> Estimate:
    """Return strengths, intervals and ranks of the models that can be rated together.

    `votes` are those that were counted, which only clustered intervals need; `progress` is called with the
    number of bootstrap replicates done. A fit by half a win each is quicker from a `start` close to its
    end: strengths by name, in nats. Raises SettingsError, VotesError where the votes do not record
    who cast them, TooFewClustersError and NotConvergedError.
    """
    found = _SPREADS[settings.interval](_Given(counts, settings, votes, progress, start))
    return _finish(found, found.fit.strengths, found.fit.left_out, settings)


def with_covariates_equal(fitted: CovariateFit, settings: Settings) -> Estimate:
    """Return the strengths of a fit with covariates, with sandwich intervals and ranks."""
    found = _Spread(fitted.without, fitted.has_spread, fitted.covariance)
    return _finish(found, fitted.strengths, fitted.left_out, replace(settings, interval="sandwich"))


def pairwise(found: Estimate, order: NDArray[np.int64], settings: Settings) -> Differences:
    """Return all differences among the models shown, taken in this (S,) order, by the settings' kind of interval."""
    strengths, joint = found.strengths[order], found.covariance[np.ix_(order, order)]
    if settings.interval == "sequence":
        return sequence_differences(strengths, joint, settings.confidence)
    rng = np.random.default_rng(settings.seed)
    return differences(
        strengths, joint, settings.confidence, rng=rng, draws=settings.draws, multiplier=found.multiplier
    )


def _finish(found: _Spread, strengths: Floats, left_out: dict[str, int], settings: Settings) -> Estimate:
    kept, rated = found.has_spread, found.fit.rated
    strengths, joint = centre_on(kept, strengths, found.covariance)
    status = list(found.fit.status)
    for model in rated[~kept]:
        status[model] = NO_SPREAD
    multiplier = None
    if settings.interval == "sequence":
        lower, upper = _watched(strengths, np.diag(joint), settings.confidence)
        for model in rated[kept][np.isnan(lower)]:
            status[model] = TOO_EARLY
        ahead = sequence_differences(strengths, joint, settings.confidence).joint_lower > 0
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
            f"it holds from {WARM_UP:.0f} votes' worth on",
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
    )


def _watched(strengths: Floats, variance: Floats, confidence: float) -> tuple[Floats, Floats]:
    lower, upper = sequence(strengths, variance, confidence=confidence)
    is_early = effective_votes(variance) < WARM_UP
    return np.where(is_early, np.nan, lower), np.where(is_early, np.nan, upper)


def _sandwich(given: _Given) -> _Spread:
    settings = given.settings
    result = fit_with(given.counts, settings.ties, both_bad=settings.both_bad, prior=settings.prior, start=given.start)
    return _Spread(result, has_spread(result), covariance(result))


def _clustered(given: _Given) -> _Spread:
    counts, settings, votes = given.counts, given.settings, given.votes
    if votes is None:
        raise SettingsError("clustered intervals need the votes themselves and not their counts")
    codes = votes.voter if settings.cluster == "voter" else votes.prompt
    if codes is None:
        what = "who cast them" if settings.cluster == "voter" else "which prompt they are about"
        raise VotesError(f"these votes do not record {what}, so they cannot be clustered; choose another interval")
    result = clustered(
        votes,
        codes,
        ties=settings.ties,
        both_bad=settings.both_bad,
        prior=settings.prior,
        weights=None if counts.weights is None or votes.probability is None else 1 / votes.probability,
    )
    notes = []
    if result.is_few:
        notes.append(
            f"the {result.clusters} {settings.cluster}s are worth {result.effective:.0f} of equal weight: so few that "
            "the intervals may be somewhat too narrow"
        )
    if result.capped:
        notes.append(
            f"{result.capped} of {result.clusters} {settings.cluster}s count for {result.cap:.0f} votes at most"
        )
    return _Spread(result.fit, result.has_spread, result.widened(settings.confidence), notes=tuple(notes))


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
    "sandwich": _sandwich,
    "clustered": _clustered,
    "bootstrap": _bootstrap,
    "sequence": _sandwich,
}
