"""The leaderboard tab's table."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from arena.ui.leaderboard_tab import board_html
from ratings.leaderboard import Leaderboard, build
from ratings.tally import Counts

NOW = datetime(2030, 1, 2, tzinfo=UTC)


def make_board(wins: int, losses: int) -> Leaderboard:
    """Return a board of two models that met, and one without a vote."""
    pairs, outcomes = np.array([[0, 1]]), np.array([[wins, losses, 2, 1]], dtype=float)
    return build(Counts(("alder", "birch", "<b>elm"), pairs, outcomes, wins + losses + 3), "bradley-terry", now=NOW)


def test_models_that_are_not_told_apart_share_their_ranks() -> None:
    assert "<td>1–2</td><td>alder</td>" in board_html(make_board(11, 10), {})


def test_models_that_are_told_apart_have_a_rank_each() -> None:
    shown = board_html(make_board(300, 100), {})
    assert "<td>1</td><td>alder</td>" in shown
    assert "<td>2</td><td>birch</td>" in shown


def test_a_model_without_a_number_says_why_and_its_name_is_escaped() -> None:
    shown = board_html(make_board(11, 10), {"alder": 1004.2})
    assert '<td></td><td>&lt;b&gt;elm</td><td class="status" colspan="2">no votes</td>' in shown
    assert "<td>1004</td>" in shown


def test_a_board_without_intervals_has_no_ranks_either() -> None:
    board = make_board(11, 10)
    rows = tuple(replace(row, lower=None, upper=None, rank_lower=None, rank_upper=None) for row in board.rows)
    assert "<td></td><td>alder</td>" in board_html(replace(board, rows=rows), {})
