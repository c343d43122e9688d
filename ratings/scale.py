"""The published scale: Elo points.

Strengths are fitted in nats (natural log-odds) and sum to zero over the rated models. They are
published as `CENTRE + POINTS_PER_NAT * strength`, so 400 points are odds of ten to one (Elo 1978,
"The Rating of Chessplayers, Past and Present") and the average rated model stands at 1000.

Scale and centre are publishing choices. They live here alone, and neither widens an interval.
"""

import math

import numpy as np
from numpy.typing import NDArray

CENTRE = 1000.0
"""Elo points of the average rated model, and of a newcomer in online Elo."""

POINTS_PER_TENFOLD = 400.0
"""Elo points between two models whose odds are ten to one."""

POINTS_PER_NAT = POINTS_PER_TENFOLD / math.log(10)


def to_points(strengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return strengths, or bounds of strengths, in nats as Elo points; any shape."""
    return CENTRE + POINTS_PER_NAT * strengths
