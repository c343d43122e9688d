"""The columns of a board, as every reader of boards shows them."""

from dataclasses import fields, replace

import numpy as np

from ratings.board.columns import COLUMNS, BoardRow, Notation, bounds, make_row, ranks, rating

ROW = make_row("m", "rated", np.array([1000.4, 979.6, 1021.2, 2.0, 4.0]), np.array([1234.0, 700.0, 300.0, 200.0, 34.0]))
PLAIN = Notation()


def test_ranks_are_a_range_one_number_or_nothing() -> None:
    assert ranks(ROW, PLAIN) == "2–4"
    assert ranks(ROW, Notation(ranks=" to ")) == "2 to 4"
    assert ranks(replace(ROW, rank_upper=2), PLAIN) == "2"
    assert ranks(replace(ROW, rank_lower=None, rank_upper=None), PLAIN) == "2"
    assert ranks(replace(ROW, rank=None, rank_lower=None, rank_upper=None), Notation(none="-")) == "-"


def test_rating_and_bounds_are_whole_points_or_nothing() -> None:
    assert (rating(ROW, PLAIN), bounds(ROW, PLAIN)) == ("1000", "980 to 1021")
    assert bounds(replace(ROW, lower=-12.3), Notation(bounds=" – ", minus="−")) == "−12 – 1021"
    assert (rating(replace(ROW, rating=None), PLAIN), bounds(replace(ROW, upper=None), PLAIN)) == ("–", "–")


def test_columns_that_are_read_show_the_row_in_the_reader_s_notation() -> None:
    shown = [column.text(ROW, Notation(commas=True)) for column in COLUMNS]
    assert shown == ["2–4", "m", "1000", "980 to 1021", "1,234", "700", "300", "200", "34"]
    assert [column.title for column in COLUMNS][4:] == ["votes", "won", "lost", "tied", "both bad"]


def test_model_without_a_vote_has_no_shares() -> None:
    row = make_row("m", "no votes", np.full(5, np.nan), np.zeros(5))
    assert {field.name for field in fields(BoardRow) if getattr(row, field.name) is None} == {
        "rating",
        "lower",
        "upper",
        "rank",
        "rank_lower",
        "rank_upper",
        "both_bad_share",
        "tie_share",
    }
