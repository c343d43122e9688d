"""The published scale: Elo points.

Strengths are fitted in nats (natural log-odds) and sum to zero over the rated models. They are
published as `CENTRE + POINTS_PER_NAT * strength`, so 400 points are odds of ten to one (Elo 1978,
"The Rating of Chessplayers, Past and Present") and the average rated model stands at 1000.

Scale and centre are publishing choices. They live here alone, and neither widens an interval. The quantile that a
confidence stands for is here too, as every layer above asks for it.
"""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ratings.errors import SettingsError

CENTRE = 1000.0
"""Elo points of the average rated model, and of a newcomer in online Elo."""

POINTS_PER_TENFOLD = 400.0
"""Elo points between two models whose odds are ten to one."""

POINTS_PER_NAT = POINTS_PER_TENFOLD / math.log(10)


def to_points(strengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return strengths, or bounds of strengths, in nats as Elo points; any shape."""
    return CENTRE + POINTS_PER_NAT * strengths


def quantile(confidence: float) -> float:
    """Return the z of a two-sided interval, 1.96 for 0.95; raise SettingsError outside (0, 1)."""
    if not 0 < confidence < 1:
        raise SettingsError(f"confidence is {confidence}; give a share between 0 and 1, such as 0.95")
    if (1 + confidence) / 2 == 1:
        raise SettingsError(f"confidence is {confidence}, which no number can tell from 1; give 0.9999 or less")
    return NormalDist().inv_cdf((1 + confidence) / 2)
