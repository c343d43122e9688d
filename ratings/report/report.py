"""All results of one run of ratings.compute in one object: what the page, the JSON and the terminal show.

A part that was not asked for, or for which the votes are not enough, is None or empty; the page leaves its section
out, and `notes` explains it where a reader would look for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from ratings.analysis.attribution import Attribution
from ratings.analysis.changes import Changes
from ratings.analysis.elo_shuffles import EloShuffles
from ratings.analysis.fragility import Fragility
from ratings.analysis.influence import VoterInfluence
from ratings.analysis.over_time import Series
from ratings.board.leaderboard import Leaderboard
from ratings.fit.covariates import CovariateFit
from ratings.fit.protocol import Fit
from ratings.fit.ties import TieChoice
from ratings.intervals.differences import Differences
from ratings.report.provenance import UNKNOWN, Provenance
from ratings.report.tie_parameter import TieParameter, tie_parameter
from ratings.votes.counts import Counts

TITLE = "Leaderboard"


@dataclass(frozen=True)
class Report:
    """One board and all that stands beside it."""

    board: Leaderboard
    """The main board; its rows carry simultaneous rank intervals where the method has intervals."""
    counts: Counts
    """The counts the board rests on."""
    fit: Fit | None = None
    """None for Elo."""
    pairwise: Callable[[], Differences] | None = None
    """Returns `differences`; None where nobody is rated."""
    tie_choice: TieChoice | None = None
    """How the tie treatments compare on held-out votes, with --choose."""
    categories: dict[str, Leaderboard] = field(default_factory=dict)
    position: CovariateFit | None = None
    """The effect of standing on side A."""
    style: CovariateFit | None = None
    styled_board: Leaderboard | None = None
    """The board with style (and position, if asked for) held equal."""
    series: Series | None = None
    other_series: tuple[Series, ...] = ()
    """Those of the other groups of models."""
    attribution: Attribution | None = None
    elo_shuffles: EloShuffles | None = None
    fragility: Fragility | None = None
    voters: tuple[VoterInfluence, ...] = ()
    """The most influential voters, most first."""
    changes: Changes | None = None
    """Against the snapshot before, where there is one."""
    title: str = TITLE
    """Of the page."""
    provenance: Provenance = UNKNOWN
    notes: tuple[str, ...] = ()
    """Plain sentences on what was asked for and could not be computed."""

    @cached_property
    def differences(self) -> Differences | None:
        """Return those of all pairs of the rated models, in the order of the board's rows; the terminal needs none."""
        return self.pairwise() if self.pairwise else None

    @property
    def tie_parameter(self) -> TieParameter | None:
        """Return Davidson's nu with its interval, where the board rests on it."""
        return tie_parameter(self.fit, self.board.settings.confidence)
