"""What a report is to hold, and what has to be read for it."""

from dataclasses import dataclass, field

from ratings.analysis.lineage import Lineage
from ratings.board.settings import Settings
from ratings.choices import Period
from ratings.report.sources import Needs

EVERY_CATEGORY = "all"


@dataclass(frozen=True)
class Request:
    """What a report is to hold."""

    method: str = "bradley-terry"
    settings: Settings = field(default_factory=Settings)
    choose: bool = False
    """Whether the treatment of ties is the one that predicts held-out votes best."""
    weights: bool = False
    """Whether each vote weighs 1 / (chance of its pair)."""
    categories: tuple[str, ...] = ()
    """Names, or EVERY_CATEGORY."""
    by: Period | None = None
    lineage: Lineage | None = None
    style: tuple[str, ...] = ()
    """The features of replies that are held equal."""
    position: bool | None = None
    """Reported unless False; True also puts it beside the style."""
    fragility: bool | None = None
    """Reported unless False."""
    voters: bool = False
    elo_shuffles: int = 0
    """Number of shuffles; 0 for none."""

    @property
    def needs(self) -> Needs:
        """Return what has to be read for it."""
        settings = self.settings
        is_clustered = settings.interval == "clustered"
        groups = settings.interval in ("auto", "sequence") and self.method != "elo"
        one_by_one = self.method == "elo" or is_clustered or self.by or self.voters or self.elo_shuffles or self.style
        return Needs(
            votes=bool(one_by_one),
            weights=self.weights,
            categories=bool(self.categories),
            voters=groups and settings.cluster == "voter",
            prompts=(is_clustered or groups) and settings.cluster == "prompt",
            styles=bool(self.style),
            times=self.by is not None,
        )
