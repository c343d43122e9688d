"""The figures show the numbers of the board at their places, and names as text that can be told apart."""

import re
from dataclasses import replace

import numpy as np
import pytest

from ratings.analysis.over_time import Series
from ratings.outcomes import Outcome
from ratings.report.html.axes import axis_over, round_numbers
from ratings.report.html.plot_series import MOST_DRAWN, order_of_lines, series_figure
from ratings.report.html.plots import (
    MOST_LABEL,
    Dot,
    dots_figure,
    interval_figure,
    shares_figure,
    shift_figure,
)
from ratings.report.names import cut_names, shorten
from ratings.report.report import Report
from ratings.votes.collect import collect
from ratings.votes.counts import count
from ratings.votes.votes import Record
from tests.ratings.helpers.page_reading import Page
from tests.ratings.helpers.reports import full_report, minimal_report, ranked

A = Outcome.A_WINS


@pytest.fixture(scope="module")
def report() -> Report:
    return full_report()


def series_of(ratings: list[list[float]]) -> Series:
    """Return a series of (T, K) ratings with intervals of 10 points to each side."""
    points = np.array(ratings)
    periods, size = points.shape
    return Series(
        models=tuple(f"m{k}" for k in range(size)),
        by="day",
        cumulative=True,
        confidence=0.95,
        periods=tuple(f"2030-01-{day + 1:02d}" for day in range(periods)),
        ratings=points,
        lower=points - 10,
        upper=points + 10,
        ranks=np.where(np.isnan(points), 0, 1),
        used=np.full(periods, 9),
        untimed=0,
    )


def places(figure: str, tag: str, *names: str, class_: str | None = None) -> list[tuple[float, ...]]:
    """Return the places of elements of a drawing, in percent."""
    found = [attributes for name, attributes in Page(figure).tags if name == tag and attributes.get("class") == class_]
    return [tuple(float((one[name] or "").rstrip("%")) for name in names) for one in found]


def test_dots_and_whiskers_lie_where_the_numbers_are(report: Report) -> None:
    rows, figure = report.board.rows, interval_figure(report.board)
    axis = axis_over([end for row in rows for end in (row.lower, row.rating, row.upper)])
    assert places(figure, "circle", "cx") == [pytest.approx((axis.at(row.rating),), abs=0.01) for row in rows]  # type: ignore[arg-type]
    ends = [pytest.approx((axis.at(row.lower), axis.at(row.upper)), abs=0.01) for row in rows]  # type: ignore[arg-type]
    assert places(figure, "line", "x1", "x2", class_="way") == ends


def test_a_mark_tells_its_numbers_and_ranks(report: Report) -> None:
    figure = interval_figure(report.board)
    row = next(row for row in report.board.rows if row.rank_lower != row.rank_upper)
    assert f"{row.model}: {row.rating:.0f}" in figure
    assert f"rank {row.rank_lower} to {row.rank_upper}" in figure


def test_model_without_a_rating_is_not_drawn(report: Report) -> None:
    rows = (*report.board.rows, replace(report.board.rows[0], model="new", rating=None, lower=None, upper=None))
    assert interval_figure(replace(report.board, rows=rows)).count("<circle") == len(rows) - 1


def test_board_without_intervals_has_dots_alone(report: Report) -> None:
    rows = tuple(replace(row, lower=None, upper=None) for row in report.board.rows)
    assert 'class="way"' not in interval_figure(replace(report.board, rows=rows))


def test_names_in_figures_are_escaped() -> None:
    names = ("<b>one</b>", "<i>two</i>")
    figures = (
        interval_figure(minimal_report(names=names).board),
        series_figure(replace(series_of([[1000.0, 990.0]] * 2), models=names)),
        shares_figure(names, {"tied": [0.1, 0.2]}, "share"),
        shift_figure(names, [1, 2], [2, 1], ("before", "after")),
        dots_figure([Dot(name, 1.0, None, None, "told") for name in names], "points"),
    )
    for drawn in figures:
        assert re.search(r"<(b|i)>(one|two)", drawn) is None
        assert "&lt;b&gt;one" in drawn


def test_long_names_keep_their_ends_and_stay_apart() -> None:
    ends = [f"a-family-with-a-very-long-name-{stage}" for stage in ("sft", "rlhf")]
    assert [len(shorten(name, MOST_LABEL)) for name in ends] == [MOST_LABEL, MOST_LABEL]
    middles = [f"a-family-with-a-long-name-{size}-and-a-long-end-of-it" for size in ("7b", "70b", "8b")]
    for names in (ends, middles):
        cut = cut_names(names, MOST_LABEL)
        assert len(set(cut)) == len(names)
        assert max(map(len, cut)) <= MOST_LABEL
    assert all(f'title="{name}"' in dots_figure([Dot(n, 1.0, None, None, "") for n in ends], "points") for name in ends)


def test_no_effect_is_a_factor_of_one_on_a_logarithmic_axis() -> None:
    figure = dots_figure([Dot("long", 1.3, 1.1, 1.6, "")], "odds", reference=1, is_factor=True)
    axis = axis_over([1.3, 1.1, 1.6, 1.0], is_log=True)
    assert 1.0 in axis.ticks
    assert len(axis.ticks) >= 2
    assert places(figure, "line", "x1", class_="reference") == [pytest.approx((axis.at(1.0),), abs=0.01)]
    assert axis.at(1.2) - axis.at(1.0) == pytest.approx(axis.at(1.0) - axis.at(1 / 1.2))


def test_an_axis_has_round_numbers_at_any_scale() -> None:
    assert round_numbers(801, 1199) == [900, 1000, 1100]
    for low, high in ((0.98, 1.03), (-3e5, 2e6), (999.9, 1000.1)):
        ticks = round_numbers(low, high)
        assert 2 <= len(ticks) <= 6
        assert all(low <= tick <= high for tick in ticks)
    narrow = axis_over([0.999, 1.001], is_log=True)
    assert len(narrow.ticks) >= 2
    assert axis_over([5.0, 5.0]).holds(5.0)


def test_series_draws_the_highest_at_the_end() -> None:
    size = MOST_DRAWN + 2
    found = series_of([[1000.0 + k for k in range(size)], [1000.0 - k for k in range(size)]])
    assert order_of_lines(found) == list(range(size))
    assert re.findall(r"</span> (m\d)", series_figure(found)) == [f"m{k}" for k in range(MOST_DRAWN)]


def test_series_leaves_a_gap_in_line_and_band_where_nobody_could_be_rated() -> None:
    nan = float("nan")
    figure = series_figure(series_of([[1000.0, nan]] * 2 + [[nan, nan]] + [[1010.0, nan]] * 2))
    line, band = (re.findall(rf'd="([^"]*)"[^>]*class="{kind}"', figure) for kind in ("way", "band"))
    assert [path.count("M") for path in line] == [2]
    assert [path.count("Z") for path in band] == [2]
    assert figure.count("<circle") == 4


def test_shares_are_those_of_the_board() -> None:
    votes = [Record("a", "b", outcome) for outcome in (A, Outcome.B_WINS, Outcome.TIE, Outcome.BOTH_BAD)]
    rows = ranked(count(collect(votes))).rows
    figure = shares_figure([row.model for row in rows], {"tied": [row.ties / row.votes for row in rows]}, "share")
    assert "a: tied 25.0%" in figure
