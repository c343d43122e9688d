"""What stands beside the board: style, time, lineage, the hold on the first place, voters, the order of Elo.

Each function takes what was read and the board's own estimate and returns one part of the report. It raises
where the votes are not enough for it or the board's fit does not allow it; build.py makes that a note.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ratings.analysis.attribution import Attribution, attribute
from ratings.analysis.elo_shuffles import EloShuffles, elo_over_shuffles
from ratings.analysis.fragility import Fragility, fragility
from ratings.analysis.influence import VoterInfluence, influential_voters
from ratings.analysis.lineage import Lineage
from ratings.analysis.over_time import Series, series
from ratings.analysis.style import StyleFit, fit_estimable, normalised_differences
from ratings.board.estimate import Estimate, Progress, with_covariates_equal
from ratings.board.groups import Group, is_among
from ratings.board.leaderboard import Leaderboard, Settings, rated_board
from ratings.choices import Period
from ratings.errors import SettingsError, VotesError
from ratings.fit.covariates import CovariateFit
from ratings.report.request import Request
from ratings.report.sources import Source
from ratings.votes.counts import Counts
from ratings.votes.markdown import FEATURES
from ratings.votes.votes import Votes


def style_fit(votes: Votes | None, source: Source, request: Request, settings: Settings) -> StyleFit:
    """Return the fit of the votes, all of the source or some, with style held equal as far as they can tell.

    Raises VotesError where no reply was measured, and what `fit_estimable` raises.
    """
    if votes is None or source.votes is None or source.styles is None:
        raise VotesError(source.no_styles or "the replies of these votes were not measured")
    chosen = [FEATURES.index(name) for name in request.style]
    differences = normalised_differences(*source.styles)[:, chosen]
    if votes is not source.votes:
        differences = differences[is_among(source.votes, votes.models)]
    if not np.isfinite(differences).all(axis=1).any():
        raise VotesError("no vote has replies whose style was measured")
    return fit_estimable(votes, differences, request.style, position=bool(request.position), both_bad=settings.both_bad)


def styled_board(style: CovariateFit, counts: Counts, settings: Settings, created: str) -> Leaderboard:
    """Return the board of a fit with style held equal, whose votes are plain and whose intervals are sandwiches."""
    plain = Settings(both_bad=settings.both_bad, confidence=settings.confidence, seed=settings.seed)
    found = with_covariates_equal(style, plain)
    if settings.anchor and settings.anchor[0] in found.names:
        plain = replace(plain, anchor=settings.anchor)
    board = rated_board(found, replace(counts, weights=None, squared_weights=None), plain, created)
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


def gains(found: Estimate, lineage: Lineage, settings: Settings, groups: Sequence[Group]) -> Attribution:
    """Return what each step of training and each tag is worth, among the models of the first group."""
    return attribute(
        found.names,
        found.strengths,
        found.covariance,
        parents=lineage.parents,
        stages=lineage.stages,
        tags=lineage.tags,
        confidence=settings.confidence,
        elsewhere={model: place for place, group in enumerate(groups[1:], 2) for model in group.rated},
    )


def hold_on_first(found: Estimate) -> Fragility:
    """Return how few votes hold up the first place; raise VotesError where no model of the board has it."""
    if len(found.shown) < 2:
        raise VotesError("fewer than two models have a rating, so there is no first place to lose")
    first = int(found.fit.rated[int(np.argmax(found.fit.strengths))])
    if first not in found.shown:
        raise VotesError(f"{found.fit.models[first]} stands first by its votes, which show no spread")
    return fragility(found.fit)


def influence(found: Estimate, votes: Votes | None, settings: Settings) -> tuple[VoterInfluence, ...]:
    """Return the most influential voters."""
    if votes is None or votes.voter is None:
        raise VotesError("no vote records who cast it")
    if settings.ties == "drop":
        raise SettingsError("only known where a tie is half a win each")
    return influential_voters(found.fit, votes, votes.voter, both_bad=settings.both_bad, ids=votes.voter_ids)


def order_of_elo(votes: Votes | None, shuffles: int, settings: Settings, progress: Progress | None) -> EloShuffles:
    """Return Elo over shuffles of the votes."""
    if votes is None:
        raise SettingsError("elo depends on the order of the votes and cannot be computed from counts")
    rng = np.random.default_rng(settings.seed)
    return elo_over_shuffles(votes, rng, shuffles, k=settings.k, both_bad=settings.both_bad, progress=progress)
