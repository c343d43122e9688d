"""The figure of ratings over time: one line per model, with a band of its interval around it.

Lines of many models cannot be told apart, so those that stand highest at the end are drawn, and the text below
names how many are not. Lines and bands lie in a box that stretches with the page; dots and letters
lie over it and keep their shape.
"""

from datetime import date

import numpy as np
from markupsafe import Markup

from ratings.analysis.over_time import Floats, Series
from ratings.report.html.axes import Axis, axis_over
from ratings.report.html.elements import join, tag
from ratings.report.html.plots import MOST_LABEL, PALETTE, drawing, legend, words_at
from ratings.report.names import cut_names

MOST_DRAWN = 8
"""Lines that are drawn."""

_MOST_DOTS = 400
"""Beyond it each line tells its end alone and not every period."""

_TALL = 300  # pixels
_BELOW = 26
_FREE = 7.0
"""Percent at the left that only the numbers of the ratings stand in."""


def series_figure(found: Series) -> Markup:
    """Return the rating of each model at the end of every period, with its interval as a band.

    A period in which a model could not be rated leaves a gap. A model that was rated in one period
    alone is a dot.
    """
    order = order_of_lines(found)[:MOST_DRAWN]
    days = [date.fromisoformat(period).toordinal() for period in found.periods]
    across = axis_over([float(day) for day in days])
    values = np.concatenate([part[:, order].ravel() for part in (found.ratings, found.lower, found.upper)])
    up = axis_over(values.tolist())
    places = [_FREE + (100 - _FREE) * across.at(day) / 100 for day in days]
    heights = 100 - np.array([[up.at(value) for value in row] for row in found.ratings])
    names = cut_names([found.models[k] for k in order], MOST_LABEL)
    colours = PALETTE[: len(order)]
    stretched = tag(
        "svg",
        *(_band(found, k, places, up, colour) for k, colour in zip(order, colours, strict=True)),
        *(_path(places, heights[:, k], colour) for k, colour in zip(order, colours, strict=True)),
        width="100%",
        height=str(_TALL),
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
    )
    dots = [
        _dots(found, k, places, heights[:, k], colour, len(order)) for k, colour in zip(order, colours, strict=True)
    ]
    chart = drawing(
        *_levels(up),
        stretched,
        *dots,
        *_dates(found.periods, places),
        height=_TALL + _BELOW,
        told=f"ratings by {found.by} of {len(order)} models, in Elo points",
    )
    return join([legend(zip(names, colours, strict=True)), tag("div", chart, class_="plot")])


def order_of_lines(found: Series) -> list[int]:
    """Return the models that are ever rated, the highest at the end first."""
    is_known = np.isfinite(found.ratings)
    columns = zip(found.ratings.T, is_known.T, strict=True)
    last = [column[known][-1] if known.any() else -np.inf for column, known in columns]
    order = sorted(range(len(found.models)), key=lambda k: (-last[k], found.models[k]))
    return [k for k in order if np.isfinite(last[k])]


def _levels(up: Axis) -> list[Markup]:
    """Return lines at round ratings, each with its number on it."""
    drawn = []
    for tick in up.ticks:
        y = _TALL * (100 - up.at(tick)) / 100
        drawn += [
            tag("line", class_="grid", x1="0", x2="100%", y1=f"{y:.1f}", y2=f"{y:.1f}"),
            words_at(f"{tick:g}".replace("-", "−"), "0", round(y - 4 if y > 14 else y + 12, 1), anchor="start"),
        ]
    return drawn


def _dates(periods: tuple[str, ...], places: list[float]) -> list[Markup]:
    """Return a few of the periods, below their places."""
    chosen = sorted({round(i) for i in np.linspace(0, len(periods) - 1, min(len(periods), 3))})
    anchors = {chosen[0]: "start", chosen[-1]: "end"} if len(chosen) > 1 else {}
    return [words_at(periods[i], f"{places[i]:.2f}%", _TALL + 20, anchor=anchors.get(i, "middle")) for i in chosen]


def _path(places: list[float], heights: Floats, colour: str) -> Markup:
    """Return the line of one model, broken where it has no rating."""
    steps, is_down = [], False
    for x, y in zip(places, heights.tolist(), strict=True):
        if np.isfinite(y):
            steps.append(f"{'L' if is_down else 'M'}{x:.2f} {y:.2f}")
        is_down = bool(np.isfinite(y))
    return tag("path", d="".join(steps), fill="none", stroke=colour, class_="way")


def _band(found: Series, k: int, places: list[float], up: Axis, colour: str) -> Markup:
    """Return the outline of the interval over each run of periods without a gap."""
    is_known = np.isfinite(found.lower[:, k]) & np.isfinite(found.upper[:, k])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_known, [False]])))
    outlines = []
    for start, end in edges.reshape(-1, 2).tolist():
        there = [(places[i], up.at(float(found.upper[i, k]))) for i in range(start, end)]
        back = [(places[i], up.at(float(found.lower[i, k]))) for i in reversed(range(start, end))]
        outlines.append("M" + "L".join(f"{x:.2f} {100 - y:.2f}" for x, y in there + back) + "Z")
    return tag("path", d="".join(outlines), fill=colour, class_="band") if outlines else Markup()


def _dots(found: Series, k: int, places: list[float], heights: Floats, colour: str, lines: int) -> Markup:
    """Return a dot with its numbers at every period, or at the last one where they are many."""
    known = np.flatnonzero(np.isfinite(heights)).tolist()
    if len(places) * lines > _MOST_DOTS:
        known = known[-1:]
    dots = []
    for i in known:
        bounds = f" ({found.lower[i, k]:.0f} to {found.upper[i, k]:.0f})" if np.isfinite(found.lower[i, k]) else ""
        told = f"{found.models[k]}, {found.periods[i]}: {found.ratings[i, k]:.0f}{bounds}, rank {found.ranks[i, k]}"
        place = {"cx": f"{places[i]:.2f}%", "cy": f"{_TALL * heights[i] / 100:.1f}", "r": "3", "fill": colour}
        dots.append(tag("circle", tag("title", told), **place))
    return join(dots)
