"""The table of outcomes as arrays by `Outcome.code`: what a vote of each outcome gives to side A and side B."""

import numpy as np
from numpy.typing import NDArray

from ratings.outcomes import OUTCOMES, BothBad, Outcome, Ties


def _kind(outcome: Outcome) -> tuple[float, float, bool, bool]:
    if outcome.share is None or outcome.is_tie:
        return 0.0, 0.0, outcome.is_tie, not outcome.is_tie
    return outcome.share, 1 - outcome.share, False, False


WON, LOST, TIED, BAD = np.array([_kind(outcome) for outcome in OUTCOMES], dtype=np.float64).T.copy()
"""(O,) each: the share of a decided vote for side A, that for side B, 1 for a tie, 1 for both bad."""


def shares(both_bad: BothBad, ties: Ties = "half") -> NDArray[np.float64]:
    """Return (O,) side A's share of the win; NaN for votes that are dropped or lost to the field."""
    tie = np.nan if ties == "drop" else 0.5
    bad = tie if both_bad == "tie" else np.nan
    return np.asarray(WON + np.where(TIED > 0, tie, 0.0) + np.where(BAD > 0, bad, 0.0))


def total(cells: NDArray[np.float64], kind: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return cells @ kind of (..., O) cells and an (O,) kind such as WON; quicker, as most of a kind is zero."""
    return np.asarray(sum(cells[..., code] * kind[code] for code in np.flatnonzero(kind)))
