"""Intervals that may be looked at all the time.

A 95% interval is right for one look at a number of votes fixed beforehand. Whoever looks after every
batch and stops at a pleasing answer sees it miss far more often. A confidence sequence is a series
of intervals of which all are right at once, with the given confidence, however often one looks and
for whatever reason one stops. The asymptotic one of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
(2021, arXiv:2103.06476, theorem 2.2) is, around an estimate with standard error se after n votes,

    estimate +- se sqrt( 2 (n rho^2 + 1) / (n rho^2)  log( sqrt(n rho^2 + 1) / alpha ) ).

rho decides where it is narrowest. With rho^2 = (-2 log alpha + log(-2 log alpha) + 1) / horizon
(their section 2.3) that is near n = horizon: 1.55 times as wide there as the 95% interval of a single
look, and no more than 1.7 times from a fifth of it to eighteen times it.

Votes between other models inform a difference too, in part, so n here is not a number of rows
but the number of decided votes between two equal models that would inform it as well, 4 / se^2 (one has
an information of 1/4 nat^-2). The horizon is in the same unit. It has to be chosen without looking at
the votes: a horizon that follows them undoes the guarantee, so the default is a constant.

Voters with tastes of their own who vote more than once break this for votes taken one by one: with tastes of one nat
and ten votes each, a third of the watched differences between equals are "decided". Where the voters are known the
variance is the clustered one (clustered.py), and n = 4 / variance with it: the clock is information, not rows. An
efficient estimate has independent increments in information whatever the votes within a voter
have in common, so that a boundary for independent votes holds (Scharfstein, Tsiatis and Robins 1997, Journal of the
American Statistical Association 92; Tsiatis and Davidian 2025, arXiv:2506.15599, also on when it does not). Here that
is so where all voters cast equally many votes, in blocks or in turns; for other orders and unequal voters it was
measured (docs/coverage.md). The variance itself is known from the voters alone, so the multiplier is
taken from Student's t at the tail of the normal one, with the effective number of voters less one as degrees of
freedom, as sequential t-tests do (Jennison and Turnbull 1991, Biometrika 78, 133-141).

The guarantee is asymptotic: it does not start with the first vote, but about WARM_UP effective ones later, and with
clustered variance from FEWEST_VOTERS effective voters on.
Each sequence holds on its own; sequences of many models are not all right at once.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ratings.errors import SettingsError
from ratings.scale import quantile

HORIZON = 1000.0
"""Effective votes at which the sequence is narrowest: it then reaches 33 Elo points to each side."""

WARM_UP = 50.0
"""Effective votes from which on the sequence is to be trusted."""

FEWEST_VOTERS = 10.0
"""Effective voters from which on it is, where votes are grouped by voter."""
LEAST_HORIZON, MOST_HORIZON = 1, 1e12
"""No interval can be narrowest before the first vote, and no arena will see more."""


def multiplier(
    votes: NDArray[np.float64],
    *,
    confidence: float,
    horizon: float = HORIZON,
    voters: NDArray[np.float64] | float | None = None,
) -> NDArray[np.float64]:
    """Return how many standard errors the interval reaches to each side after this many effective votes.

    Of the shape of `votes`, which are positive. `voters` is the effective number of those behind a clustered
    variance, above one, for all or of the same shape; None where every vote is independent. Raises SettingsError
    for a confidence outside (0, 1) or a horizon that is not a positive number.
    """
    quantile(confidence)  # refuses what is no confidence
    if not LEAST_HORIZON <= horizon <= MOST_HORIZON:
        raise SettingsError(
            f"horizon is {horizon}; give a number of votes from {LEAST_HORIZON:g} to {MOST_HORIZON:g}, such as "
            f"{HORIZON:.0f}"
        )
    alpha = 1 - confidence
    # The formula for the best rho needs -2 log alpha > 1 to make sense; it does not matter much.
    spread = max(-2 * math.log(alpha), 1.0)
    time = votes * (spread + math.log(spread) + 1) / horizon
    normal = np.sqrt(2 * (time + 1) / time * (np.log1p(time) / 2 - math.log(alpha)))
    if voters is None:
        return np.asarray(normal)
    from scipy.special import ndtr, stdtrit

    return np.asarray(-stdtrit(voters - 1, ndtr(-normal)))


def is_early(variance: NDArray[np.float64], voters: NDArray[np.float64] | float | None = None) -> NDArray[np.bool_]:
    """Return whether the sequence does not hold yet at these variances and effective number of voters."""
    early = effective_votes(variance) < WARM_UP
    return np.asarray(early if voters is None else early | (np.asarray(voters) < FEWEST_VOTERS))


def effective_votes(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many decided votes between two equals would be worth as much, from variances in nats squared."""
    return np.asarray(4 / variance)


def sequence(
    estimates: NDArray[np.float64],
    variance: NDArray[np.float64],
    *,
    confidence: float,
    horizon: float = HORIZON,
    voters: NDArray[np.float64] | float | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lower and upper bounds in nats, for strengths or differences of any shape.

    `variance` is positive and of the same shape; `voters` as in `multiplier`. Each holds at all looks at
    once with the given confidence, but where `is_early`. Raises SettingsError as `multiplier` does.
    """
    votes = effective_votes(variance)
    # With one effective voter there are no degrees of freedom; such a sequence is early anyway.
    several = None if voters is None else np.maximum(voters, 1.5)
    reach = multiplier(votes, confidence=confidence, horizon=horizon, voters=several) * np.sqrt(variance)
    return estimates - reach, estimates + reach
