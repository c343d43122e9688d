"""The leaderboard tab: the board of the votes so far, fitted anew each time the tab is opened."""

import datetime
import html
import logging
from pathlib import Path
from typing import Any

import gradio as gr

from ratings.board.leaderboard import Leaderboard, Row, build
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
HEADER = ("Rank", "Model", "Rating", "95% interval", "Elo now", "Votes", "Won", "Lost", "Tied", "Both bad")

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
    head = "".join(f'<th scope="col">{name}</th>' for name in HEADER)
    body = "".join(f"<tr>{_cells(row, elo)}</tr>" for row in board.rows)
    return (
        '<div class="scroll" role="group" aria-label="Leaderboard" tabindex="0"><table>'
        f"<caption>{len(board.rows)} models, best first</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f'<p class="hint">{html.escape(board.summary())}</p>'
    )


def _cells(row: Row, elo: dict[str, float]) -> str:
    cells = [
        f"<td>{_rank(row)}</td>",
        f'<th scope="row">{html.escape(row.model)}</th>',
        _rating(row),
        f"<td>{elo[row.model]:.0f}</td>" if row.model in elo else "<td></td>",
        *(f"<td>{n}</td>" for n in (row.votes, row.wins, row.losses, row.ties, row.both_bad)),
    ]
    return "".join(cells)


def _rank(row: Row) -> str:
    """Return the places the model can have: 2, or 1–3 where the votes do not tell yet."""
    if row.rank_lower is None or row.rank_upper is None:
        return ""
    return str(row.rank_lower) if row.rank_lower == row.rank_upper else f"{row.rank_lower}–{row.rank_upper}"


def _rating(row: Row) -> str:
    if row.rating is None:
        return f'<td class="status" colspan="2">{html.escape(row.status)}</td>'
    interval = "" if row.lower is None or row.upper is None else f"{row.lower:.0f} to {row.upper:.0f}"
    return f"<td>{row.rating:.0f}</td><td>{interval}</td>"
