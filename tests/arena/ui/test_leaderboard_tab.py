"""The leaderboard tab: its table, and its message when there is none."""

import asyncio
import logging
import re
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from arena.ledger.store import Store
from arena.ui.interval_plot import interval_plot
from arena.ui.leaderboard_tab import LeaderboardTab, board_html
from ratings.board.leaderboard import Leaderboard, build
from ratings.fit.elo import Ticker
from ratings.votes.counts import Counts

NOW = datetime(2030, 1, 2, tzinfo=UTC)


def make_board(wins: int, losses: int) -> Leaderboard:
    """Return a board of two models that met, and one without a vote."""
    pairs, outcomes = np.array([[0, 1]]), np.array([[wins, losses, 2, 1]], dtype=float)
    return build(Counts(("alder", "birch", "<b>elm"), pairs, outcomes, wins + losses + 3), "bradley-terry", now=NOW)


def test_models_that_votes_do_not_separate_share_their_ranks() -> None:
    assert '<td>1–2</td><th scope="row">alder</th>' in board_html(make_board(11, 10), {})


def test_models_that_votes_separate_have_a_rank_each() -> None:
    shown = board_html(make_board(300, 100), {})
    assert '<td>1</td><th scope="row">alder</th>' in shown
    assert '<td>2</td><th scope="row">birch</th>' in shown


def test_a_model_without_a_number_says_why_and_its_name_is_escaped() -> None:
    shown = board_html(make_board(11, 10), {"alder": 1004.2})
    assert '<td></td><th scope="row">&lt;b&gt;elm</th><td class="status" colspan="2">no votes</td>' in shown
    assert "<td>1004</td>" in shown


def test_a_board_without_intervals_has_no_ranks_either() -> None:
    board = make_board(11, 10)
    rows = tuple(replace(row, lower=None, upper=None, rank_lower=None, rank_upper=None) for row in board.rows)
    assert '<td></td><th scope="row">alder</th>' in board_html(replace(board, rows=rows), {})


def test_the_table_has_a_caption_names_its_columns_and_rows_and_scrolls_from_the_keyboard() -> None:
    shown = board_html(make_board(11, 10), {})
    assert '<div class="scroll" role="group" aria-label="Leaderboard" tabindex="0"><table>' in shown
    assert "<caption><span>3 models, best first</span></caption>" in shown
    assert shown.count('<th scope="col">') == 10
    assert shown.count('<th scope="row">') == 3
    assert not re.search("<th>", shown)


def open_tab(db: Path) -> LeaderboardTab:
    async def build_it() -> LeaderboardTab:  # outside of a loop, Gradio makes one for every lock and closes none
        with gr.Blocks(analytics_enabled=False):
            return LeaderboardTab(db, ("alder", "birch"), Ticker())

    return asyncio.run(build_it())


def shown_by(tab: LeaderboardTab) -> str:
    return str(tab.refresh()[tab.board])


def test_before_the_first_vote_it_says_what_is_missing(tmp_path: Path) -> None:
    db = tmp_path / "arena.db"
    Store(db).close()
    assert "there are no votes to rate by" in shown_by(open_tab(db))


def break_as_no_file(db: Path) -> None:
    db.unlink()


def break_as_another_file(db: Path) -> None:
    db.write_bytes(b"Not a database at all. " * 100)


def break_as_another_database(db: Path) -> None:
    db.unlink()
    with sqlite3.connect(db) as connection:
        connection.execute("CREATE TABLE votes (x)")
    connection.close()


@pytest.mark.parametrize("break_it", [break_as_no_file, break_as_another_file, break_as_another_database])
def test_a_ledger_that_cannot_be_read_is_for_the_log_and_not_for_the_page(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, break_it: object
) -> None:
    db = tmp_path / "arena.db"
    Store(db).close()
    tab = open_tab(db)
    for leftover in tmp_path.glob("arena.db-*"):
        leftover.unlink()
    break_it(db)  # type: ignore[operator]
    with caplog.at_level(logging.ERROR):
        shown = shown_by(tab)
    assert re.sub("<[^>]*>", "", shown) == "The leaderboard cannot be read right now."
    assert "leaderboard cannot be read" in caplog.text
    assert str(tmp_path) not in shown


def test_an_error_that_nobody_thought_of_is_for_the_log_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = open_tab(tmp_path / "arena.db")

    def fail() -> None:
        raise sqlite3.OperationalError("disk I/O error in /secret/arena.db")

    monkeypatch.setattr(tab.counts, "refresh_board", fail)
    assert "/secret" not in shown_by(tab)
    assert "cannot be read right now" in shown_by(tab)
    assert "disk I/O error" in caplog.text


@pytest.mark.parametrize(
    ("voters", "said"),
    [
        (12, "Intervals: votes grouped by 12 voters"),
        (3, "Intervals: every vote taken as independent: 3 voters are too few"),
    ],
)
def test_the_tab_says_which_votes_its_intervals_take_together(tmp_path: Path, voters: int, said: str) -> None:
    db = tmp_path / "arena.db"
    Store(db).close()
    with sqlite3.connect(db) as connection:
        for number in range(120):
            outcome = ("model_a", "model_b", "model_a")[number % 3]
            row = (f"b{number}", "2030", f"v{number % voters}", "alder", "birch", outcome, 1.0, "human", "")
            connection.execute("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.close()
    assert said in shown_by(open_tab(db))


def groups_apart() -> Leaderboard:
    """Return a board of two pairs of models that never met."""
    pairs, outcomes = np.array([[0, 1], [2, 3]]), np.array([[3.0, 2, 0, 0], [9, 7, 0, 0]])
    return build(Counts(("a", "b", "<i>x", "y"), pairs, outcomes, 21), "bradley-terry", now=NOW)


def test_every_group_of_models_has_its_table_most_votes_first() -> None:
    shown = board_html(groups_apart(), {})
    assert shown.count("<table>") == 2
    assert shown.index("Group 1 of 2: &lt;i&gt;x and y, 16 votes") < shown.index("Group 2 of 2: a and b, 5 votes")
    assert "not connected" not in shown


def test_the_figure_holds_the_first_group_and_names_as_text() -> None:
    board = groups_apart()
    figure = interval_plot(board)
    assert list(figure.data[0].x) == [row.rating for row in board.rows]
    assert list(figure.layout.yaxis.ticktext) == ["&lt;i&gt;x", "y"]
    assert "group 1 of 2" in figure.layout.xaxis.title.text
    for reach, row in zip(figure.data[0].error_x.array, board.rows, strict=True):
        assert row.rating + reach == pytest.approx(row.upper)
