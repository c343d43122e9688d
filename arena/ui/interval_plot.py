"""The figure of ratings in the Leaderboard tab: dots with the whiskers of their intervals, by plotly.

Colours are mid-tones and the background is transparent, so that one figure serves a light and a dark page; style.css
colours its letters. plotly reads a little HTML in its labels, so every name is escaped before it becomes one.
"""

import html
from typing import TYPE_CHECKING, Any

from ratings.board.columns import BoardRow
from ratings.board.leaderboard import Leaderboard
from ratings.report.html.plots import DOT, MOST_LABEL, tell
from ratings.report.names import cut_names

if TYPE_CHECKING:
    import plotly.graph_objects as go

_WHISKER = "rgba(43, 127, 195, 0.5)"
_GRID = "rgba(128, 128, 128, 0.22)"
_TEXT = "#737373"


def interval_plot(board: Leaderboard) -> "go.Figure":
    """Return the rated models, best on top, of the first group where there are several; the others are not drawn."""
    import plotly.graph_objects as go

    rows = [row for row in board.rows if row.rating is not None]
    # Numbers, not names, are the positions: two long names may be cut alike.
    figure = go.Figure(
        go.Scatter(
            x=[row.rating for row in rows],
            y=list(range(len(rows))),
            mode="markers",
            marker={"color": DOT, "size": 9},
            error_x=_whiskers(rows),
            customdata=[[_label(tell(row))] for row in rows],
            hovertemplate="%{customdata[0]}<extra></extra>",
        )
    )
    figure.update_layout(
        height=90 + 26 * len(rows),
        margin={"l": 10, "r": 10, "t": 20, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 12, "color": _TEXT},
        hoverlabel={"font": {"size": 12}, "align": "left"},
        dragmode=False,
        showlegend=False,
    )
    of_group = f" of group 1 of {len(board.every)}" if board.groups else ""
    figure.update_xaxes(title=f"rating{of_group}, Elo points", gridcolor=_GRID, zeroline=False)
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[_label(name) for name in cut_names([row.model for row in rows], MOST_LABEL)],
        range=[len(rows) - 0.5, -0.5],
        automargin=True,
        ticklabelstandoff=6,
        showgrid=False,
        zeroline=False,
    )
    return figure


def _label(text: str) -> str:
    return html.escape(text, quote=False)  # plotly would show &quot; as it stands


def _gap(upper: float | None, lower: float | None) -> float:
    return 0.0 if upper is None or lower is None else upper - lower


def _whiskers(rows: list[BoardRow]) -> dict[str, Any] | None:
    if all(row.lower is None for row in rows):
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [_gap(row.upper, row.rating) for row in rows],
        "arrayminus": [_gap(row.rating, row.lower) for row in rows],
        "color": _WHISKER,
        "thickness": 2,
        "width": 0,
    }
