"""What all fits have in common, whatever they make of a tie: enough for intervals, residuals and pages."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ratings.fit.data import FitData
from ratings.fit.prior import Prior

Floats = NDArray[np.float64]


class Expected(NamedTuple):
    """What a fit expects of one vote on each pair of the R rated models; the row's model against the column's."""

    share: Floats
    """(R, R) share of the win."""
    variance: Floats
    """(R, R) of that share."""
    with_tie: Floats | None = None
    """(R, R) covariance of the share and of a tie, where the fit has a tie parameter."""


class Fit(Protocol):
    """Strengths of the R rated models out of the K models of the counts."""

    @property
    def models(self) -> tuple[str, ...]:
        """Return all K models."""

    @property
    def status(self) -> tuple[str, ...]:
        """Return (K,) "rated", or why there is no strength, or what a strength leans on."""

    @property
    def rated(self) -> NDArray[np.int64]:
        """Return (R,) indices into `models`."""

    @property
    def strengths(self) -> Floats:
        """Return (R,) nats that sum to zero."""

    @property
    def log_nu(self) -> float | None:
        """Return the logarithm of the tie parameter; None for a fit without one."""

    @property
    def hessian(self) -> Floats:
        """Return the (p, p) negative Hessian, the strengths first and then the tie parameter where there is one."""

    @property
    def data(self) -> FitData:
        """Return the votes that entered the fit, over the R rated models."""

    @property
    def prior(self) -> Prior | None:
        """Return the prior on the strengths."""

    @property
    def left_out(self) -> dict[str, int]:
        """Return how many rows did not enter the fit, by reason."""

    @property
    def inverse(self) -> Floats:
        """Return the (p, p) pseudo-inverse of the Hessian."""

    def score_products(self) -> Floats:
        """Return the (p, p) sum over the votes of the outer product of the score."""

    def expected(self) -> Expected:
        """Return what the fit expects of a vote on each pair."""
