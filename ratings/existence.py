"""Which models a Bradley-Terry fit can rate, and in plain words why the others have no number.

The maximum-likelihood strengths exist and are finite exactly when every model can be reached from
every other along "beat or tied" (Ford 1957, "Solution of a Ranking Problem from Binary
Comparisons", Amer. Math. Monthly 64(8), 28-33). Elsewhere a fit runs off to infinity, and where it
stops says more about the optimiser than about the models. So the largest set of models that
satisfies the condition is rated, and each of the others gets a status instead of a number.
"""

import numpy as np
from numpy.typing import NDArray

RATED = "rated"
NO_VOTES = "no votes"
ONLY_DROPPED = "no votes but both-bad ones, which are dropped"
NEVER_LOST = "unbounded: never lost or tied"
NEVER_WON = "unbounded: never won or tied"
ABOVE = "unbounded: no chain of losses leads to the rated models"
BELOW = "unbounded: no chain of wins leads to the rated models"
APART = "not connected to the rated models"
NO_CHAIN = "unbounded: no chain of wins leads back to it"


def reachable(beats: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (K, K) whether a chain of wins or ties leads from the row's model to the column's.

    `beats` is (K, K): wins of the row's model over the column's, a tie counting for both sides.
    Every model reaches itself. Squaring doubles the length of the chains that are known.
    """
    reach: NDArray[np.bool_] = np.logical_or(beats > 0, np.eye(len(beats), dtype=bool))
    while True:
        steps = reach.astype(np.float32)
        wider = np.greater(steps @ steps, 0)
        if (wider == reach).all():
            return reach
        reach = wider


def rated_models(beats: NDArray[np.float64], reach: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the indices of the models that can be rated together, in order; empty where none can.

    The largest set whose models all reach each other is taken; of equally large ones the one with
    the most votes among its models, then the one whose first name comes first.
    """
    mutual = np.logical_and(reach, reach.T)
    best: tuple[int, float, int] | None = None
    rated = np.zeros(0, dtype=np.int64)
    for first in np.flatnonzero(mutual.argmax(axis=1) == np.arange(len(mutual))):
        members = np.flatnonzero(mutual[first])
        merit = (len(members), float(beats[np.ix_(members, members)].sum()), -int(first))
        if len(members) > 1 and (best is None or merit > best):
            best, rated = merit, members
    return rated


def statuses(beats: NDArray[np.float64], reach: NDArray[np.bool_], rated: NDArray[np.int64]) -> list[str]:
    """Return for each of the K models that it is rated, or why it is not."""
    won, lost = beats.sum(axis=1), beats.sum(axis=0)
    above = np.asarray(reach[:, rated].any(axis=1))
    below = np.asarray(reach[rated, :].any(axis=0))
    members = set(rated.tolist())
    return [
        RATED if i in members else _why_unrated(won[i], lost[i], above[i], below[i], len(members) > 0)
        for i in range(len(beats))
    ]


def _why_unrated(won: float, lost: float, above: bool, below: bool, is_any_rated: bool) -> str:
    if won == 0 and lost == 0:
        return NO_VOTES
    if lost == 0:
        return NEVER_LOST
    if won == 0:
        return NEVER_WON
    if not is_any_rated:
        return NO_CHAIN
    if above:
        return ABOVE
    return BELOW if below else APART
