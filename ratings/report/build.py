"""Votes to a report: the board first, then everything else that was asked for.

What moves the board raises where it cannot be done. What stands beside the board may fail for want of votes
or because this fit does not allow it; then the report goes without it, and a note explains why.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ratings.analysis.attribution import Attribution
from ratings.analysis.elo_shuffles import EloShuffles
from ratings.analysis.over_time import Series
from ratings.analysis.position import fit_position
from ratings.board.estimate import Estimate, Progress, estimate, pairwise
from ratings.board.groups import Group, groups_of, how_grouped, votes_among
from ratings.board.leaderboard import (
    Leaderboard,
    Settings,
    anchored,
    check_enough,
    elo_board,
    first_settings,
    listing,
    rated_board,
    with_groups,
    with_method,
)
from ratings.errors import RatingsError, SettingsError
from ratings.fit.covariates import CovariateFit
from ratings.fit.ties import TieChoice, choose_ties
from ratings.outcomes import Ties
from ratings.report.parts import gains, hold_on_first, influence, order_of_elo, over_time, style_fit, styled_board
from ratings.report.report import Report
from ratings.report.request import EVERY_CATEGORY, Request
from ratings.report.sources import Source
from ratings.votes.counts import Counts
from ratings.votes.votes import Votes, keep

Made = TypeVar("Made")


def make_report(source: Source, request: Request, *, now: datetime, progress: Progress | None = None) -> Report:
    """Return the report on the votes of `source`, which holds what the request needs.

    `progress` is called with the number of bootstrap replicates or shuffles done. Raises RatingsError
    where there is no board to make, and SettingsError for a category that no vote belongs to.
    """
    check_enough(source.counts)
    notes = list(source.counts.notes)
    settings = with_method(request.settings, request.method)
    choice = _choose(source.counts, settings, notes) if request.choose else None
    if choice:
        settings = replace(settings, ties=_able(choice, settings, notes))
    maker = _Maker(source, request, settings, now.isoformat(timespec="seconds"), notes, progress)
    report = maker.elo() if request.method == "elo" else maker.rated()
    shuffles = maker.attempt("shuffles of Elo", maker.shuffles) if request.elo_shuffles else None
    return replace(report, tie_choice=choice, elo_shuffles=shuffles, notes=tuple(notes))


@dataclass(frozen=True)
class _Maker:
    """Makes the parts of one report, and keeps the notes on those that cannot be made."""

    source: Source
    request: Request
    settings: Settings
    created: str
    notes: list[str]
    progress: Progress | None

    def elo(self) -> Report:
        """Return the report of online Elo, which has no intervals and nothing that rests on them."""
        settings = first_settings(self.groups, self.settings)
        board = elo_board(self.source.votes, self.source.counts, settings, self.created)
        board = with_groups(board, self.groups, self.source.votes, self.settings, self.board_of)
        self.note_groups(board)
        if self.request.position is not False or self.request.fragility is not False:
            self.notes.append("position bias and fragility are known for Bradley-Terry, not for online Elo")
        return Report(board, self.source.counts, categories=self.categories())

    def rated(self) -> Report:
        """Return the report of a fit with intervals."""
        source, request, settings = self.source, self.request, self.settings
        found = estimate(source.counts, settings, votes=source.votes, progress=self.progress, voters=source.voters)
        board = rated_board(found, source.counts, first_settings(self.groups, settings), self.created)
        self.notes.extend(found.notes)
        board = with_groups(board, self.groups, source.votes, settings, self.board_of)
        self.note_groups(board)
        if found.settings.cluster != "none" and (beside := self.independent_parts()):
            self.notes.append(f"{beside}: every vote taken as independent")
        styled = self.attempt("style", self.style) if request.style else None
        voters = self.attempt("voters", lambda: influence(found, source.votes, settings)) if request.voters else None
        series = self.time() if request.by else ()
        return Report(
            board=board,
            counts=source.counts,
            fit=found.fit,
            pairwise=partial(pairwise, found, _order(found, board)) if len(found.shown) else None,
            categories=self.categories(),
            position=self.attempt("position bias", lambda: self.position(found))
            if request.position is not False
            else None,
            style=styled and styled[0],
            styled_board=styled and styled[1],
            series=series[0] if series else None,
            other_series=series[1:],
            attribution=self.attempt("gains", lambda: self.gains(found)) if request.lineage else None,
            fragility=self.attempt("fragility", lambda: hold_on_first(found))
            if request.fragility is not False
            else None,
            voters=voters or (),
        )

    def independent_parts(self) -> str:
        """Return the parts asked for whose intervals do not group votes, whatever the board does."""
        parts = {
            "position bias": self.request.position is not False,
            "Davidson's nu": self.settings.ties == "davidson",
            "style": self.request.style,
            f"by {self.request.by}": self.request.by,
        }
        return ", ".join(name for name, asked in parts.items() if asked)

    def attempt(self, what: str, make: Callable[[], Made]) -> Made | None:
        """Return what `make` does, or None and note why it cannot be made."""
        try:
            return make()
        except RatingsError as problem:
            self.notes.append(f"{what}: {problem}")
            return None

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Return the groups of models that can be compared."""
        return groups_of(self.source.counts, self.settings, self.request.method)

    def note_groups(self, board: Leaderboard) -> None:
        """Note what is known of the first group alone, and where the settings changed the groups."""
        if how := how_grouped(self.source.counts, self.settings, self.request.method):
            self.notes.append(how)
        if board.groups:
            only = (
                "" if self.request.method == "elo" else "; first place, voters, position bias and pairs are of group 1"
            )
            self.notes.append(
                f"{len(board.every)} groups of models have no chain of votes there and back between them, so ratings "
                f"and ranks of different groups cannot be compared{only}"
            )

    def categories(self) -> dict[str, Leaderboard]:
        """Return the board of each category asked for."""
        asked, known = self.request.categories, self.source.by_category
        if EVERY_CATEGORY in asked:
            if not known:
                self.notes.append("categories: no vote records which it belongs to")
            asked = tuple(known)
        boards = {}
        for name in dict.fromkeys(asked):
            if name not in known:
                shown = ", ".join(map(repr, list(known)[:20])) or "none in these votes"
                raise SettingsError(f"no votes in a category {name!r}; there are {shown}")
            boards[name] = self.attempt(f"category {name}", partial(self.category, name))
        return {name: board for name, board in boards.items() if board}

    def board_of(self, counts: Counts, votes: Votes | None, settings: Settings) -> Leaderboard | None:
        """Return the board of some of the votes, anchored where the anchor is among them."""
        return self.attempt(f"the board of {listing(counts.models)}", lambda: self.made_of(counts, votes, settings))

    def made_of(self, counts: Counts, votes: Votes | None, settings: Settings, what: str = "") -> Leaderboard:
        """Return the same, or raise where there is none; `what` stands before its notes."""
        check_enough(counts)
        # What was left out of the whole was not left out of this part.
        part = votes and replace(votes, read=counts.read, left_out=dict(counts.left_out))
        if self.request.method == "elo":
            return elo_board(part, counts, settings, self.created)
        voters = None if votes else self.source.voters
        found = estimate(counts, settings, votes=part, progress=self.progress, voters=voters)
        what = what or f"the board of {listing(found.names or counts.models)}"
        self.notes.extend(f"{what}: {note}" for note in found.notes if self.is_news(note))
        if settings.anchor and settings.anchor[0] not in found.names:
            self.notes.append(f"{what}: {settings.anchor[0]} has no rating here, so this board is not anchored")
        return rated_board(found, counts, anchored(settings, found.names), self.created)

    def category(self, name: str) -> Leaderboard:
        """Return the board of a category, with those of its groups."""
        counts, votes = self.source.by_category[name], _votes_in(self.source.votes, name)
        check_enough(counts)
        groups = groups_of(counts, self.settings, self.request.method)
        settings = first_settings(groups, self.settings)
        board = self.made_of(counts, votes, settings, f"category {name}")
        return with_groups(board, groups, votes, self.settings, self.board_of)

    def is_news(self, note: str) -> bool:
        """Return whether a note on a board beside the main one tells more than the main one's own notes."""
        return note not in self.notes and not note.startswith("intervals: votes grouped")

    def position(self, found: Estimate) -> CovariateFit:
        """Return the fit with the side held equal."""
        # Clustered votes may be capped, so their fit is another one.
        is_same = not self.is_otherwise and self.settings.interval != "clustered"
        without = found.fit if is_same else None
        with_side = fit_position(self.source.counts, both_bad=self.settings.both_bad, without=without)
        self.note_plain("position bias")
        return with_side

    def style(self) -> tuple[CovariateFit, Leaderboard]:
        """Return the fit with style held equal, and its board."""
        source = self.source

        def make(
            counts: Counts, votes: Votes | None, settings: Settings, what: str
        ) -> tuple[CovariateFit, Leaderboard]:
            fitted, left_out = style_fit(votes, source, self.request, settings)
            self.notes.extend(f"{what}: {name} left out, {why}" for name, why in left_out.items())
            return fitted, styled_board(fitted, counts, settings, self.created)

        def beside(counts: Counts, votes: Votes | None, settings: Settings) -> Leaderboard | None:
            what = f"style of {listing(counts.models)}"
            made = self.attempt(what, lambda: make(counts, votes, settings, what))
            return made and made[1]

        fitted, board = make(source.counts, source.votes, self.settings, "style")
        self.note_plain("style")
        return fitted, with_groups(board, self.groups, source.votes, self.settings, beside)

    def time(self) -> tuple[Series, ...]:
        """Return the board of each group of models at the end of every period."""
        votes, by = self.source.votes, self.request.by
        assert by is not None
        groups = self.groups if votes and len(self.groups) > 1 else ()
        parts: list[Votes | None] = [votes_among(votes, group.models) for group in groups if votes] or [votes]
        made = [self.attempt(f"by {by}", partial(over_time, part, by, self.settings)) for part in parts]
        self.note_plain(f"by {by}")
        return tuple(one for one in made if one)

    def gains(self, found: Estimate) -> Attribution:
        """Return what each step of training and each tag is worth."""
        assert self.request.lineage is not None
        return gains(found, self.request.lineage, self.settings, self.groups)

    def shuffles(self) -> EloShuffles:
        """Return Elo over shuffles of the votes."""
        if self.is_otherwise and self.request.method != "elo":
            self.notes.append("shuffles of Elo: every vote counts once, a tie as half a win each")
        return order_of_elo(self.source.votes, self.request.elo_shuffles, self.settings, self.progress)

    @property
    def is_otherwise(self) -> bool:
        """Return whether the board is fitted by more than wins and half ties of one vote each."""
        return bool(self.settings.ties != "half" or self.settings.prior or self.source.counts.weights is not None)

    def note_plain(self, what: str) -> None:
        """Note where a part is fitted otherwise than the board."""
        if self.is_otherwise:
            self.notes.append(f"{what}: fitted with a tie as half a win each, without prior or weights")


def _order(found: Estimate, board: Leaderboard) -> NDArray[np.int64]:
    """Return (S,) the place of each rated row of the board among the models shown."""
    place = {name: number for number, name in enumerate(found.names)}
    return np.array([place[row.model] for row in board.rows if row.rating is not None], dtype=np.int64)


def _choose(counts: Counts, settings: Settings, notes: list[str]) -> TieChoice | None:
    try:
        return choose_ties(counts, np.random.default_rng(settings.seed), both_bad=settings.both_bad)
    except RatingsError as problem:
        notes.append(f"choice of ties: {problem}; a tie is half a win each")
        return None


def _able(choice: TieChoice, settings: Settings, notes: list[str]) -> Ties:
    """Return the best treatment of ties that has the kind of interval asked for."""
    if choice.ties != "davidson" or settings.interval != "bootstrap":
        return choice.ties
    able: Ties = next((score.ties for score in choice.scores if score.ties != "davidson"), "half")
    notes.append(f"davidson predicts held-out votes best but has no {settings.interval} interval; {able} is shown")
    return able


def _votes_in(votes: Votes | None, category: str) -> Votes | None:
    if votes is None or votes.category is None:
        return None
    return keep(votes, np.array([category in names for names in votes.categories])[votes.category])
