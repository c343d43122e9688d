"""What a tie is: half a win each, nothing, or Davidson's third outcome; and which predicts best.

The three treatments answer different questions, so their strengths are not on one scale. What they
can be compared by is a prediction they all make, the share of the win p_ij that model i takes from j:

    half, drop    p_ij = 1 / (1 + exp(s_j - s_i))
    davidson      p_ij = P(i wins) + P(tie) / 2

The loss of a held-out vote with share y = 1, 0 or 1/2 is -y log p_ij - (1 - y) log(1 - p_ij). It is a proper
score for a share: whatever the distribution of y, its mean is lowest at p_ij = E y, for any treatment
(Gneiting and Raftery 2007, doi:10.1198/016214506000001437, on proper scores). So the treatment with
the lower mean loss predicts the share better, though the likelihoods of two and of three outcomes could not
be set against each other.

Three caveats. The loss judges the expected share alone: not how well Davidson's model predicts how often
two models tie, nor whether the standard errors are right. Davidson's share is nearly Bradley-Terry's
on a smaller scale, and exactly so at nu = 0 and at nu = 2, where p_ij = 1 / (1 + exp((s_j - s_i) / 2)); so
`half` and `davidson` often predict alike, and a clear choice takes large differences or many votes.
And dropping the ties aims at another number, the chance of a win given that there is one; that is
further from 1/2 than the share whenever there are ties, so `drop` is judged here as a predictor of what
it does not set out to predict.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.errors import NoVotesError, SettingsError
from ratings.fit.bradley_terry import fit
from ratings.fit.data import gather
from ratings.fit.davidson import fit_davidson
from ratings.fit.prior import Prior
from ratings.fit.protocol import Fit
from ratings.outcomes import BothBad, Ties
from ratings.votes.counts import Counts

TREATMENTS: tuple[Ties, ...] = ("half", "davidson", "drop")
"""From plain to fine: of those that predict about equally well the first is chosen."""

FOLDS = 5


@dataclass(frozen=True)
class TieScore:
    """How well one treatment predicts held-out votes."""

    ties: Ties
    loss: float
    """Mean loss of a held-out vote, in nats."""
    standard_error: float
    """Of that mean, over votes."""
    behind: float
    """Loss minus the lowest, in nats per vote; zero for the choice."""
    behind_error: float
    """Standard error of that difference on the same votes; zero for the choice. Much the smaller of the
    two, because all treatments miss the same votes."""


@dataclass(frozen=True)
class TieChoice:
    """The treatment of ties by held-out loss: the plainest that is within one standard error of the best.

    The rule of one standard error (Breiman, Friedman, Olshen and Stone 1984, "Classification and Regression Trees",
    section 3.4.3) keeps the habit where the votes do not separate it from something finer.
    """

    ties: Ties
    scores: tuple[TieScore, ...]
    """One for each treatment that could be fitted in every fold, lowest loss first."""
    unavailable: tuple[Ties, ...]
    """The treatments that could not, for want of ties or of decided votes."""
    votes: int
    """Held-out votes that were compared: those between models which every treatment rates."""
    folds: int

    @property
    def is_clear(self) -> bool:
        """Return whether each other treatment is behind the best by more than two standard errors.

        The folds share training votes, so the errors are a little too small; this is a rule of thumb.
        """
        return all(score.behind > 2 * score.behind_error for score in self.scores[1:])


def choose_ties(
    counts: Counts, rng: np.random.Generator, folds: int = FOLDS, *, both_bad: BothBad = "tie"
) -> TieChoice:
    """Return which treatment of ties predicts held-out votes best, by cross-validation on the counts.

    Every vote falls into one of the folds at random, which splits each count multinomially, so no
    pass over the votes is needed. Both-bad votes are scored only where they count as ties. With
    weights, the mean is the weighted one, and the votes of a cell share its mean weight. Raises
    SettingsError for fewer than two folds or counts that are not whole, and NoVotesError where there
    is no held-out vote to compare by.
    """
    if folds < 2:
        raise SettingsError(f"folds is {folds}; at least 2 are needed to hold votes out")
    if (counts.outcomes != np.round(counts.outcomes)).any():
        raise SettingsError("the counts are not whole numbers of votes, so they cannot be dealt into folds")
    dealt = rng.multinomial(counts.outcomes.astype(np.int64), np.full(folds, 1 / folds)).astype(np.float64)
    fitted = [
        {ties: fit_with(_share(counts, counts.outcomes - part), ties, both_bad=both_bad) for ties in TREATMENTS}
        for part in np.moveaxis(dealt, -1, 0)
    ]
    able = [ties for ties in TREATMENTS if all(len(fold[ties].rated) for fold in fitted)]
    if not able:
        raise NoVotesError("too few votes to hold any out: without them no two models can be rated together")
    held_out = [
        _losses(_share(counts, part), [fold[ties] for ties in able], both_bad)
        for part, fold in zip(np.moveaxis(dealt, -1, 0), fitted, strict=True)
    ]
    return _choice(able, _HeldOut(*(np.concatenate(parts, axis=-1) for parts in zip(*held_out, strict=True))), folds)


def fit_with(
    counts: Counts,
    ties: Ties,
    *,
    both_bad: BothBad = "tie",
    prior: Prior | None = None,
    start: Mapping[str, float] | None = None,
) -> Fit:
    """Return the fit under this treatment of ties: Davidson's for "davidson", else Bradley-Terry's from `start`."""
    if ties == "davidson":
        return fit_davidson(counts, both_bad=both_bad, prior=prior)
    return fit(counts, ties=ties, both_bad=both_bad, prior=prior, start=start)


class _HeldOut(NamedTuple):
    """Losses of held-out votes: one column for each group of equal votes."""

    losses: NDArray[np.float64]  # (treatments, groups)
    weights: NDArray[np.float64]  # (groups,) sum of the weights of the votes
    squares: NDArray[np.float64]  # (groups,) sum of their squares
    votes: NDArray[np.float64]  # (groups,) number of votes


def _share(counts: Counts, outcomes: NDArray[np.float64]) -> Counts:
    """Return the part of the counts with these (n_pairs, O) outcomes and their share of the weights."""
    share = np.divide(outcomes, counts.outcomes, out=np.zeros_like(outcomes), where=counts.outcomes > 0)
    return replace(
        counts,
        outcomes=outcomes,
        weights=None if counts.weights is None else counts.weights * share,
        squared_weights=None if counts.squared_weights is None else counts.squared_weights * share,
    )


def _losses(part: Counts, fits: list[Fit], both_bad: BothBad) -> _HeldOut:
    """Return the losses of the votes of one fold between models that all fits rate."""
    size = len(part.models)
    logs = np.full((len(fits), size, size), np.nan)
    for log, fitted in zip(logs, fits, strict=True):
        log[np.ix_(fitted.rated, fitted.rated)] = np.log(fitted.expected().share)
    data, plain = (
        gather(part, ties="half", both_bad=both_bad),
        gather(_unweighted(part), ties="half", both_bad=both_bad),
    )
    is_known = ~np.isnan(logs).any(axis=0)
    # Wins as they are, and each tie once, from above the diagonal.
    wins, ties = is_known & (data.wins > 0), is_known & (np.triu(data.ties) > 0)
    of_wins, of_ties = -logs[:, wins], -(logs + logs.transpose(0, 2, 1))[:, ties] / 2
    return _HeldOut(
        np.concatenate([of_wins, of_ties], axis=1),
        np.concatenate([data.wins[wins], data.ties[ties]]),
        np.concatenate([data.squared_wins[wins], data.squared_ties[ties]]),
        np.concatenate([plain.wins[wins], plain.ties[ties]]),
    )


def _unweighted(counts: Counts) -> Counts:
    return replace(counts, weights=None, squared_weights=None)


def _choice(able: list[Ties], held_out: _HeldOut, folds: int) -> TieChoice:
    if not held_out.votes.size:
        raise NoVotesError("no held-out vote is between models that every treatment of ties can rate")
    means, errors = _mean_and_error(held_out.losses, held_out)
    best = int(means.argmin())
    behind, behind_errors = _mean_and_error(held_out.losses - held_out.losses[best], held_out)
    scores = [
        TieScore(ties, *map(float, numbers))
        for ties, *numbers in zip(able, means, errors, behind, behind_errors, strict=True)
    ]
    return TieChoice(
        ties=next(score.ties for score in scores if score.behind <= score.behind_error),
        scores=tuple(sorted(scores, key=lambda score: (score.behind, TREATMENTS.index(score.ties)))),
        unavailable=tuple(ties for ties in TREATMENTS if ties not in able),
        votes=round(float(held_out.votes.sum())),
        folds=folds,
    )


def _mean_and_error(values: NDArray[np.float64], held_out: _HeldOut) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (treatments,) weighted means of (treatments, groups) values and their standard errors."""
    total = held_out.weights.sum()
    means = values @ held_out.weights / total
    return means, np.sqrt((values - means[:, None]) ** 2 @ held_out.squares) / total
