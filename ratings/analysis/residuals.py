"""Where votes and fit part: what was seen of each pair, what the fit expects, and how far that is off.

One strength per model cannot express that a beats b, b beats c and c beats a, nor that a model does well
against one opponent alone. Both show as residuals of pairs. With O the share of the win that i took
from j over n votes, p the share the fit expects and v(p) its variance,

    r_ij = (O - n p) / sqrt(phi n v (1 - h)),

which is near a standard normal where the fit is right. v is p (1 - p) for Bradley-Terry and that of
Davidson's three outcomes for Davidson's. phi is the mean squared residual of a vote over its expected
square (Wedderburn 1974, doi:10.1093/biomet/61.3.439): a tie as half a win is less noisy than a coin, and
phi knows it. h is the pair's leverage, the share of its own residual that the fit has taken up (Pregibon
1981, doi:10.1214/aos/1176345513). A pair which alone decides how two models compare has h = 1, so there
is nothing to hold it against and no residual.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratings.board.leaderboard import Leaderboard
from ratings.fit.data import FitData, gather
from ratings.fit.newton import flat_direction, pseudo_inverse
from ratings.fit.protocol import Expected, Fit
from ratings.outcomes import BothBad
from ratings.votes.counts import Counts

Floats = NDArray[np.float64]

LARGE = 3.0
"""Standard errors beyond which a residual is worth a look; one pair in 370 is by chance."""

# A pair that keeps less of its residual than this is one the fit follows, but for rounding.
_FOLLOWED = 1e-6


@dataclass(frozen=True)
class PairTable:
    """What is known of each pair of M models; the row's model against the column's."""

    models: tuple[str, ...]
    """(M,) names, in the order of the board."""
    battles: Floats
    """(M, M) usable votes between the two, both-bad ones included; symmetric, zero on the diagonal."""
    observed: Floats
    """(M, M) share of the win, as the ratings count it; NaN without a vote."""
    expected: Floats | None = None
    """(M, M) share the fit expects, NaN on the diagonal; None without a fit."""
    residual: Floats | None = None
    """(M, M) standard errors the row's model won beyond that; NaN where there is nothing to compare."""


def pairs_of(board: Leaderboard, counts: Counts, fit: Fit | None, most: int) -> PairTable:
    """Return the pairs among the first `most` rated models, or among all where nobody is rated."""
    rows = [row for row in board.rows if row.rating is not None] or list(board.rows)
    names = tuple(row.model for row in rows[:most])
    total = np.zeros((len(counts.models), len(counts.models)))
    np.add.at(total, (counts.pairs[:, 0], counts.pairs[:, 1]), counts.outcomes.sum(axis=1))
    battles = _among(total + total.T, counts.models, names)
    rated = () if fit is None else tuple(fit.models[i] for i in fit.rated)
    if fit is None or not set(names) <= set(rated):
        return PairTable(names, battles, _among(_shares(_data_without_a_fit(board, counts)), counts.models, names))
    return PairTable(
        names,
        battles,
        _among(_shares(fit.data), rated, names),
        _among(_off_diagonal(fit.expected().share), rated, names),
        _among(residuals(fit), rated, names),
    )


def residuals(fit: Fit) -> Floats:
    """Return (R, R) standard errors that the row's model won beyond what the fit expects of it.

    Antisymmetric; NaN for a pair without a vote, or one that the fit follows whatever its votes are. With
    weights the variance takes their squares, and the leverage is that of the weighted fit.
    """
    expects = fit.expected()
    expected, variance = expects.share, expects.variance
    data, squared = fit.data, fit.data.squared
    votes, squares = (part.wins + part.wins.T + part.ties for part in (data, squared))
    seen = squared.wins * expected.T**2
    scores = seen + seen.T + squared.ties * (0.5 - expected) ** 2
    total = float((squares * variance).sum())
    phi = float(scores.sum()) / total if total else 0.0
    left = 1 - _leverage(fit, votes, expects)
    error = phi * squares * variance * left
    is_known = (votes > 0) & (left > _FOLLOWED) & (error > 0)
    beyond = data.shares * expected.T - data.shares.T * expected  # O - n p, without a difference of large numbers
    return np.where(is_known, beyond / np.sqrt(np.where(is_known, error, 1.0)), np.nan)


def _leverage(fit: Fit, votes: Floats, expected: Expected) -> Floats:
    """Return (R, R) the share of each pair's residual that the fit has taken up."""
    size, variance = len(fit.strengths), expected.variance
    inverse = pseudo_inverse(fit.hessian, flat_direction(size, len(fit.hessian)))
    among = inverse[:size, :size]
    spread = np.add.outer(np.diag(among), np.diag(among)) - 2 * among
    leverage = votes * variance * spread
    if expected.with_tie is not None:  # the tie parameter follows the pair too
        both = np.divide(expected.with_tie, variance, out=np.zeros_like(variance), where=variance > 0)
        lean = inverse[:size, size]
        leverage += (
            votes * both * (2 * variance * np.subtract.outer(lean, lean) + variance * both * inverse[size, size])
        )
    return np.asarray(leverage)


def _data_without_a_fit(board: Leaderboard, counts: Counts) -> FitData:
    """Return the votes as they are counted without a fit: ties half a win each, both-bad as the board took them."""
    both_bad: BothBad = "tie" if board.settings.both_bad == "tie" else "drop"
    return gather(counts, ties="half", both_bad=both_bad)


def _shares(data: FitData) -> Floats:
    votes = data.shares + data.shares.T
    return np.divide(data.shares, votes, out=np.full_like(votes, np.nan), where=votes > 0)


def _off_diagonal(square: Floats) -> Floats:
    return np.where(np.eye(len(square), dtype=bool), np.nan, square)


def _among(square: Floats, models: tuple[str, ...], names: tuple[str, ...]) -> Floats:
    index = {name: number for number, name in enumerate(models)}
    order = [index[name] for name in names]
    return np.asarray(square[np.ix_(order, order)])
