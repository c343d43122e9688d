"""The leaderboard tab: the board of the votes so far, fitted anew each time the tab is opened."""

import datetime
import html
import logging
from pathlib import Path
from typing import Any

import gradio as gr

from common.words import plural
from ratings.board.columns import COLUMNS, BoardRow, Column, Notation
from ratings.board.leaderboard import Leaderboard, build
from ratings.errors import NoVotesError, RatingsError
from ratings.fit.elo import Ticker
from ratings.ledger.live import LiveCounts
from ratings.report.html.plots import interval_figure

EXPLAINED = (
    "<p>Bradley-Terry ratings of the votes that count. A rank of 1–3 may still be any of these. "
    "Elo moves with every vote.</p>"
)
NO_VOTES = '<p class="hint">No board yet: there are no votes to rate by. Cast the first ones in a battle.</p>'
UNREADABLE = '<p class="alert">The leaderboard cannot be read right now.</p>'
NOTATION = Notation(none="")

log = logging.getLogger(__name__)


class LeaderboardTab:
    """Build the tab inside a gr.Blocks. ticker is the live Elo that battles move."""

    def __init__(self, db: Path, roster: tuple[str, ...], ticker: Ticker) -> None:
        self.counts, self.ticker = LiveCounts(db, roster), ticker
        self.last: Leaderboard | None = None  # whichever visitor's: the next fit only starts from it
        gr.HTML(EXPLAINED, elem_id="leaderboard-explained")
        self.board = gr.HTML("", elem_id="leaderboard")
        self.plot = gr.Plot(elem_id="leaderboard-plot", show_label=False, visible=False)

    def refresh(self) -> dict[Any, Any]:
        """Fit the votes of the ledger and show the board, or say why there is none yet."""
        try:
            now = datetime.datetime.now(datetime.UTC)
            board = self.last = build(self.counts.refresh(), "bradley-terry", now=now, earlier=self.last)
        except NoVotesError:
            return {self.board: NO_VOTES, self.plot: gr.Plot(visible=False)}
        except RatingsError as error:
            log.error("the leaderboard cannot be read: %s", error)
            return {self.board: UNREADABLE, self.plot: gr.Plot(visible=False)}
        except Exception:  # the edge: what is wrong with a file is for the log, never for a visitor
            log.exception("the leaderboard cannot be read")
            return {self.board: UNREADABLE, self.plot: gr.Plot(visible=False)}
        has_ratings = any(row.rating is not None for row in board.rows)
        return {
            self.board: board_html(board, self.ticker.ratings),
            self.plot: gr.Plot(interval_figure(board) if has_ratings else None, visible=has_ratings),
        }


def board_html(board: Leaderboard, elo: dict[str, float]) -> str:
    """Return the board as a table; a model without a rating says why in its place."""
    head = "".join(f'<th scope="col">{name}</th>' for column in COLUMNS for name in _heads(column))
    body = "".join(f"<tr>{_cells(row, elo)}</tr>" for row in board.rows)
    return (
        '<div class="scroll" role="group" aria-label="Leaderboard" tabindex="0"><table>'
        f"<caption>{plural(len(board.rows), 'model')}, best first</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f'<p class="hint">{html.escape(board.summary())}</p>'
    )


def _heads(column: Column) -> list[str]:
    return ["95% interval", "Elo now"] if column.kind == "range" else [column.title.capitalize()]


def _cells(row: BoardRow, elo: dict[str, float]) -> str:
    return "".join(_cell(column, row, elo) for column in COLUMNS)


def _cell(column: Column, row: BoardRow, elo: dict[str, float]) -> str:
    text = html.escape(column.text(row, NOTATION))
    match column.kind:
        case "name":
            return f'<th scope="row">{text}</th>'
        case "rank" if row.rank_lower is None:  # a position alone says nothing of how sure it is
            return "<td></td>"
        case "rating" if row.rating is None:
            return f'<td class="status" colspan="2">{html.escape(row.status)}</td>'
        case "range":
            now = f"<td>{elo[row.model]:.0f}</td>" if row.model in elo else "<td></td>"
            return now if row.rating is None else f"<td>{text}</td>{now}"
        case _:
            return f"<td>{text}</td>"
