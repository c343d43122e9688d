"""Online Elo averaged over shuffles of the same votes, with how far its order alone moves it.

Elo's result depends on the order of the votes, which carries no information on fixed models. The mean over
random orders does away with that dependence, and the spread over the orders shows how large it is: an
arena's difference between two models that is smaller than the spread is an accident of who voted when
(Boubdir et al. 2023, arXiv:2311.17295, "Elo Uncovered", measure the same).

The spread is no interval. It does not tell how far other votes would have moved the ratings, it grows
with k, and it is zero where only one order exists.

Every shuffle is a pass over all votes: where numba is importable the pass is compiled, else plain Python.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings.errors import SettingsError
from ratings.fit.elo import K_FACTOR, check_k, decided, play
from ratings.outcomes import BothBad
from ratings.scale import CENTRE
from ratings.votes.votes import Votes

SHUFFLES = 20


@dataclass(frozen=True)
class EloShuffles:
    """Elo ratings of K models over n orders of the same votes, in points; NaN for a model without a vote."""

    mean: NDArray[np.float64]
    """(K,) the rating."""
    sd: NDArray[np.float64]
    """(K,) standard deviation of one order's rating."""
    lowest: NDArray[np.float64]
    """(K,) in any of the orders."""
    highest: NDArray[np.float64]
    """(K,) in any of the orders."""
    shuffles: int

    @property
    def range(self) -> NDArray[np.float64]:
        """Return (K,) points between the lowest and the highest."""
        return self.highest - self.lowest


def elo_over_shuffles(
    votes: Votes,
    rng: np.random.Generator,
    shuffles: int = SHUFFLES,
    *,
    k: float = K_FACTOR,
    initial: float = CENTRE,
    both_bad: BothBad = "tie",
    progress: Callable[[int], None] | None = None,
) -> EloShuffles:
    """Return the mean Elo ratings over `shuffles` random orders of the votes, and their spread.

    `progress` is called with the number of shuffles done since its last call. Raises SettingsError for
    fewer than two shuffles and as `elo` does.
    """
    if shuffles < 2:
        raise SettingsError(f"shuffles is {shuffles}; a spread over orders needs at least 2")
    check_k(k)
    a, b, share = decided(votes, both_bad)
    runs = np.full((shuffles, len(votes.models)), float(initial))
    for run in runs:
        order = rng.permutation(len(share))
        _play(run, a[order], b[order], share[order], k)
        if progress:
            progress(1)
    runs[:, np.bincount(np.concatenate([a, b]), minlength=len(votes.models)) == 0] = np.nan
    return EloShuffles(runs.mean(axis=0), runs.std(axis=0, ddof=1), runs.min(axis=0), runs.max(axis=0), shuffles)


def _play(
    ratings: NDArray[np.float64],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    share: NDArray[np.float64],
    k: float,
) -> None:
    """Move the (K,) ratings in place by (n,) votes in their order, compiled where that is possible."""
    compiled = _compiled_play()
    if compiled:
        compiled(ratings, a, b, share, k)
    else:
        points = ratings.tolist()
        play(points, a.tolist(), b.tolist(), share.tolist(), k)
        ratings[:] = points


@cache
def _compiled_play() -> Callable[..., None] | None:
    try:
        numba: Any = importlib.import_module("numba")
    except ImportError:
        return None
    compiled: Callable[..., None] = numba.njit(play)
    return compiled
