"""Newton's method for a concave log-likelihood of votes, with the guards every fit here needs.

Each step solves H step = gradient with H the negative Hessian; the likelihoods of this package are
concave, so the step climbs. The slope of the likelihood at the end of the step shows whether it went
too far: it is halved until it ends no further below the top than halfway up the slope it began on, and no
likelihood has to be computed. The fit ends when the gradient is small and the next step would land at
machine precision. A fit that does not get there raises and gives no number.

The votes hold no information on a constant added to all strengths, so H is singular along one direction
`flat`; a multiple of its outer product fills that direction and leaves the others alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

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
# This close in squared standard errors and still taking steps of a tenth of a nat and more: a fit that runs off
# to infinity. It is given back as it is, for its caller to look at the Hessian.
_GAINS_NOTHING, _LONG = 1e-10, 0.1
_MANY = 500  # parameters

Parameters = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """The likelihood around one set of p parameters."""

    gradient: Parameters
    """(p,)"""
    hessian: Callable[[], Matrix]
    """Returns the (p, p) negative Hessian; only asked for where a step starts."""


P = TypeVar("P", bound=Place)


@dataclass(frozen=True)
class Maximum(Generic[P]):
    """The end of a climb."""

    parameters: Parameters
    """(p,) of the highest likelihood, with no part along `flat`."""
    last: P
    """The place one negligible step before them."""
    hessian: Matrix
    """(p, p) negative Hessian there."""
    iterations: int
    """Steps taken."""


def maximise(
    at: Callable[[Parameters], P], start: Parameters, *, flat: NDArray[np.float64], votes: float, name: str
) -> Maximum[P]:
    """Return the highest likelihood, climbed to from `start`; `at` returns the place of (p,) parameters.

    `name` is the method's, for the message of NotConvergedError, which is raised where the gradient
    stays above TOLERANCE times `votes`, or where the climb runs off until no information is left.
    """
    along = flat / (flat @ flat)
    fill = np.outer(along, along)
    tolerance = TOLERANCE * votes
    here = start - flat * (along @ start)
    place = at(here)
    for iteration in range(1, MAX_ITERATIONS + 1):
        hessian = place.hessian()
        step = _newton_step(hessian + hessian.trace() * fill, place.gradient, name)
        slope, longest = float(place.gradient @ step), float(np.abs(step).max())
        is_close = np.sqrt(max(slope, 0.0)) * longest < _NEARLY_THERE or (slope < _GAINS_NOTHING and longest > _LONG)
        if is_close and np.abs(place.gradient).max() < tolerance:
            end = here + step
            return Maximum(end - flat * (along @ end), place, hessian, iteration)
        step, place = _climb(at, here, step, slope, name)
        here = here + step
        here = here - flat * (along @ here)
    raise NotConvergedError(
        f"{name} stopped after {MAX_ITERATIONS} iterations with a gradient of "
        f"{np.abs(place.gradient).max():.3g} votes, over the tolerance of {tolerance:.3g}; no ratings are given"
    )


def flat_direction(strengths: int, parameters: int) -> NDArray[np.float64]:
    """Return the (p,) direction that no vote informs: all strengths alike, and what follows them as it is."""
    return np.append(np.ones(strengths), np.zeros(parameters - strengths))


def filled(hessian: Matrix, flat: NDArray[np.float64]) -> Matrix:
    """Return the (p, p) Hessian with its one empty direction, (p,) `flat`, filled by its trace."""
    along = flat / (flat @ flat)
    return np.asarray(hessian + np.trace(hessian) * np.outer(along, along))


def pseudo_inverse(hessian: Matrix, flat: NDArray[np.float64] | None = None) -> Matrix:
    """Return the (p, p) inverse of a Hessian that is singular along (p,) `flat` alone, and zero there.

    Without `flat` it is (1, ..., 1), as for the Laplacian of a connected graph; (0, 0) for none.
    """
    if len(hessian) == 0:
        return hessian
    flat = np.ones(len(hessian)) if flat is None else flat
    # Outside `flat` the filled matrix inverts as the Hessian would; along it, it holds trace / |flat|^2.
    return np.asarray(np.linalg.inv(filled(hessian, flat)) - np.outer(flat, flat) / np.trace(hessian))


def _newton_step(hessian: Matrix, gradient: NDArray[np.float64], name: str) -> Parameters:
    try:
        if len(hessian) > _MANY:  # Cholesky takes half the time, and importing it a tenth of a second
            from scipy.linalg import cho_factor, cho_solve

            return np.asarray(cho_solve(cho_factor(hessian, check_finite=False), gradient, check_finite=False))
        return np.asarray(np.linalg.solve(hessian, gradient))
    except np.linalg.LinAlgError:
        raise NotConvergedError(
            f"{name} ran off to where the votes hold no information; no ratings are given"
        ) from None


def _climb(
    at: Callable[[Parameters], P], here: Parameters, step: Parameters, slope: float, name: str
) -> tuple[Parameters, P]:
    """Return the longest of step, step/2, step/4, ... that does not overshoot, and the place at its end."""
    for _ in range(40):
        place = at(here + step)
        if place.gradient @ step >= -slope / 2:
            return step, place
        step, slope = step / 2, slope / 2
    raise NotConvergedError(f"{name} has no step that raises the likelihood; no ratings are given")
