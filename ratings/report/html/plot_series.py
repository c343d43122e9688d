"""The figure of ratings over time: one line per model, with a band of its interval around it.

Lines of many models cannot be told apart, so those that stand highest at the end are drawn and the
others wait in the legend, where one click shows or hides a line together with its band.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from ratings.analysis.over_time import Floats, Series
from ratings.report.html.plots import GRID, PALETTE, label, layout, shorten

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_DRAWN = 8
"""Lines drawn at first."""

MOST_LINES = 30
"""Lines in the figure at all, the highest at the end."""

_DASHES = ("solid", "dash", "dot", "dashdot")


def series_figure(found: Series) -> "go.Figure":
    """Return the rating of each model at the end of every period, with its interval as a band.

    A period in which a model could not be rated leaves a gap. A model that was rated in one period
    alone is a dot.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for place, k in enumerate(order_of_lines(found)):
        for trace in _line(found, k, place):
            figure.add_trace(trace)
    # Room for the legend, which a narrow page lays out in more rows.
    figure.update_layout(**layout(height=400 + 8 * min(len(found.models), MOST_LINES)), hovermode="closest")
    figure.update_layout(legend={"orientation": "h", "x": 0, "xanchor": "left", "y": -0.14, "yanchor": "top"})
    figure.update_xaxes(type="date", gridcolor=GRID, zeroline=False)
    figure.update_yaxes(title="rating, Elo points", gridcolor=GRID, zeroline=False, automargin=True)
    return figure


def order_of_lines(found: Series) -> list[int]:
    """Return the models that are ever rated, the highest at the end first, at most MOST_LINES."""
    is_known = np.isfinite(found.ratings)
    columns = zip(found.ratings.T, is_known.T, strict=True)
    last = [column[known][-1] if known.any() else -np.inf for column, known in columns]
    order = sorted(range(len(found.models)), key=lambda k: (-last[k], found.models[k]))
    return [k for k in order if np.isfinite(last[k])][:MOST_LINES]


def _line(found: Series, k: int, place: int) -> list[Any]:
    import plotly.graph_objects as go

    colour, name = PALETTE[place % len(PALETTE)], found.models[k]
    shared = {"legendgroup": str(place), "visible": True if place < MOST_DRAWN else "legendonly"}
    line = go.Scatter(
        name=label(shorten(name)),
        x=list(found.periods),
        y=_gaps(found.ratings[:, k]),
        mode="lines+markers",
        marker={"size": 5, "color": colour},
        line={"color": colour, "width": 2, "dash": _DASHES[place // len(PALETTE) % len(_DASHES)]},
        customdata=[
            [label(name), f"{low:.0f} to {high:.0f}", int(rank)]
            for low, high, rank in zip(found.lower[:, k], found.upper[:, k], found.ranks[:, k], strict=True)
        ],
        hovertemplate="<b>%{customdata[0]}</b><br>%{x|%d %b %Y}: %{y:.0f} (%{customdata[1]}), "
        "rank %{customdata[2]}<extra></extra>",
        **shared,
    )
    bands = [
        go.Scatter(
            x=x,
            y=y,
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=_faint(colour),
            hoverinfo="skip",
            showlegend=False,
            **shared,
        )
        for x, y in _bands(found, k)
    ]
    return [*bands, line]


def _bands(found: Series, k: int) -> list[tuple[list[str], list[float]]]:
    """Return the outline of the interval over each run of periods without a gap."""
    is_known = np.isfinite(found.lower[:, k]) & np.isfinite(found.upper[:, k])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_known, [False]])))
    outlines = []
    for start, end in edges.reshape(-1, 2).tolist():
        if end - start > 1:
            periods = list(found.periods[start:end])
            upper, lower = found.upper[start:end, k].tolist(), found.lower[start:end, k].tolist()
            outlines.append((periods + periods[::-1], upper + lower[::-1]))
    return outlines


def _gaps(values: Floats) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.13)"
