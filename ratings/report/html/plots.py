"""Figures of a board and what stands beside it, drawn as SVG.

A figure is names beside one drawing whose places are percentages (axes.py), so it fits any width without a script,
and each mark tells its numbers in a title. Lines and letters take the colour of the text around them and marks
are mid-tones, so one figure serves a light and a dark page. The colours are those of Okabe and Ito (2008, "Color
Universal Design"), which readers of any colour vision can tell apart, without their yellow and black.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from ratings.board.columns import BoardRow, Notation, bounds, ranks
from ratings.board.leaderboard import Leaderboard
from ratings.report.html.axes import Axis, axis_over
from ratings.report.html.elements import join, plural, tag
from ratings.report.names import cut_names

DOT = "#2b7fc3"
SECOND = "#d9822b"
PALETTE = ("#0b7bc0", "#d9822b", "#0a9e74", "#cc79a7", "#56b4e9", "#d55e00", "#8f7ad1", "#8a8a84")
"""For lines of several models, in turn."""

IN_WORDS = Notation(ranks=" to ")
"""For boards in a sentence: "rank 2 to 4"."""

MOST_LABEL = 26
"""Longest model name in a label; its title has the whole of it."""

_ROW = 26  # pixels
_BELOW = 44

Places = Callable[[int], Markup]


class Dot(NamedTuple):
    """One line of a dot-and-whisker figure; None for no whisker."""

    label: str
    """As it came; it is cut and escaped here."""
    value: float
    lower: float | None
    upper: float | None
    told: str
    """What its title says."""


def interval_figure(board: Leaderboard) -> Markup:
    """Return rated models, best on top, as dots with the whiskers of their intervals.

    A method without intervals has dots alone. Models without a rating are not drawn.
    """
    dots = [Dot(row.model, row.rating, row.lower, row.upper, tell(row)) for row in board.rows if row.rating is not None]
    return dots_figure(dots, "rating, Elo points")


def dots_figure(dots: Sequence[Dot], title: str, *, reference: float | None = None, is_factor: bool = False) -> Markup:
    """Return the dots in order, the first on top, with their whiskers.

    `reference` draws a line where there is no effect; `is_factor` makes the axis logarithmic.
    """
    ends = [end for dot in dots for end in (dot.lower, dot.value, dot.upper)]
    axis = axis_over([*ends, *([] if reference is None else [reference])], is_log=is_factor)

    def drawn(i: int) -> Markup:
        dot, y = dots[i], _middle(i)
        whisker = Markup()
        if dot.lower is not None and dot.upper is not None:
            whisker = _line(axis.at(max(dot.lower, axis.low)), axis.at(min(dot.upper, axis.high)), y, DOT)
        return join([whisker, _circle(axis.at(dot.value), y, DOT)])

    return _rows([dot.label for dot in dots], [dot.told for dot in dots], drawn, axis, title, reference, is_factor)


def shares_figure(names: Sequence[str], shares: Mapping[str, Sequence[float]], title: str) -> Markup:
    """Return bars of each share of each model, from {what: (n,) shares from 0 to 1}."""
    axis = axis_over([value for values in shares.values() for value in values], from_zero=True)
    colours = (DOT, SECOND)[: len(shares)]
    thick = (_ROW - 8) / len(shares)

    def drawn(i: int) -> Markup:
        bars = (
            tag(
                "rect",
                x="0",
                y=f"{_ROW * i + 4 + thick * place:g}",
                width=f"{axis.at(values[i]):.2f}%",
                height=f"{thick - 1:g}",
                fill=colour,
            )
            for place, (values, colour) in enumerate(zip(shares.values(), colours, strict=True))
        )
        return join(bars)

    told = [
        f"{name}: {', '.join(f'{what} {values[i]:.1%}' for what, values in shares.items())}"
        for i, name in enumerate(names)
    ]
    return join([legend(zip(shares, colours, strict=True)), _rows(names, told, drawn, axis, title, is_share=True)])


def shift_figure(
    names: Sequence[str], before: Sequence[float], after: Sequence[float], what: tuple[str, str]
) -> Markup:
    """Return for each model a hollow dot at the first number, a full one at the second, and the way between."""
    axis = axis_over([*before, *after])

    def drawn(i: int) -> Markup:
        old, new, y = axis.at(before[i]), axis.at(after[i]), _middle(i)
        return join([_line(old, new, y, DOT), _circle(old, y, SECOND, is_hollow=True), _circle(new, y, DOT)])

    told = [
        f"{name}: {what[0]} {old:.0f}, {what[1]} {new:.0f}" for name, old, new in zip(names, before, after, strict=True)
    ]
    shown = _rows(names, told, drawn, axis, "rating, Elo points")
    return join([legend([(what[0], SECOND), (what[1], DOT)], hollow=what[0]), shown])


def legend(lines: Iterable[tuple[str, str]], *, hollow: str = "") -> Markup:
    """Return names with the colour of each."""
    keys = (
        tag("span", tag("span", "○" if name == hollow else "●", style=f"color: {colour}"), " ", name)
        for name, colour in lines
    )
    return tag("p", join(keys, "\n"), class_="legend")


def drawing(*parts: str, height: float, told: str) -> Markup:
    """Return an SVG drawing as wide as its place."""
    return tag("svg", *parts, class_="chart", width="100%", height=f"{height:g}", role="img", **{"aria-label": told})


def words_at(text: str, x: str, y: float, *, anchor: str = "middle") -> Markup:
    """Return letters in a drawing."""
    return tag("text", text, x=x, y=f"{y:g}", **{"text-anchor": anchor})


def tell(row: BoardRow) -> str:
    """Return what a title says of a model."""
    interval = "" if row.lower is None else f" ({bounds(row, IN_WORDS)})"
    rating = "no rating" if row.rating is None else f"{row.rating:.0f}"
    return (
        f"{row.model}: {rating}{interval}, rank {ranks(row, IN_WORDS)}; {plural(row.votes, 'vote')}: "
        f"{row.wins} won, {row.losses} lost, {row.ties} tied, {row.both_bad} both bad"
    )


def _rows(
    names: Sequence[str],
    told: Sequence[str],
    drawn: Places,
    axis: Axis,
    title: str,
    reference: float | None = None,
    is_factor: bool = False,
    is_share: bool = False,
) -> Markup:
    """Return the names at the left, and beside them the drawing of each over one axis."""
    height = _ROW * len(names)
    lines = [_upright("grid", axis.at(tick), height) for tick in axis.ticks]
    numbers = [
        words_at(_number(tick, is_factor, is_share), f"{axis.at(tick):.2f}%", height + 16) for tick in axis.ticks
    ]
    marks = [
        tag("g", tag("title", told[i]), tag("rect", y=str(_ROW * i), width="100%", height=str(_ROW)), drawn(i))
        for i in range(len(names))
    ]
    zero = [] if reference is None or not axis.holds(reference) else [_upright("reference", axis.at(reference), height)]
    chart = drawing(
        *lines,
        *zero,
        *marks,
        *numbers,
        words_at(title, "50%", height + 36),
        height=height + _BELOW,
        told=f"{title}, of {plural(len(names), 'line')}; each with its numbers",
    )
    labels = (tag("span", cut, title=name) for name, cut in zip(names, cut_names(names, MOST_LABEL), strict=True))
    return tag("div", tag("div", join(labels), class_="labels"), chart, class_="plot")


def _number(tick: float, is_factor: bool, is_share: bool) -> str:
    if is_factor:
        return f"× {tick:g}"
    return f"{100 * tick:.3g}%" if is_share else f"{round(tick, 6):g}".replace("-", "−")


def _middle(i: int) -> float:
    return _ROW * (i + 0.5)


def _upright(kind: str, x: float, height: float) -> Markup:
    return tag("line", class_=kind, x1=f"{x:.2f}%", x2=f"{x:.2f}%", y1="0", y2=f"{height:g}")


def _line(x1: float, x2: float, y: float, colour: str) -> Markup:
    return tag("line", class_="way", x1=f"{x1:.2f}%", x2=f"{x2:.2f}%", y1=f"{y:g}", y2=f"{y:g}", stroke=colour)


def _circle(x: float, y: float, colour: str, *, is_hollow: bool = False) -> Markup:
    fill = "none" if is_hollow else colour
    return tag("circle", cx=f"{x:.2f}%", cy=f"{y:g}", r="4.5", fill=fill, stroke=colour)
