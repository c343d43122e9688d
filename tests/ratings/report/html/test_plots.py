"""The figures show the numbers of the board, and names as text whatever is in them."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from ratings.analysis.over_time import Series
from ratings.outcomes import Outcome
from ratings.report.html.plot_series import MOST_DRAWN, order_of_lines, series_figure
from ratings.report.html.plots import (
    MOST_LABEL,
    Dot,
    dots_figure,
    interval_figure,
    shares_figure,
    shift_figure,
    shorten,
)
from ratings.report.report import Report
from ratings.votes.collect import collect
from ratings.votes.counts import count
from ratings.votes.votes import Record
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


def test_whiskers_reach_the_bounds_of_the_interval(report: Report) -> None:
    (trace,) = interval_figure(report.board).data
    for k, row in enumerate(report.board.rows):
        assert trace.x[k] == row.rating
        assert trace.x[k] + trace.error_x.array[k] == pytest.approx(row.upper)
        assert trace.x[k] - trace.error_x.arrayminus[k] == pytest.approx(row.lower)


def test_hover_tells_the_rank_interval(report: Report) -> None:
    (trace,) = interval_figure(report.board).data
    wide = next(k for k, row in enumerate(report.board.rows) if row.rank_lower != row.rank_upper)
    row = report.board.rows[wide]
    assert f"rank {row.rank_lower} to {row.rank_upper}" in trace.customdata[wide][0]


def test_model_without_a_rating_is_not_drawn(report: Report) -> None:
    rows = (*report.board.rows, replace(report.board.rows[0], model="new", rating=None, lower=None, upper=None))
    (trace,) = interval_figure(replace(report.board, rows=rows)).data
    assert len(trace.x) == len(rows) - 1


def test_board_without_intervals_has_dots_alone(report: Report) -> None:
    rows = tuple(replace(row, lower=None, upper=None) for row in report.board.rows)
    (trace,) = interval_figure(replace(report.board, rows=rows)).data
    assert trace.error_x.array is None


def test_names_in_figures_are_escaped() -> None:
    names = ("<b>one</b>", "<i>two</i>")
    board = minimal_report(names=names).board
    found = replace(series_of([[1000.0, 990.0]] * 2), models=names)
    figures = (
        interval_figure(board),
        series_figure(found),
        shares_figure(names, {"tied": [0.1, 0.2]}, "share"),
        shift_figure(names, [1, 2], [2, 1], ("before", "after")),
        dots_figure([Dot(name, 1.0, None, None, "hover") for name in names], "points"),
    )
    for drawn in figures:
        told = json.dumps(json.loads(drawn.to_json()))
        assert re.search(r"<(b|i)>(one|two)", told) is None
        assert "&lt;b&gt;one" in told


def test_two_long_names_stay_two_lines_and_keep_their_ends() -> None:
    names = [f"a-family-with-a-very-long-name-{stage}" for stage in ("sft", "rlhf")]
    assert [len(shorten(name)) for name in names] == [MOST_LABEL, MOST_LABEL]
    assert shorten(names[0]) != shorten(names[1])
    figure = dots_figure([Dot(name, 1.0, None, None, "") for name in names], "points")
    assert list(figure.layout.yaxis.tickvals) == [0, 1]


def test_no_effect_is_a_factor_of_one_on_a_logarithmic_axis() -> None:
    figure = dots_figure([Dot("long", 1.3, 1.1, 1.6, "")], "odds", reference=1, is_factor=True)
    assert figure.layout.xaxis.type == "log"
    assert 1.0 in figure.layout.xaxis.tickvals
    assert [shape.x0 for shape in figure.layout.shapes] == [1]


def test_series_draws_the_highest_at_the_end_and_keeps_the_others_in_the_legend() -> None:
    size = MOST_DRAWN + 2
    found = series_of([[1000.0 + k for k in range(size)], [1000.0 - k for k in range(size)]])
    assert order_of_lines(found) == list(range(size))
    lines = [trace for trace in series_figure(found).data if trace.mode == "lines+markers"]
    assert [line.name for line in lines] == [f"m{k}" for k in range(size)]
    assert [line.visible for line in lines] == [True] * MOST_DRAWN + ["legendonly"] * 2


def test_series_leaves_a_gap_in_line_and_band_where_nobody_could_be_rated() -> None:
    nan = float("nan")
    figure = series_figure(series_of([[1000.0, nan]] * 2 + [[nan, nan]] + [[1010.0, nan]] * 2))
    bands = [trace for trace in figure.data if trace.fill == "toself"]
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [line.name for line in lines] == ["m0"]
    assert list(lines[0].y) == [1000, 1000, None, 1010, 1010]
    assert [list(band.y) for band in bands] == [[1010, 1010, 990, 990], [1020, 1020, 1000, 1000]]
    assert {trace.legendgroup for trace in figure.data} == {"0"}


def test_shares_are_those_of_the_board() -> None:
    votes = [Record("a", "b", outcome) for outcome in (A, Outcome.B_WINS, Outcome.TIE, Outcome.BOTH_BAD)]
    rows = ranked(count(collect(votes))).rows
    figure = shares_figure([row.model for row in rows], {"tied": [row.ties / row.votes for row in rows]}, "share")
    assert list(figure.data[0].x) == [0.25, 0.25]
    assert figure.data[0].text == ("25%", "25%")
