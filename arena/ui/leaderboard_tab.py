"""The leaderboard tab: the board of the votes so far, fitted anew each time the tab is opened."""

import datetime
import logging
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from arena.ui.interval_plot import interval_plot
from common.words import plural
from ratings.board.columns import COLUMNS, BoardRow, Column, Notation
from ratings.board.leaderboard import Leaderboard, build
from ratings.errors import NoVotesError, RatingsError
from ratings.fit.elo import Ticker
from ratings.ledger.live import LiveCounts

EXPLAINED = Markup(
    "<p>Bradley-Terry ratings of the votes that count. Where a rank reads 1–3, it may be any of the three. "
    "Elo changes with every vote.</p>"
)
NO_VOTES = Markup('<p class="hint">No board yet: there are no votes to rate by. Cast the first ones in a battle.</p>')
UNREADABLE = Markup('<p class="alert">The leaderboard cannot be read right now.</p>')
BOARD = Markup(
    '<div class="scroll" role="group" aria-label="Leaderboard" tabindex="0"><table>'
    "<caption><span>{models}, best first</span></caption>"
    "<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    '<p class="hint">{notes}</p>'
)
SUMMARY = Markup('<p class="hint">{}</p>')
APART = Markup(
    '<p class="hint">No chain of votes there and back joins these groups, so their ratings cannot be compared.</p>'
)
HEAD_CELL = Markup('<th scope="col">{}</th>')
ROW = Markup("<tr>{}</tr>")
CELL = Markup("<td>{}</td>")
NAME_CELL = Markup('<th scope="row">{}</th>')
STATUS_CELL = Markup('<td class="status" colspan="2">{}</td>')
NOTATION = Notation(none="")

log = logging.getLogger(__name__)


class LeaderboardTab:
    """Build the tab inside a gr.Blocks. ticker holds the live Elo ratings, which every vote changes."""

    def __init__(self, db: Path, roster: tuple[str, ...], ticker: Ticker) -> None:
        self.counts, self.ticker = LiveCounts(db, roster), ticker
        self.last: Leaderboard | None = None  # shared by all visitors: the next fit starts from it
        gr.HTML(EXPLAINED, elem_id="leaderboard-explained")
        self.board = gr.HTML("", elem_id="leaderboard")
        self.plot = gr.Plot(elem_id="leaderboard-plot", show_label=False, visible=False)

    def refresh(self) -> dict[Any, Any]:
        """Fit the votes of the ledger and show the board, or say why there is none yet."""
        try:
            now = datetime.datetime.now(datetime.UTC)
            counts, votes, voters = self.counts.refresh_board()
            board = build(counts, "bradley-terry", now=now, earlier=self.last, votes=votes, voters=voters)
            self.last = board
        except NoVotesError:
            return {self.board: NO_VOTES, self.plot: gr.Plot(visible=False)}
        except RatingsError as error:
            log.error("the leaderboard cannot be read: %s", error)
            return {self.board: UNREADABLE, self.plot: gr.Plot(visible=False)}
        except Exception:  # the edge: what is wrong with a file goes to the log, never to a visitor
            log.exception("the leaderboard cannot be read")
            return {self.board: UNREADABLE, self.plot: gr.Plot(visible=False)}
        has_ratings = any(row.rating is not None for row in board.rows)
        return {
            self.board: board_html(board, self.ticker.ratings),
            self.plot: gr.Plot(interval_plot(board) if has_ratings else None, visible=has_ratings),
        }


def board_html(board: Leaderboard, elo: dict[str, float]) -> Markup:
    """Return a table for each group of models; a model without a rating shows the reason in its place."""
    tables = [_table(one, heading, elo) for one, heading in zip(board.every, board.headings(), strict=True)]
    return Markup().join([*([APART] if board.groups else []), *tables, SUMMARY.format(board.summary())])


def _table(board: Leaderboard, heading: str, elo: dict[str, float]) -> Markup:
    return BOARD.format(
        models=heading[:1].upper() + heading[1:] or plural(len(board.rows), "model"),
        head=Markup().join(HEAD_CELL.format(name) for column in COLUMNS for name in _heads(column)),
        body=Markup().join(ROW.format(_cells(row, elo)) for row in board.rows),
        notes=". ".join(note[:1].upper() + note[1:] for note in board.notes),
    )


def _heads(column: Column) -> list[str]:
    return ["95% interval", "Elo now"] if column.kind == "range" else [column.title.capitalize()]


def _cells(row: BoardRow, elo: dict[str, float]) -> Markup:
    return Markup().join(_cell(column, row, elo) for column in COLUMNS)


def _cell(column: Column, row: BoardRow, elo: dict[str, float]) -> Markup:
    text = column.text(row, NOTATION)
    match column.kind:
        case "name":
            return NAME_CELL.format(text)
        case "rank" if row.rank_lower is None:  # without an interval a position would look surer than it is
            return CELL.format("")
        case "rating" if row.rating is None:
            return STATUS_CELL.format(row.status)
        case "range":
            now = CELL.format(f"{elo[row.model]:.0f}" if row.model in elo else "")
            return now if row.rating is None else CELL.format(text) + now
        case _:
            return CELL.format(text)
