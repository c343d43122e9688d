"""Style control: how much longer or more decorated replies win by looks, and who wins without them.

Voters like length, headers, bold type and lists whoever wrote them. With the style of both replies
as covariates beside the models, the strengths show who wins where the replies look alike (Li,
Angelopoulos and Chiang 2024, "Does style matter? Disentangling style and substance in Chatbot
Arena"). fit/covariates.py holds the fit and votes/markdown.py counts; this file turns counts into covariates.

A covariate is the normalised difference (a - b) / (a + b) of a count, which lies between -1 and 1,
divided by its root mean square over the votes, so its coefficient is in nats per standard deviation.
Its mean is not taken off: zero must mean that both replies are alike, and swapping the sides must
turn the sign and do nothing else.

A feature has no estimate where both replies are alike in every vote, where it is a sum of other features and of
the models (as bold is of lists where each item is bold), or where no vote speaks against it. One rare feature of
that kind would take the whole fit with it. So where the fit of all fails, features join one by one in their order,
and one with which there is no fit stays out (`fit_estimable`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.words import plural
from ratings.analysis.position import POSITION
from ratings.errors import InseparableError, NotConvergedError, SettingsError
from ratings.fit.bradley_terry import fit
from ratings.fit.covariate_data import CovariateData
from ratings.fit.covariates import CovariateFit, fit_covariates, places, shares_for_either
from ratings.fit.protocol import Fit
from ratings.outcomes import OUTCOMES, BothBad
from ratings.votes.counts import Counts
from ratings.votes.markdown import FEATURES
from ratings.votes.votes import Votes, keep

NOT_MEASURED = "style not measured"
ALIKE = "both replies are alike in every vote"


def normalised_differences(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (a - b) / (a + b) of counts on side A and side B, in their shape; 0 where both are 0.

    NaN stays NaN: such a reply was not measured. Raises SettingsError for a negative count.
    """
    if (left < 0).any() or (right < 0).any():
        raise SettingsError("a reply has a negative length or count; measure it again")
    total = np.asarray(left + right, dtype=np.float64)
    return np.divide(left - right, total, out=np.zeros_like(total), where=total != 0)


def fit_style(
    votes: Votes,
    differences: NDArray[np.float64],
    names: Sequence[str] = FEATURES,
    *,
    position: bool = False,
    both_bad: BothBad = "tie",
) -> CovariateFit:
    """Return strengths with style held equal, from (n, F) differences A minus B of each vote.

    The differences may be of any antisymmetric kind; `normalised_differences` gives the usual one.
    `position` adds side A as the last covariate. A vote with a NaN is left out as "style not
    measured"; `without` is fitted to the same votes, so the two boards differ by the style alone.
    Raises SettingsError where a covariate never differs or cannot be separated from the others, and
    NotConvergedError where the estimate does not exist.
    """
    share_of = shares_for_either(both_bad)
    if differences.shape != (votes.used, len(names)):
        raise SettingsError(f"differences have the shape {differences.shape}; give {(votes.used, len(names))}")
    is_finite = np.isfinite(differences)
    if not is_finite.all():
        measured = np.asarray(is_finite.all(axis=1))
        votes, differences = only_measured(votes, measured), differences[measured]
    without = fit(_count(votes), both_bad=both_bad)
    pair, share = _pairs(votes, without), share_of[votes.outcome]
    kept = (pair >= 0) & np.isfinite(share)
    if not kept.all():
        pair, share, differences = pair[kept], share[kept], differences[kept]
    sds = np.ones(len(names) + position)
    sds[: len(names)] = np.sqrt(np.einsum("nf,nf->f", differences, differences) / max(len(share), 1))
    if (sds == 0).any():
        same = ", ".join(name for name, sd in zip(names, sds, strict=False) if sd == 0)
        raise SettingsError(f"{same}: both replies are alike in every vote; leave it out")
    x = np.ones((len(sds), len(share)))
    np.divide(differences.T, sds[: len(names), None], out=x[: len(names)])
    titles = (*names, POSITION) if position else tuple(names)
    return fit_covariates(CovariateData(len(without.rated), pair, share, x), titles, sds, without, without.left_out)


def only_measured(votes: Votes, measured: NDArray[np.bool_]) -> Votes:
    """Return the votes that the (n,) mask marks; the others are left out as "style not measured"."""
    if measured.all():
        return votes
    left_out = Counter(votes.left_out)
    left_out[NOT_MEASURED] += int((~measured).sum())
    return replace(keep(votes, measured), left_out=dict(left_out))


class StyleFit(NamedTuple):
    """A fit with style held equal, and what it goes without."""

    fit: CovariateFit
    left_out: dict[str, str]
    """Why a feature has no estimate, by its name."""


def fit_estimable(
    votes: Votes,
    differences: NDArray[np.float64],
    names: Sequence[str],
    *,
    position: bool = False,
    both_bad: BothBad = "tie",
) -> StyleFit:
    """Return the fit of `fit_style` with as many of the features, and of the side, as have an estimate.

    Raises SettingsError where none has one, with the reason of each, and what the fit without features raises.
    """
    measured = np.asarray(np.isfinite(differences).all(axis=1))
    votes, differences = only_measured(votes, measured), differences[measured]
    columns = dict(zip(names, differences.T, strict=True))
    left_out = {name: ALIKE for name, column in columns.items() if not column.any()}

    def fitted(some: list[str]) -> CovariateFit:
        looks = [name for name in some if name != POSITION]
        is_whole = len(looks) == len(names)
        chosen = differences if is_whole else np.array([columns[name] for name in looks]).reshape(len(looks), -1).T
        return fit_style(votes, chosen, looks, position=POSITION in some, both_bad=both_bad)

    wanted = [name for name in names if name not in left_out] + [POSITION] * position
    try:
        if wanted:
            return StyleFit(fitted(wanted), left_out)
    except (SettingsError, NotConvergedError):
        pass
    kept: list[str] = []
    found: CovariateFit | None = None
    for name in wanted:
        try:
            found = fitted([*kept, name])
            kept.append(name)
        except InseparableError:
            left_out[name] = f"it cannot be told from {' and '.join([*kept, 'the models themselves'])}"
        except NotConvergedError:
            left_out[name] = _without_end(columns.get(name))
        except SettingsError as problem:
            left_out[name] = str(problem)
    if found is None:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise SettingsError(f"nothing can be held equal ({reasons})")
    return StyleFit(found, left_out)


def odds_of_double(coefficient: float, sd: float) -> float:
    """Return the factor on the odds of a win for a reply with twice as much, such as twice as long.

    The normalised difference of 2 and 1 is a third. Bounds of a coefficient give bounds of the odds.
    """
    return float(np.exp(coefficient / (3 * sd)))


def _pairs(votes: Votes, without: Fit) -> NDArray[np.int64]:
    """Return (n,) side a times R plus side b of each vote among the R rated models, -1 where one is not."""
    place = places(without)
    numbers = np.add.outer(place * len(without.rated), place)
    numbers[(place < 0), :] = numbers[:, (place < 0)] = -1
    return np.asarray(numbers.ravel()[votes.pair])


def _count(votes: Votes) -> Counts:
    """Return what `counts.count` does for few models: adding up in a table is quicker than sorting the votes."""
    size = len(votes.models)
    cells = np.bincount(votes.pair * len(OUTCOMES) + votes.outcome, minlength=len(OUTCOMES) * size**2)
    cells = cells.reshape(-1, len(OUTCOMES))
    used = np.flatnonzero(cells.any(axis=1))
    pairs = np.stack(np.divmod(used, size), axis=1)
    return Counts(votes.models, pairs, cells[used].astype(np.float64), votes.read, dict(votes.left_out))


def _without_end(column: NDArray[np.float64] | None) -> str:
    if column is None:
        return "it has no finite estimate, as no vote speaks against it"
    differs = int(np.count_nonzero(column))
    votes = plural(len(column), "vote")
    return f"it has no finite estimate: it differs in {differs} of {votes}, and no vote speaks against it"
