"""Every choice that moves a number on a board, in one frozen object; words.py puts them into words."""

from dataclasses import dataclass, field
from typing import get_args

from ratings.choices import Cluster, Interval
from ratings.errors import SettingsError
from ratings.fit.elo import K_FACTOR
from ratings.fit.prior import Prior
from ratings.intervals.ranks import FEWEST_DRAWS, MOST_DRAWS
from ratings.outcomes import BothBad, Ties, check_both_bad, check_ties
from ratings.scale import quantile
from ratings.votes.which import Which

MOST_CONFIDENCE = 0.9999
"""Beyond it the ranks would need more draws than is sensible."""

MOST_POINTS = 1e6
"""Beyond it an anchored board would lose the digits in which its models differ."""

MOST_SEED = 2**53
"""Up to which every reader of JSON, where the seed is written, keeps whole numbers."""


@dataclass(frozen=True)
class Settings:
    """The choices that move a number on the board."""

    ties: Ties = "half"
    """Half a win each, dropped, or by Davidson's model; online Elo knows the first alone."""
    both_bad: BothBad = "tie"
    """Whether "both are bad" counts as a tie, is dropped, or is lost by both to the field."""
    prior: Prior | None = None
    interval: Interval = "auto"
    cluster: Cluster = "voter"
    """What automatic, clustered and sequence intervals group the votes by."""
    confidence: float = 0.95
    """Level of each interval on its own, and of all rank intervals together."""
    anchor: tuple[str, float] | None = None
    """A model and the Elo points it is to read; without one the average rated model reads 1000."""
    k: float = K_FACTOR
    """Elo points one vote can move; online Elo only."""
    which: Which = field(default_factory=Which)
    """Which votes count."""
    seed: int = 0
    """Of the normal draws behind the ranks, and of the bootstrap."""

    def __post_init__(self) -> None:
        """Raise SettingsError for a value out of range, or an interval that the treatment of ties has not."""
        check_ties(self.ties)
        check_both_bad(self.both_bad)
        if MOST_CONFIDENCE < self.confidence < 1:
            raise SettingsError(
                f"confidence is {self.confidence}; ranks are drawn, and reach {MOST_CONFIDENCE} at most"
            )
        quantile(self.confidence)
        if self.interval not in get_args(Interval):
            raise SettingsError(f"interval is {self.interval!r}; choose one of {', '.join(get_args(Interval))}")
        if self.cluster not in get_args(Cluster):
            raise SettingsError(f"cluster is {self.cluster!r}; choose one of {', '.join(get_args(Cluster))}")
        if self.ties == "davidson" and self.interval == "bootstrap":
            raise SettingsError("Davidson's model has no bootstrap interval; choose another, such as sandwich")
        if self.anchor and not abs(self.anchor[1]) <= MOST_POINTS:
            raise SettingsError(
                f"anchor is {self.anchor[1]} points; give a finite number up to {MOST_POINTS:,.0f}, such as 1000"
            )
        if not 0 <= self.seed <= MOST_SEED:
            raise SettingsError(f"seed is {self.seed}; give a whole number from 0 on, up to 2**53")

    @property
    def draws(self) -> int | None:
        """Return how many normal draws the ranks need to see a thin tail; None for as many as is usual."""
        return 2 * MOST_DRAWS if (1 - self.confidence) * FEWEST_DRAWS < 2 else None
