"""Votes to a board, with the options of ``python -m ratings.compute``: the same names, defaults and contradictions."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ratings.api.numbers import check_numbers, check_whole
from ratings.api.vote_set import AnyVotes, read_votes
from ratings.choices import Cluster, Interval, Method, Period, VotesBy
from ratings.errors import SettingsError
from ratings.outcomes import BothBad, Ties

if TYPE_CHECKING:
    import pandas as pd

    from ratings.board.columns import BoardRow
    from ratings.board.leaderboard import Leaderboard
    from ratings.report.report import Report
    from ratings.report.request import Request


Time = str | datetime


@dataclass(frozen=True, repr=False)
class Board:
    """A leaderboard and all that was computed beside it, as `rate` returns them.

    It prints what ``python -m ratings.compute`` prints; a notebook shows the table.
    """

    report: "Report"

    @property
    def leaderboard(self) -> "Leaderboard":
        """Return the rows together with their settings and the numbers of votes."""
        return self.report.board

    @property
    def rows(self) -> tuple["BoardRow", ...]:
        """Return one row per model, group by group: by rating, best first, then those without one by name."""
        return self.leaderboard.all_rows

    @property
    def notes(self) -> tuple[str, ...]:
        """Return a sentence for each thing that could not be computed, or only in another way."""
        return self.report.notes

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per model with the columns of leaderboard.csv; missing numbers are NA."""
        return self.leaderboard.to_frame()

    def win_chances(self) -> "pd.DataFrame":
        """Return (R, R) the chance that the row's model wins against the column's in a battle that is decided.

        It is of the models of the first group, as no votes compare them with others.
        """
        import numpy as np
        import pandas as pd

        from ratings.scale import POINTS_PER_TENFOLD

        rated = {row.model: row.rating for row in self.leaderboard.rows if row.rating is not None}
        points = np.array(list(rated.values()))
        chances = 1 / (1 + 10 ** ((points - points[:, None]) / POINTS_PER_TENFOLD))
        return pd.DataFrame(chances, index=list(rated), columns=list(rated))

    def to_json(self) -> str:
        """Return the content of leaderboard.json: the board and everything beside it, as strict JSON."""
        from ratings.report.json import to_json

        return to_json(self.report)

    def to_html(self) -> str:
        """Return the whole page, which needs no network and no other file."""
        from ratings.report.html.page import report_html

        return report_html(self.report)

    def write(self, folder: str | os.PathLike[str], *, png: bool = False) -> list[Path]:
        """Keep a snapshot under the folder as ``--out`` does: JSON, CSV and the page; return the files.

        The page says what changed since the snapshot before. Raises OutputError where the folder cannot be written.
        """
        from ratings.report.publish import publish, since_latest

        root = Path(folder)
        return publish(since_latest(self.report, root), root, now=datetime.now(UTC), png=png)

    def __repr__(self) -> str:
        """Return the board and what stands beside it as the command prints them."""
        from ratings.report.text import report_text

        return report_text(self.report)

    def _repr_html_(self) -> str:
        """Return the board as a table for a notebook, with its summary and notes; every name is escaped."""
        from ratings.report.html.boards import board_tables
        from ratings.report.html.elements import paragraph

        below = (self.leaderboard.summary(), *self.notes)
        return "".join([board_tables(self.leaderboard), *map(paragraph, below)])


def rate(
    votes: AnyVotes,
    *,
    method: Method = "bradley-terry",
    ties: Ties | None = None,
    choose: bool = False,
    both_bad: BothBad = "tie",
    prior: float | None = None,
    weights: bool = False,
    anchor: tuple[str, float] | str | None = None,
    interval: Interval | None = None,
    cluster: Cluster | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    category: str | Iterable[str] = (),
    by: Period | None = None,
    models: str | os.PathLike[str] | None = None,
    style: bool | str | Iterable[str] = False,
    position: bool | None = None,
    fragility: bool | None = None,
    voters: bool = False,
    elo_shuffles: int = 0,
    votes_by: VotesBy | None = None,
    since: Time | None = None,
    until: Time | None = None,
    languages: str | Iterable[str] | None = None,
    without: str | Iterable[str] | None = None,
    alias: Mapping[str, str] | None = None,
    min_votes: int = 0,
    dedup: bool = False,
    title: str | None = None,
) -> Board:
    """Return the board of the votes, which may be anything that `read_votes` reads.

    The options are those of ``python -m ratings.compute``. How votes become ratings:

    - method: Bradley-Terry, Davidson's model (the same as ties "davidson"), or online Elo.
    - ties: half a win each, not counted, or an outcome with a parameter of its own (default "half").
    - choose: take the ties that predict held-out votes best.
    - both_bad: "both are bad" is a tie, not counted, or a loss of both to an average model.
    - prior: standard deviation in Elo points of a normal prior, under which every model with a vote has a rating.
    - weights: weigh each vote by 1 / (chance of its pair when it was drawn).
    - anchor: a model and the points it is to read, ("base", 1000) or "base=1000".

    How sure they are:

    - interval: "sandwich" from counts, "clustered", "bootstrap", or "sequence", right at every look (default "auto":
      by voter where the votes tell enough of them, else from counts).
    - cluster: which votes are taken together, "voter", "prompt" or "none" (default "voter").
    - confidence: of each interval on its own, and of all rank intervals together.
    - seed: of all that is drawn.

    What stands beside the board:

    - category: names of categories to make a board of, or "all".
    - by: the ratings at the end of every day or week.
    - models: a models.yaml, for the gain of each step of training and each tag.
    - style: a board with the looks of the replies held equal: True for "length", "headers", "bold" and "lists", or
      some of them.
    - position: the advantage of side A, unless False; True also holds it equal with the style.
    - fragility: how few votes hold up the first place, unless False.
    - voters: those without whom the ratings change most.
    - elo_shuffles: online Elo averaged over so many orders of the votes.
    - title: what stands over the page (default "Leaderboard").

    Which votes count:

    - votes_by: those of people ("human"), of programs ("simulated"), or both ("all"; the default, with a note).
    - since, until: those from one date or time on and before another, UTC.
    - languages: those in these languages or categories.
    - without: contestants left out with their votes.
    - alias: old names and the new ones they are merged under, {"gpt-4-0613": "gpt-4"}.
    - min_votes: contestants with fewer are left out with their votes.
    - dedup: leave out votes marked as too many on one prompt (LMArena's dedup_tag).

    A model that cannot be rated is no error: its row says why. Raises NoVotesError, TooFewModelsError,
    TooFewClustersError, NotConvergedError, VotesError where the votes lack what an option needs, and SettingsError
    for a value out of range or two options that contradict each other.
    """
    options = dict(locals())
    options["title"] = None
    vote_set = read_votes(options.pop("votes"))
    request = _request(options)
    from ratings.report.build import make_report
    from ratings.report.report import TITLE
    from ratings.report.sources import read_chosen

    source = read_chosen(vote_set.source, request.needs, request.settings.which)
    report = make_report(source, request, now=datetime.now(UTC))
    return Board(replace(report, title=title or TITLE, provenance=vote_set.provenance))


def _request(options: dict[str, Any]) -> "Request":
    """Return what the options of `rate` ask for, read by the rules of the command."""
    from ratings.cli import CONFIDENCE, parser, read_request

    if options["by"] not in (None, *get_args(Period)):
        raise SettingsError(f"by is {options['by']!r}; choose one of {', '.join(get_args(Period))}")
    check_numbers(**{name: options[name] for name in ("confidence", "prior")})
    check_whole(**{name: options[name] for name in ("seed", "min_votes", "elo_shuffles")})
    category, anchor, models = (options[name] for name in ("category", "anchor", "models"))
    options["category"] = [category] if isinstance(category, str) else list(category)
    options["models"] = None if models is None else Path(models)
    options["style"] = _features(options["style"])
    if anchor is not None and not isinstance(anchor, str):
        options["anchor"] = "{}={}".format(*anchor)
    # What stands at its default was not chosen; the command tells the two apart.
    plain = {"method": "bradley-terry", "both_bad": "tie", "confidence": CONFIDENCE, "seed": 0}
    options |= {name: None for name, value in plain.items() if options[name] == value}
    given = parser().parse_args(["--votes", ""])
    vars(given).update(options)
    try:
        return read_request(given)
    except SettingsError as problem:
        spelled = re.sub(r"--([a-z-]+)", lambda option: option[1].replace("-", "_"), str(problem))
        raise SettingsError(spelled) from None


def _features(style: bool | str | Iterable[str] | None) -> str | None:
    """Return the option as the command takes it."""
    if style is None or isinstance(style, bool):
        return "all" if style else None
    return style if isinstance(style, str) else ",".join(style)
