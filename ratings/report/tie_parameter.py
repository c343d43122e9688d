"""Davidson's tie parameter with its interval, as a reader of a report needs it."""

import math
from dataclasses import dataclass

from ratings.fit.protocol import Fit
from ratings.intervals.sandwich import joint_covariance
from ratings.scale import quantile


@dataclass(frozen=True)
class TieParameter:
    """Davidson's nu, whose interval is that of log nu and takes every vote as independent."""

    nu: float
    lower: float
    upper: float
    confidence: float
    tie_share: float
    """How often equals tie, nu / (2 + nu)."""
    tie_share_lower: float
    tie_share_upper: float

    @property
    def told(self) -> str:
        """Return it as a sentence without its end."""
        shares = (self.tie_share, self.tie_share_lower, self.tie_share_upper)
        equals, low, high = (f"{100 * share:.1f}" for share in shares)
        return (
            f"Davidson's nu is {self.nu:.3g} [{self.lower:.3g}, {self.upper:.3g}], so that equals tie in "
            f"{equals}% [{low}, {high}] of their battles"
        )


def tie_parameter(fit: Fit | None, confidence: float) -> TieParameter | None:
    """Return nu with its interval, or None for a fit that has none or rates nobody."""
    if fit is None or fit.log_nu is None or not len(fit.rated) or not math.isfinite(fit.log_nu):
        return None
    reach = quantile(confidence) * math.sqrt(max(float(joint_covariance(fit)[-1, -1]), 0.0))
    nu, low, high = (math.exp(fit.log_nu + step) for step in (0.0, -reach, reach))
    return TieParameter(nu, low, high, confidence, *(one / (2 + one) for one in (nu, low, high)))
