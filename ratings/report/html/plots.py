"""Plotly figures of a board and what stands beside it, and nothing else.

Backgrounds are transparent and colours are mid-tones, so one figure serves a light and a dark page;
the page colours text and lines through CSS. The colours are those of Okabe and Ito (2008, "Color
Universal Design"), which readers of any colour vision can tell apart, without their yellow and black. Model
names are whatever someone typed: plotly reads a little HTML in its labels, so every name is escaped
before it becomes one.
"""

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from common.words import plural
from ratings.board.columns import BoardRow, Notation, bounds, ranks
from ratings.board.leaderboard import Leaderboard

if TYPE_CHECKING:
    import plotly.graph_objects as go

DOT = "#2b7fc3"
WHISKER = "rgba(43, 127, 195, 0.5)"
SECOND = "#d9822b"
GRID = "rgba(128, 128, 128, 0.22)"
ZERO = "rgba(128, 128, 128, 0.6)"
TEXT = "#737373"
PALETTE = ("#0b7bc0", "#d9822b", "#0a9e74", "#cc79a7", "#56b4e9", "#d55e00", "#8f7ad1", "#8a8a84")
"""For lines of several models, in turn."""

IN_WORDS = Notation(ranks=" to ")
"""For boards in a sentence: "rank 2 to 4"."""

MOST_LABEL = 26
"""Longest model name in a label; the hover has the whole of it."""


class Dot(NamedTuple):
    """One line of a dot-and-whisker figure; None for no whisker."""

    label: str
    """As it came; it is cut and escaped here."""
    value: float
    lower: float | None
    upper: float | None
    hover: str
    """Already escaped."""


def interval_figure(board: Leaderboard) -> "go.Figure":
    """Return rated models, best on top, as dots with the whiskers of their intervals.

    A method without intervals has dots alone. Models without a rating are not drawn.
    """
    dots = [
        Dot(row.model, row.rating, row.lower, row.upper, _hover(row)) for row in board.rows if row.rating is not None
    ]
    return dots_figure(dots, "rating, Elo points")


def dots_figure(
    dots: Sequence[Dot], title: str, *, reference: float | None = None, is_factor: bool = False
) -> "go.Figure":
    """Return the dots in order, the first on top, with their whiskers.

    `reference` draws a line where there is no effect; `is_factor` makes the axis logarithmic.
    """
    import plotly.graph_objects as go

    # Numbers, not names, are the positions: two long names may be cut to the same label.
    figure = go.Figure(
        go.Scatter(
            x=[dot.value for dot in dots],
            y=list(range(len(dots))),
            mode="markers",
            marker={"color": DOT, "size": 9},
            error_x=_whiskers(dots),
            customdata=[[dot.hover] for dot in dots],
            hovertemplate="%{customdata[0]}<extra></extra>",
        )
    )
    figure.update_layout(**layout(height=90 + 26 * len(dots)), showlegend=False)
    figure.update_xaxes(title=title, gridcolor=GRID, zeroline=False)
    if is_factor:
        figure.update_xaxes(**_factor_axis(dots))
    if reference is not None:
        figure.add_vline(x=reference, line={"color": ZERO, "width": 1, "dash": "dot"})
    _name_lines(figure, [dot.label for dot in dots])
    return figure


def shares_figure(names: Sequence[str], shares: Mapping[str, Sequence[float]], title: str) -> "go.Figure":
    """Return bars of each share of each model, from {what: (n,) shares from 0 to 1}."""
    import plotly.graph_objects as go

    figure = go.Figure(
        [
            go.Bar(
                name=label(what),
                x=list(values),
                y=list(range(len(names))),
                orientation="h",
                marker={"color": colour},
                text=[f"{value:.0%}" for value in values],
                textposition="outside",
                textangle=0,
                cliponaxis=False,
                customdata=[[label(name)] for name in names],
                hovertemplate=f"<b>%{{customdata[0]}}</b><br>{label(what)} %{{x:.1%}}<extra></extra>",
            )
            for (what, values), colour in zip(shares.items(), (DOT, SECOND), strict=False)
        ]
    )
    figure.update_layout(**layout(height=110 + 36 * len(names)), bargap=0.3, barmode="group")
    figure.update_layout(legend=_legend(), legend_traceorder="normal", margin_r=40)
    figure.update_xaxes(title=title, tickformat=".0%", gridcolor=GRID, zeroline=False, rangemode="tozero")
    _name_lines(figure, names)
    return figure


def shift_figure(
    names: Sequence[str], before: Sequence[float], after: Sequence[float], what: tuple[str, str]
) -> "go.Figure":
    """Return for each model a hollow dot at the first number, a full one at the second, and the way between."""
    import plotly.graph_objects as go

    lines = list(range(len(names)))
    way_x = [x for pair in zip(before, after, strict=True) for x in (*pair, None)]
    way_y = [y for line in lines for y in (line, line, None)]
    figure = go.Figure(
        [
            go.Scatter(
                x=way_x, y=way_y, mode="lines", line={"color": WHISKER, "width": 2}, hoverinfo="skip", showlegend=False
            ),
            *(
                go.Scatter(
                    name=label(named),
                    x=list(values),
                    y=lines,
                    mode="markers",
                    marker={"color": colour, "size": 9, "symbol": symbol, "line": {"color": colour, "width": 2}},
                    customdata=[[label(name)] for name in names],
                    hovertemplate=f"<b>%{{customdata[0]}}</b><br>{label(named)}: %{{x:.0f}}<extra></extra>",
                )
                for named, values, colour, symbol in zip(
                    what, (before, after), (SECOND, DOT), ("circle-open", "circle"), strict=True
                )
            ),
        ]
    )
    figure.update_layout(**layout(height=120 + 26 * len(names)), legend=_legend())
    figure.update_xaxes(title="rating, Elo points", gridcolor=GRID, zeroline=False)
    _name_lines(figure, names)
    return figure


def layout(height: int) -> dict[str, Any]:
    """Return what all figures share."""
    return {
        "height": height,
        "margin": {"l": 10, "r": 10, "t": 20, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": TEXT},
        "hoverlabel": {"font": {"size": 12}, "align": "left"},
        "dragmode": False,
    }


def label(text: str) -> str:
    """Return the text as plotly shows it, whatever is in it."""
    return html.escape(text, quote=False)  # plotly would show &quot; as it stands


def shorten(name: str) -> str:
    """Return the name, cut in the middle where it is too long: checkpoints differ at their ends."""
    kept = MOST_LABEL - 1
    return name if len(name) <= MOST_LABEL else f"{name[: kept - kept // 2]}…{name[-(kept // 2) :]}"


def _whiskers(dots: Sequence[Dot]) -> dict[str, Any] | None:
    if all(dot.lower is None for dot in dots):
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [_gap(dot.upper, dot.value) for dot in dots],
        "arrayminus": [_gap(dot.value, dot.lower) for dot in dots],
        "color": WHISKER,
        "thickness": 2,
        "width": 0,
    }


def _name_lines(figure: "go.Figure", names: Sequence[str]) -> None:
    """Put the names at positions 0, 1, 2, ... of the vertical axis, the first on top."""
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[label(shorten(name)) for name in names],
        range=[len(names) - 0.5, -0.5],
        automargin=True,
        ticklabelstandoff=6,
        showgrid=False,
        zeroline=False,
    )


def _legend() -> dict[str, Any]:
    return {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"}


def _factor_axis(dots: Sequence[Dot]) -> dict[str, Any]:
    """Return a logarithmic axis with plain numbers at its ticks."""
    ends = [end for dot in dots for end in (dot.lower, dot.value, dot.upper) if end is not None]
    low, high = min([*ends, 1.0]), max([*ends, 1.0])
    steps = (0.1, 0.2, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
    shown = [step for step in steps if low / 1.1 <= step <= high * 1.1]
    return {"type": "log", "tickvals": shown, "ticktext": [f"× {step:g}" for step in shown]}


def _gap(upper: float | None, lower: float | None) -> float:
    return 0.0 if upper is None or lower is None else upper - lower


def _hover(row: BoardRow) -> str:
    interval = "" if row.lower is None else f" ({bounds(row, IN_WORDS)})"
    return (
        f"<b>{label(row.model)}</b><br>{row.rating:.0f}{interval}, rank {ranks(row, IN_WORDS)}<br>"
        f"{plural(row.votes, 'vote')}: {row.wins} won, {row.losses} lost, {row.ties} tied, {row.both_bad} both bad"
    )
