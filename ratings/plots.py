"""Plotly figures of a leaderboard, and nothing else.

Backgrounds are transparent and colours are mid-tones, so one figure serves a light and a dark page;
the page colours text and lines through CSS. Model names are whatever someone typed: plotly reads
a little HTML in its labels, so every name is escaped before it becomes one.
"""

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from ratings.counts import Counts
from ratings.leaderboard import Leaderboard, Row
from ratings.outcomes import Outcome

if TYPE_CHECKING:
    import plotly.graph_objects as go

DOT = "#3b82c4"
WHISKER = "rgba(59, 130, 196, 0.55)"
GRID = "rgba(128, 128, 128, 0.22)"
TEXT = "#737373"
# Transparent in the middle: an even pair shows the page behind it, whatever its colour.
LOSES_TO_WINS = (
    (0.0, "rgba(217, 119, 6, 0.75)"),
    (0.5, "rgba(128, 128, 128, 0.05)"),
    (1.0, "rgba(37, 117, 196, 0.8)"),
)

MOST_LABEL = 26
"""Longest model name in a label; the hover has the whole of it."""

MOST_MODELS = 30
"""Most models in a win-rate matrix; beyond that its cells cannot be read."""


def interval_figure(board: Leaderboard) -> "go.Figure":
    """Return rated models, best on top, as dots with the whiskers of their intervals.

    A method without intervals has dots alone. Models without a rating are not drawn.
    """
    import plotly.graph_objects as go

    rows = [row for row in board.rows if row.rating is not None]
    ratings = [row.rating for row in rows]
    whiskers = None
    if any(row.lower is not None for row in rows):
        whiskers = {
            "type": "data",
            "symmetric": False,
            "array": [_gap(row.upper, row.rating) for row in rows],
            "arrayminus": [_gap(row.rating, row.lower) for row in rows],
            "color": WHISKER,
            "thickness": 2,
            "width": 0,
        }
    # Numbers, not names, are the positions: two long names may be cut to the same label.
    figure = go.Figure(
        go.Scatter(
            x=ratings,
            y=list(range(len(rows))),
            mode="markers",
            marker={"color": DOT, "size": 9},
            error_x=whiskers,
            customdata=[[_hover(row)] for row in rows],
            hovertemplate="%{customdata[0]}<extra></extra>",
        )
    )
    figure.update_layout(**_layout(height=90 + 26 * len(rows)), showlegend=False)
    figure.update_xaxes(title="rating, Elo points", gridcolor=GRID, zeroline=False)
    figure.update_yaxes(**_names(rows), autorange="reversed", showgrid=False, zeroline=False)
    return figure


def win_rate_figure(board: Leaderboard, counts: Counts) -> "go.Figure":
    """Return the share of votes that the row's model won against the column's, ties counting half.

    Both-bad votes are no share of a win and are not counted here. Models stand in the board's
    order, those without a rating only where nobody has one; of a long board the first MOST_MODELS
    are shown.
    """
    import plotly.graph_objects as go

    rows = matrix_rows(board)
    order = [counts.models.index(row.model) for row in rows]
    won = counts.matrix(Outcome.A_WINS) + counts.matrix(Outcome.B_WINS).T
    tied = counts.matrix(Outcome.TIE) + counts.matrix(Outcome.TIE).T
    share = (won + tied / 2)[np.ix_(order, order)]
    votes = share + share.T
    rate = np.divide(share, votes, out=np.full_like(share, np.nan), where=votes > 0)
    figure = go.Figure(
        go.Heatmap(
            z=[[None if np.isnan(value) else float(value) for value in line] for line in rate],
            customdata=[
                [[_label(a.model), _label(b.model), int(n)] for b, n in zip(rows, line, strict=True)]
                for a, line in zip(rows, votes, strict=True)
            ],
            hovertemplate="%{customdata[0]}<br>wins %{z:.0%} of %{customdata[2]} votes against<br>"
            "%{customdata[1]}<extra></extra>",
            hoverongaps=False,
            showscale=False,
            texttemplate="%{z:.0%}",
            colorscale=LOSES_TO_WINS,
            zmin=0,
            zmax=1,
            xgap=2,
            ygap=2,
        )
    )
    figure.update_layout(**_layout(height=130 + 30 * len(rows)))
    figure.update_layout(margin_r=90)  # the last of the slanted names leans out
    names = _names(rows)
    figure.update_yaxes(**names, autorange="reversed", showgrid=False, zeroline=False)
    figure.update_xaxes(**names, side="top", tickangle=-50, showgrid=False, zeroline=False)
    return figure


def matrix_rows(board: Leaderboard) -> list[Row]:
    """Return the rows of the board that a win-rate matrix has room for."""
    rated = [row for row in board.rows if row.rating is not None]
    return (rated or list(board.rows))[:MOST_MODELS]


def _layout(height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 10, "r": 10, "t": 20, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": TEXT},
        "dragmode": False,
    }


def _names(rows: list[Row]) -> dict[str, Any]:
    """Return axis settings that put the models' names at positions 0, 1, 2, ..."""
    return {
        "tickvals": list(range(len(rows))),
        "ticktext": [_label(_shorten(row.model)) for row in rows],
        "automargin": True,
    }


def _label(text: str) -> str:
    return html.escape(text, quote=False)  # plotly would show &quot; as it stands


def _shorten(name: str) -> str:
    return name if len(name) <= MOST_LABEL else f"{name[: MOST_LABEL - 1]}…"


def _gap(upper: float | None, lower: float | None) -> float:
    return 0.0 if upper is None or lower is None else upper - lower


def _hover(row: Row) -> str:
    interval = "" if row.lower is None else f" ({row.lower:.0f} to {row.upper:.0f})"
    return (
        f"<b>{_label(row.model)}</b><br>{row.rating:.0f}{interval}, rank {row.rank}<br>"
        f"{row.votes} votes: {row.wins} won, {row.losses} lost, {row.ties} tied, {row.both_bad} both bad"
    )
