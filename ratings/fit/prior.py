"""A Gaussian prior on the strengths, for boards that must place every model.

Without a prior a model that never lost has no number, and that is the honest answer. Where a number
is wanted all the same, the strengths may be taken to come from a normal distribution around their
mean with a standard deviation in Elo points. This adds

    -tau/2 sum_i (s_i - mean(s))^2,    tau = 1 / sd^2 in nats,

to the log-likelihood, -tau C s to the gradient and tau C to the negative Hessian, with C = I - J/R;
the strengths are then the highest point of the posterior (MAP). The term ties all models together,
so all with a vote are rated; a status marks those that lean on it. All are drawn to the mean, the less the
more votes they have. That is a choice of whoever asks for it, so it has no default.

The covariance is (H + tau C)+ (M + tau C) (H + tau C)+. To first order the error of the fit is
(H + tau C)+ (score - tau C s), and if the true s is a draw from the prior its part has the variance
tau C. Here M holds the squared scores that the model expects, not those of the votes: a prior is asked
for where models have few votes, and there the votes' own spread comes out too small, because the fit
has bent to them. Where every vote weighs the same M is H, and the covariance is Laplace's posterior,
(H + tau C)+. It is never of zero width, holds on average over models drawn from the prior, and is wide
where ties count as half a win each, since it takes a tie for a coin toss.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratings.errors import SettingsError
from ratings.scale import POINTS_PER_NAT

LEAST_SD, MOST_SD = 0.1, 1e6
"""Elo points: below, all models are one to every printed digit; above, a prior is none to machine precision."""


@dataclass(frozen=True)
class Prior:
    """A normal distribution of the strengths around their mean."""

    sd_points: float
    """Standard deviation in Elo points; two models in three stand within it from the mean."""

    def __post_init__(self) -> None:
        """Raise SettingsError unless the standard deviation is within LEAST_SD and MOST_SD."""
        if not LEAST_SD <= self.sd_points <= MOST_SD:
            raise SettingsError(
                f"the prior's standard deviation is {self.sd_points}; give Elo points from {LEAST_SD:g} to "
                f"{MOST_SD:,.0f}, such as 200"
            )

    @property
    def precision(self) -> float:
        """Return tau, one over the variance in nats squared."""
        return (POINTS_PER_NAT / self.sd_points) ** 2


def prior_derivatives(prior: Prior, strengths: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (R,) gradient and the (R, R) negative Hessian of the log-density of (R,) strengths in nats."""
    centre = np.eye(len(strengths)) - 1 / max(len(strengths), 1)
    return prior.precision * (strengths.mean() - strengths), prior.precision * centre
