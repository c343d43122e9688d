"""What stands beside the board: style, time, lineage, the hold on the first place, voters, the order of Elo.

Each function takes what was read and the board's own estimate and returns one part of the report. It raises
where the votes are not enough for it or the board's fit does not allow it; build.py makes that a note.
"""

from dataclasses import replace

import numpy as np

from ratings.analysis.attribution import Attribution, attribute
from ratings.analysis.elo_shuffles import EloShuffles, elo_over_shuffles
from ratings.analysis.fragility import Fragility, fragility
from ratings.analysis.influence import VoterInfluence, influential_voters
from ratings.analysis.lineage import Lineage
from ratings.analysis.over_time import Series, series
from ratings.analysis.style import fit_style, normalised_differences
from ratings.board.estimate import Estimate, Progress, with_covariates_equal
from ratings.board.leaderboard import Leaderboard, Settings, rated_board
from ratings.choices import Period
from ratings.errors import SettingsError, VotesError
from ratings.fit.covariates import CovariateFit
from ratings.report.sources import Source
from ratings.votes.markdown import FEATURES
from ratings.votes.votes import Votes


def style_fit(source: Source, settings: Settings, position: bool) -> tuple[CovariateFit, tuple[str, ...]]:
    """Return the fit with style held equal, and the features that it goes without.

    A feature in which both replies are alike in every vote is left out. Raises VotesError where no
    reply was measured, and what `fit_style` raises.
    """
    votes = source.votes
    if votes is None or source.styles is None:
        raise VotesError(source.no_styles or "the replies of these votes were not measured")
    differences = normalised_differences(*source.styles)
    measured = np.isfinite(differences).all(axis=1)
    if not measured.any():
        raise VotesError("no vote has replies whose style was measured")
    varies = (differences[measured] != 0).any(axis=0)
    if not varies.any():
        raise VotesError("the replies look alike in every vote")
    names = [name for name, does in zip(FEATURES, varies, strict=True) if does]
    fitted = fit_style(votes, differences[:, varies], names, position=position, both_bad=settings.both_bad)
    return fitted, tuple(name for name in FEATURES if name not in names)


def styled_board(style: CovariateFit, source: Source, settings: Settings, created: str) -> Leaderboard:
    """Return the board of a fit with style held equal, whose votes are plain and whose intervals are sandwiches."""
    plain = Settings(both_bad=settings.both_bad, confidence=settings.confidence, seed=settings.seed)
    found = with_covariates_equal(style, plain)
    if settings.anchor and settings.anchor[0] in found.names:
        plain = replace(plain, anchor=settings.anchor)
    board = rated_board(found, replace(source.counts, weights=None, squared_weights=None), plain, created)
    return replace(board, held_equal=style.names)


def over_time(votes: Votes | None, by: Period, settings: Settings) -> Series:
    """Return the board at the end of every period; the anchor reads its points in the last one that rates it."""
    if votes is None or votes.time is None:
        raise VotesError("no vote records when it was cast")
    found = series(votes, votes.time, by=by, both_bad=settings.both_bad, confidence=settings.confidence)
    if not settings.anchor or settings.anchor[0] not in found.models:
        return found
    ratings = found.ratings[:, found.models.index(settings.anchor[0])]
    known = ratings[np.isfinite(ratings)]
    shift = settings.anchor[1] - known[-1] if len(known) else 0.0
    return replace(found, ratings=found.ratings + shift, lower=found.lower + shift, upper=found.upper + shift)


def gains(found: Estimate, lineage: Lineage, settings: Settings) -> Attribution:
    """Return what each step of training and each tag is worth."""
    return attribute(
        found.names,
        found.strengths,
        found.covariance,
        parents=lineage.parents,
        stages=lineage.stages,
        tags=lineage.tags,
        confidence=settings.confidence,
    )


def hold_on_first(found: Estimate) -> Fragility:
    """Return how few votes hold up the first place."""
    return fragility(found.fit)


def influence(found: Estimate, votes: Votes | None, settings: Settings) -> tuple[VoterInfluence, ...]:
    """Return the most influential voters."""
    if votes is None or votes.voter is None:
        raise VotesError("no vote records who cast it")
    if settings.ties == "drop":
        raise SettingsError("only known where a tie is half a win each")
    return influential_voters(found.fit, votes, votes.voter, both_bad=settings.both_bad)


def order_of_elo(votes: Votes | None, shuffles: int, settings: Settings, progress: Progress | None) -> EloShuffles:
    """Return Elo over shuffles of the votes."""
    if votes is None:
        raise SettingsError("elo depends on the order of the votes and cannot be computed from counts")
    rng = np.random.default_rng(settings.seed)
    return elo_over_shuffles(votes, rng, shuffles, k=settings.k, both_bad=settings.both_bad, progress=progress)
