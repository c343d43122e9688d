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

The guarantee is asymptotic: it does not start with the first vote, but about WARM_UP effective ones later.
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

LEAST_HORIZON, MOST_HORIZON = 1, 1e12
"""No interval can be narrowest before the first vote, and no arena will see more."""


def multiplier(votes: NDArray[np.float64], *, confidence: float, horizon: float = HORIZON) -> NDArray[np.float64]:
    """Return how many standard errors the interval reaches to each side after this many effective votes.

    Of the shape of `votes`, which are positive. Raises SettingsError for a confidence outside (0, 1)
    or a horizon that is not a positive number.
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
    return np.asarray(np.sqrt(2 * (time + 1) / time * (np.log1p(time) / 2 - math.log(alpha))))


def effective_votes(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many decided votes between two equals would be worth as much, from variances in nats squared."""
    return np.asarray(4 / variance)


def sequence(
    estimates: NDArray[np.float64], variance: NDArray[np.float64], *, confidence: float, horizon: float = HORIZON
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lower and upper bounds in nats, for strengths or differences of any shape.

    `variance` is positive and of the same shape. Each holds at all looks at once with the given
    confidence. Raises SettingsError as `multiplier` does.
    """
    reach = multiplier(effective_votes(variance), confidence=confidence, horizon=horizon) * np.sqrt(variance)
    return estimates - reach, estimates + reach
