"""Which models a Bradley-Terry fit can rate, and in plain words why the others have no number.

The maximum-likelihood strengths exist and are finite exactly when every model can be reached from
every other along "beat or tied" (Ford 1957, "Solution of a Ranking Problem from Binary
Comparisons", Amer. Math. Monthly 64(8), 28-33). Elsewhere a fit runs off to infinity, and where it
stops depends more on the optimiser than on the models. So the largest set of models that
satisfies the condition is rated, and each of the others gets a status instead of a number.

Davidson's model has a tie parameter too, and asks for more. Its log-likelihood is a multinomial
logit's and concave in (s, log nu), so a maximum exists unless some direction (d, e) never loses
likelihood. A win of i over j allows only d_i - d_j >= 2 max(e, 0), or >= 0 for e < 0, and a tie only
|d_i - d_j| <= 2e. Ford's condition leaves no direction with e = 0, and one tie none with e < 0. One with
e > 0 is a set of potentials that falls by at least one unit with every win and by at most one with
every tie, and there is none exactly when some cycle of wins and ties holds more wins than ties
(the negative cycle of a system of difference constraints). One win and one tie of the same two
models have no such cycle: strengths and nu run off to infinity together.
"""

import numpy as np
from numpy.typing import NDArray

RATED = "rated"
NO_VOTES = "no votes"
ONLY_DROPPED = "no votes but both-bad ones, which are dropped"
ONLY_DROPPED_TIES = "no votes but ties, which are dropped"
ONLY_DROPPED_BOTH = "no votes but ties and both-bad ones, which are dropped"
ONLY_FIELD = "no votes but both-bad ones, which connect it to nobody"
NEVER_LOST = "unbounded: never lost or tied"
NEVER_WON = "unbounded: never won or tied"
ABOVE = "unbounded: no chain of losses leads to the rated models"
BELOW = "unbounded: no chain of wins leads to the rated models"
APART = "not connected to the rated models"
NO_CHAIN = "unbounded: no chain of wins leads back to it"
NO_TIES = "no ties: Davidson's tie parameter would be zero, rate by half a win each"
NO_REVERSAL = "unbounded: no cycle of votes has more wins than ties, rate by half a win each"
LEANS_ON_PRIOR = "leans on the prior"
"""Start of the status of a model that has a number only because a prior was asked for."""


def reachable(beats: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (K, K) whether a chain of wins or ties leads from the row's model to the column's.

    `beats` is (K, K): wins of the row's model over the column's, a tie counting for both sides.
    Every model reaches itself. Squaring doubles the length of the chains that are known; where all are reached from
    the first model and reach it, as nearly always, that is not needed.
    """
    reach: NDArray[np.bool_] = np.logical_or(beats > 0, np.eye(len(beats), dtype=bool))
    if len(beats) and _reached(reach).all() and _reached(reach.T).all():
        return np.ones_like(reach)
    while not reach.all():
        steps = reach.astype(np.float32)
        wider = np.greater(steps @ steps, 0)
        if (wider == reach).all():
            break
        reach = wider
    return reach


def _reached(reach: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (K,) whether steps of the (K, K) matrix lead from the first model to each."""
    found = reach[0]
    while True:
        wider = np.asarray(reach[found].any(axis=0))
        if (wider == found).all():
            return wider
        found = wider


def components(
    beats: NDArray[np.float64], reach: NDArray[np.bool_], votes: NDArray[np.float64] | None = None
) -> list[NDArray[np.int64]]:
    """Return the sets of two or more models that can be rated together, each in order, most votes first.

    `votes` is (K, K) symmetric, votes of each pair; without it a win counts once and a tie for both sides. Of sets with
    equally many the one with more models comes first, then the one whose first name comes first.
    """
    votes = beats + beats.T if votes is None else votes
    mutual = np.logical_and(reach, reach.T)
    firsts = np.flatnonzero(mutual.argmax(axis=1) == np.arange(len(mutual)))
    groups = [np.flatnonzero(mutual[first]) for first in firsts]
    groups = [members for members in groups if len(members) > 1]
    return sorted(groups, key=lambda members: (-votes[np.ix_(members, members)].sum(), -len(members), members[0]))


def rated_models(
    beats: NDArray[np.float64], reach: NDArray[np.bool_], votes: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    """Return the indices of the first of `components`, in order; empty where there is none."""
    return next(iter(components(beats, reach, votes)), np.zeros(0, dtype=np.int64))


def why_no_davidson(wins: NDArray[np.float64], ties: NDArray[np.float64], has_prior: bool = False) -> str | None:
    """Return why Davidson's model has no maximum on models that fulfil Ford's condition, or None.

    `wins` is (R, R), the row's over the column's; `ties` is (R, R) and symmetric. A prior bounds the
    strengths, so that only the tie parameter can run off: then a tie and a decided vote are enough.
    """
    if not ties.any():
        return NO_TIES
    has_maximum = bool(wins.any()) if has_prior else _has_cycle_of_wins(wins, ties)
    return None if has_maximum else NO_REVERSAL


def _has_cycle_of_wins(wins: NDArray[np.float64], ties: NDArray[np.float64]) -> bool:
    """Return whether some cycle along wins and ties holds more wins than ties (Bellman and Ford)."""
    reach = reachable(wins)
    if np.logical_and(reach, reach.T).sum() > len(wins):  # a cycle of wins alone, as nearly always
        return True
    cost = np.where(wins > 0, -1.0, np.where(ties > 0, 1.0, np.inf))
    potential = np.zeros(len(wins))
    for _ in range(len(wins)):
        lower = np.minimum(potential, (potential[:, None] + cost).min(axis=0))
        if (lower == potential).all():
            return False
        potential = lower
    return True


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
