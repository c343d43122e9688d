"""Where intervals come from: one function for each kind, from what is known of the votes to a covariance.

- sandwich: from counts (sandwich.py).
- clustered: votes of one voter or on one prompt belong together (clustered.py); its t quantile is
  already in the covariance, and a voter with many votes counts for a twentieth of all at most.
- auto: clustered where the votes tell enough voters (grouping.py), with every vote counting alike, so that strengths
  are those of the sandwich, which it is otherwise.
- bootstrap: percentiles of resampled counts (bootstrap.py); ranks from their covariance.
- sequence: right at all looks at once (confidence_sequence.py), by the covariance that auto takes.

What is made of the covariance, estimate.py has in common for all.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.words import plural
from ratings.board.settings import Settings
from ratings.choices import Cluster, Interval
from ratings.errors import SettingsError, TooFewClustersError
from ratings.fit.bradley_terry import fit
from ratings.fit.protocol import Fit
from ratings.fit.ties import fit_with
from ratings.intervals.bootstrap import REPLICATES, bootstrap
from ratings.intervals.clustered import MIN_CLUSTERS, Clustered, clustered
from ratings.intervals.confidence_sequence import FEWEST_VOTERS
from ratings.intervals.grouping import Grouping, codes_of, group, remark_on_largest, too_few
from ratings.intervals.sandwich import covariance, has_spread
from ratings.votes.clusters import ClusterSizes
from ratings.votes.counts import Counts
from ratings.votes.votes import Votes

Floats = NDArray[np.float64]
Progress = Callable[[int], None]


class Spread(NamedTuple):
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


class Given(NamedTuple):
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


def _sandwich(given: Given) -> Spread:
    settings = given.settings
    result = fit_with(given.counts, settings.ties, both_bad=settings.both_bad, prior=settings.prior, start=given.start)
    return Spread(result, has_spread(result), covariance(result))


def _clustered(given: Given) -> Spread:
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
            f"the {result.clusters} {cluster}s are {_worth(result)}so few that "
            "the intervals may be somewhat too narrow",
        )
    if result.capped:
        notes += (f"{result.capped} of {result.clusters} {cluster}s count for {result.cap:.0f} votes at most",)
    widened = result.widened(settings.confidence)
    return Spread(result.fit, result.has_spread, widened, notes=notes, cluster=cluster)


def _auto(given: Given) -> Spread:
    """Return the clustered spread with every vote counting alike, or the sandwich, and why.

    Where there are voters enough but a few of them cast most of the votes, nobody counts for more than a twentieth.
    """
    grouping, result = _grouped(given)
    if result is None:
        if (capped := _capped(given, grouping)) is not None:
            return capped
        risk = "; too narrow where the voters' tastes differ" if grouping.is_too_few else ""
        return _sandwich(given)._replace(notes=_on_grouping(grouping, risk), interval="sandwich")
    widened = result.widened(given.settings.confidence)
    few = ""
    if result.is_few:
        few = f", {_worth(result)}so few that these may be somewhat too narrow"
    notes = _on_grouping(grouping, few) + _on_little_known(result, grouping.cluster)
    return Spread(result.fit, result.has_spread, widened, notes=notes, cluster=grouping.cluster)


def _capped(given: Given, grouping: Grouping) -> Spread | None:
    """Return the clustered spread with a cap on each voter, None where that takes more voters."""
    sizes, cluster = grouping.sizes, given.settings.cluster
    if not grouping.is_too_few or sizes is None or sizes.number < MIN_CLUSTERS or given.votes is None:
        return None
    try:
        found = _clustered(given)
    except TooFewClustersError:
        return None
    none = "of whom none" if cluster == "voter" else "none of which"
    words = f"votes grouped by {plural(sizes.number, cluster, commas=True)}, {none} counts for more than a twentieth"
    return found._replace(notes=(*_on_grouping(grouping, words=words), *found.notes))


def _sequence(given: Given) -> Spread:
    """Return the spread behind a sequence; too few voters leave every model without bounds."""
    grouping, result = _grouped(given)
    if result is None:
        plain = _sandwich(given)
        voters = np.full(len(plain.has_spread), FEWEST_VOTERS - 1) if grouping.is_too_few else None
        return plain._replace(notes=_on_grouping(grouping, words=grouping.shortage), voters=voters)
    notes = _on_grouping(grouping)
    return Spread(
        fit=result.fit,
        has_spread=result.has_spread,
        covariance=result.covariance,
        notes=notes,
        cluster=grouping.cluster,
        voters=np.minimum(result.voters, result.effective),
        independent=covariance(result.fit),
    )


def _grouped(given: Given) -> tuple[Grouping, Clustered | None]:
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
        return too_few(f"the {grouping.cluster}s who voted on the rated models", None), None
    return grouping, result


def _on_grouping(grouping: Grouping, few: str = "", words: str = "") -> tuple[str, ...]:
    remark = remark_on_largest(grouping.sizes, grouping.cluster)
    return (f"intervals: {words or grouping.words}{few}", *([remark] if remark else []))


def _worth(result: Clustered) -> str:
    """Return what uneven clusters are worth, nothing for even ones."""
    is_uneven = round(result.effective) < result.clusters
    return f"worth {result.effective:.0f} of equal weight: " if is_uneven else ""


def _on_little_known(result: Clustered, cluster: Cluster) -> tuple[str, ...]:
    shown = [result.fit.models[result.fit.rated[model]] for model in result.few if result.has_spread[model]]
    if not shown or result.fit.prior:
        return ()
    names = ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
    return (f"{names}: known from fewer than {MIN_CLUSTERS} {cluster}s, whose votes are taken as independent",)


def _bootstrap(given: Given) -> Spread:
    settings = given.settings
    result = fit(given.counts, ties=settings.ties, both_bad=settings.both_bad, prior=settings.prior, start=given.start)
    plain = Spread(result, has_spread(result), covariance(result))
    if len(result.rated) == 0:
        return plain
    # Ten replicates in each tail at least, for the percentiles.
    replicates = max(REPLICATES, int(np.ceil(20 / (1 - settings.confidence))))
    rng = np.random.default_rng(settings.seed)
    drawn = bootstrap(result, rng=rng, replicates=replicates, progress=given.progress)

    def bounds(kept: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        strengths = drawn.strengths[:, kept]
        if not kept.any():
            return strengths[0], strengths[0]
        centred = strengths - strengths.mean(axis=1, keepdims=True)
        return replace(drawn, estimate=drawn.estimate[kept], strengths=centred).intervals(settings.confidence)

    lost = drawn.drawn - len(drawn.strengths)
    notes: tuple[str, ...] = ("intervals: every vote taken as independent, as the bootstrap does",)
    if lost:
        notes += (f"{lost} of {drawn.drawn} bootstrap replicates had no strengths and were left out",)
    return Spread(result, plain.has_spread, drawn.covariance(), bounds, notes)


SPREADS: dict[Interval, Callable[[Given], Spread]] = {
    "auto": _auto,
    "sandwich": _sandwich,
    "clustered": _clustered,
    "bootstrap": _bootstrap,
    "sequence": _sequence,
}
