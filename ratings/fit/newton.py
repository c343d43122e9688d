"""Newton's method for a concave log-likelihood of votes, with the guards every fit here needs.

Each step solves H step = gradient with H the negative Hessian; the likelihoods of this package are
concave, so the step climbs. It is halved until it does not lose likelihood, and the fit ends when
the gradient is small and the next step would land at machine precision. A fit that does not get
there raises and gives no number.

The votes say nothing about a constant added to all strengths, so H is singular along one direction
`flat`; a multiple of its outer product fills that direction and leaves the others alone.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ratings.errors import NotConvergedError

TOLERANCE = 1e-9
"""Largest entry of the gradient allowed in a finished fit, per vote."""

MAX_ITERATIONS = 100

# sqrt(g^T H^-1 g) is the distance to the maximum in standard errors, whatever the scale of the data. A step
# leaves of it at most the factor max |step|, in nats: along a step that moves no log-odds by more than d the
# Hessian of a logit changes by a factor of e^d at most (Bach 2010, doi:10.1214/09-EJS521), here with d up to
# 2 max |step|. Where less than this would be left, the next step lands at machine precision.
_NEARLY_THERE = 1e-12

Parameters = NDArray[np.float64]
Derivatives = tuple[NDArray[np.float64], NDArray[np.float64]]
"""The (p,) gradient and the (p, p) negative Hessian."""


def maximise(
    log_likelihood: Callable[[Parameters], float],
    derivatives: Callable[[Parameters], Derivatives],
    start: Parameters,
    *,
    flat: NDArray[np.float64],
    votes: float,
    name: str,
) -> tuple[Parameters, int]:
    """Return the (p,) parameters of the highest likelihood, with no part along `flat`, and the steps taken.

    `name` is the method's, for the message of NotConvergedError, which is raised where the gradient
    stays above TOLERANCE times `votes`.
    """
    here = start
    along = flat / (flat @ flat)
    fill = np.outer(along, along)
    tolerance = TOLERANCE * votes
    height = log_likelihood(here)
    for iteration in range(1, MAX_ITERATIONS + 1):
        gradient, hessian = derivatives(here)
        step = np.linalg.solve(hessian + np.trace(hessian) * fill, gradient)
        left = float(np.sqrt(np.maximum(gradient @ step, 0.0)) * np.abs(step).max())
        is_last = left < _NEARLY_THERE and np.abs(gradient).max() < tolerance
        if is_last:
            here = here + step
            return here - flat * (along @ here), iteration
        here, height = _climb(log_likelihood, here, height, step, name)
        here = here - flat * (along @ here)
    raise NotConvergedError(
        f"{name} stopped after {MAX_ITERATIONS} iterations with a gradient of "
        f"{np.abs(gradient).max():.3g} votes, over the tolerance of {tolerance:.3g}; no ratings are given"
    )


def pseudo_inverse_along(hessian: NDArray[np.float64], flat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (p, p) inverse of a Hessian that is singular along (p,) `flat` alone, and zero there."""
    if len(hessian) == 0:
        return hessian
    along = np.outer(flat, flat) / (flat @ flat) ** 2
    c = np.trace(hessian)
    # Outside `flat` the filled matrix inverts as the Hessian would; along it, it holds c / |flat|^2.
    return np.asarray(np.linalg.inv(hessian + c * along) - np.outer(flat, flat) / c)


def _climb(
    log_likelihood: Callable[[Parameters], float], here: Parameters, height: float, step: Parameters, name: str
) -> tuple[Parameters, float]:
    """Return the end of the longest of step, step/2, step/4, ... that does not lose likelihood, and its height."""
    rounding = 1e-12 * abs(height)
    for halving in range(40):
        moved = here + step * 0.5**halving
        reached = log_likelihood(moved)
        if reached >= height - rounding:
            return moved, reached
    raise NotConvergedError(f"{name} found no step that raises the likelihood; no ratings are given")
