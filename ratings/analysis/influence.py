"""Whose votes weigh most: what the board would be without one voter.

A voter's influence is how the ratings change where all of the voter's votes are left out. One Newton
step from the fit, -H+ times the sum of the voter's scores (y - P_ij)(e_i - e_j), gives it to first
order for any number of voters (Cook and Weisberg 1982, "Residuals and Influence in Regression", 3.4).
Those it points to are then left out in earnest and the strengths fitted again, and that change is the one
to quote. A large influence is no proof of foul play: whoever votes most weighs most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ratings.analysis.refit import check_plain, refit
from ratings.errors import SettingsError
from ratings.fit.bradley_terry import win_probability
from ratings.fit.covariates import places, shares_for_either
from ratings.fit.newton import pseudo_inverse
from ratings.fit.protocol import Fit
from ratings.outcomes import BothBad
from ratings.scale import POINTS_PER_NAT
from ratings.votes.votes import Votes

Floats = NDArray[np.float64]

_CHUNK = 4_000_000
"""Numbers in the table of voters by models that is held at once, 32 MB."""


@dataclass(frozen=True)
class VoterInfluence:
    """How the board would change without one voter, in Elo points."""

    voter: str
    """The voter's id as the votes have it, or a short hash of it where it is private."""
    votes: int
    model: str
    """Whose rating changes most; where models lose their rating, the first of them."""
    one_step: float
    """By how much, by the approximation that picked this voter."""
    change: float | None
    """By how much, fitted again; None, as below, where a model loses its rating."""
    lead_change: float | None
    """By how much the lead of the first model over the second changes."""
    first: str | None
    """Who leads without this voter."""


def influential_voters(
    result: Fit,
    votes: Votes,
    voters: NDArray[np.int64],
    *,
    top: int = 10,
    both_bad: BothBad = "tie",
    ids: Sequence[str] | None = None,
) -> tuple[VoterInfluence, ...]:
    """Return the `top` voters without whom some rating changes most, the most influential first.

    `result` is the fit of `votes` with the same `both_bad`; `voters` is (n,) codes, and a negative
    code is nobody's, whose votes are passed over, as are those of a voter whose id is "". `ids` are the ids by code;
    without them a voter is named by the code. Raises SettingsError for a fit with a prior, weights
    or losses to the field.
    """
    check_plain(result)
    share_of, place = shares_for_either(both_bad), places(result)
    if voters.shape != (votes.used,):
        raise SettingsError(f"voters have the shape {voters.shape}; give one code per vote, {(votes.used,)}")
    a, b, share = place[votes.a], place[votes.b], share_of[votes.outcome]
    kept = np.flatnonzero((a >= 0) & (b >= 0) & np.isfinite(share) & (voters >= 0))
    kept = kept[np.argsort(voters[kept], kind="stable")]
    codes, start = np.unique(voters[kept], return_index=True)
    if len(codes) == 0:
        return ()
    cast = _Cast(a[kept], b[kept], share[kept], np.append(start, len(kept)))
    steps = _one_steps(result, cast)
    named = ((v, str(codes[v]) if ids is None else ids[codes[v]]) for v in np.argsort(-steps, kind="stable").tolist())
    found = [_without(result, cast, v, name) for v, name in islice((one for one in named if one[1]), top)]
    return tuple(sorted(found, key=lambda one: -abs(one.one_step if one.change is None else one.change)))


@dataclass(frozen=True)
class _Cast:
    """Votes by voter: those of voter v lie from start[v] to start[v + 1]."""

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    share: Floats
    start: NDArray[np.int64]


def _one_steps(result: Fit, cast: _Cast) -> Floats:
    """Return for each voter the largest change of a strength without their votes, by one Newton step."""
    size, number = len(result.rated), len(cast.start) - 1
    inverse = pseudo_inverse(result.hessian)
    residual = cast.share - win_probability(result.strengths)[cast.a, cast.b]
    largest = np.zeros(number)
    step = max(_CHUNK // size, 1)
    for low in range(0, number, step):
        high = min(low + step, number)
        part = slice(cast.start[low], cast.start[high])
        row = np.repeat(np.arange(high - low), np.diff(cast.start[low : high + 1])) * size
        length = (high - low) * size
        scores = np.bincount(row + cast.a[part], residual[part], length)
        scores -= np.bincount(row + cast.b[part], residual[part], length)
        largest[low:high] = np.abs(scores.reshape(-1, size) @ inverse).max(axis=1)
    return largest


def _without(result: Fit, cast: _Cast, voter: int, name: str) -> VoterInfluence:
    """Return how the board changes without one voter, by one step and fitted again."""
    own = slice(cast.start[voter], cast.start[voter + 1])
    a, b, share = cast.a[own], cast.b[own], cast.share[own]
    wins, ties = result.data.wins.copy(), result.data.ties.copy()
    tied = share == 0.5
    np.subtract.at(wins, (a[~tied], b[~tied]), share[~tied])
    np.subtract.at(wins, (b[~tied], a[~tied]), 1 - share[~tied])
    np.subtract.at(ties, (a[tied], b[tied]), 1)
    np.subtract.at(ties, (b[tied], a[tied]), 1)
    residual = share - win_probability(result.strengths)[a, b]
    score = np.bincount(a, residual, len(result.rated)) - np.bincount(b, residual, len(result.rated))
    one_step = -pseudo_inverse(result.hessian) @ score
    again = refit(wins, ties, result.strengths)
    is_complete = len(again.rated) == len(result.rated)
    change = again.strengths - result.strengths if is_complete else one_step
    names = [result.models[k] for k in result.rated]
    lost = np.setdiff1d(np.arange(len(result.rated)), again.rated)
    model = int(np.abs(change).argmax()) if is_complete else int(lost[0])
    first, second = np.argsort(-result.strengths, kind="stable")[:2]
    return VoterInfluence(
        voter=name,
        votes=len(a),
        model=names[model],
        one_step=float(one_step[model] * POINTS_PER_NAT),
        change=float(change[model] * POINTS_PER_NAT) if is_complete else None,
        lead_change=float((change[first] - change[second]) * POINTS_PER_NAT) if is_complete else None,
        first=names[int(np.argmax(again.strengths))] if is_complete else None,
    )
