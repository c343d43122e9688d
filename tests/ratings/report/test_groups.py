"""Models that no votes compare stand on boards of their own, most votes first, in every output."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

import ratings
from ratings.analysis.changes import compare_boards
from ratings.board.groups import groups_of, how_grouped, votes_among
from ratings.board.leaderboard import build
from ratings.board.settings import Settings
from ratings.fit.prior import Prior
from ratings.outcomes import Outcome
from ratings.report.build import make_report
from ratings.report.html.page import report_html
from ratings.report.json import to_csv, to_json
from ratings.report.request import Request
from ratings.report.sources import Source
from ratings.report.text import report_text
from ratings.votes.collect import collect
from ratings.votes.counts import count
from ratings.votes.votes import Record, Votes
from tests.ratings.helpers.page_reading import Page

NOW = datetime(2030, 1, 2, tzinfo=UTC)
A, B, TIE, BAD = Outcome.A_WINS, Outcome.B_WINS, Outcome.TIE, Outcome.BOTH_BAD


def votes_of(*duels: tuple[str, str, int, int]) -> Votes:
    """Return votes from (model, other, times won, times lost), on as many days as there are votes of one duel."""
    records = [
        Record(first, second, outcome, time=86_400.0 * day, voter=f"{first} {day % 12}")
        for first, second, won, lost in duels
        for day, outcome in enumerate([A] * won + [B] * lost)
    ]
    return collect(records)


MANY = votes_of(("x", "y", 20, 15), ("a", "b", 3, 2), ("b", "c", 2, 1), ("c", "a", 1, 1), ("never", "c", 2, 0))


def report_of(votes: Votes, request: Request | None = None) -> Any:
    return make_report(Source(count(votes), votes), request or Request(), now=NOW)


def test_the_group_with_most_votes_leads_whatever_its_size() -> None:
    board = report_of(MANY).board
    assert [[row.model for row in one.rows if row.rating is not None] for one in board.every] == [
        ["x", "y"],
        ["a", "b", "c"],
    ]
    assert [one.used for one in board.every] == [35, 10]
    assert board.left_out == {"battle with an unrated model": 2, "battle within another group": 10}


def test_each_group_has_the_board_of_its_votes_alone() -> None:
    board = report_of(MANY).board
    alone = build(votes_among(MANY, ("a", "b", "c", "never")), "bradley-terry", now=NOW)
    for row, by_itself in zip(board.groups[0].rows, alone.rows, strict=True):
        assert (row.model, row.rating, row.lower, row.upper) == pytest.approx(
            (by_itself.model, by_itself.rating, by_itself.lower, by_itself.upper)
        )
        assert (row.rank_lower, row.rank_upper, row.group) == (by_itself.rank_lower, by_itself.rank_upper, 2)


def test_a_model_that_never_lost_stands_with_those_it_met() -> None:
    second = report_of(MANY).board.groups[0]
    assert [(row.model, row.status) for row in second.rows if row.rating is None] == [
        ("never", "unbounded: never lost or tied")
    ]


@pytest.mark.parametrize("method", ["bradley-terry", "elo"])
def test_every_output_holds_every_group(method: str) -> None:
    report = report_of(MANY, Request(method=method))
    told = json.loads(to_json(report))
    assert [len(one["rows"]) for one in (told, *told["components"])] == [2, 4]
    lines = list(csv.DictReader(io.StringIO(to_csv(report.board))))
    assert [(line["model"], line["group"]) for line in lines][:3] == [("x", "1"), ("y", "1"), (lines[2]["model"], "2")]
    assert report.board.to_frame()["group"].tolist() == [1, 1, 2, 2, 2, 2]
    page = Page(report_html(report)).words()
    for words in (report_text(report), page):
        assert "roup 1 of 2: x and y, 35 votes" in words
        assert "roup 2 of 2: " in words
    assert "- not connected" not in report_text(report)
    rows = [(*pair, "model_a") for pair in ("xy", "yx", "xy", "ab", "ba")]
    assert ratings.rate(rows, method=method).to_frame()["group"].tolist() == [1, 1, 2, 2]


def test_every_part_beside_the_board_knows_the_groups() -> None:
    report = report_of(MANY, Request(by="day"))
    assert [set(one.models) for one in (report.series, *report.other_series)] == [{"x", "y"}, {"a", "b", "c", "never"}]
    assert any("first place, voters, position bias and pairs are of group 1" in note for note in report.notes)
    assert "leads" not in Page(report_html(report)).words() or "in group 1 of 2" in Page(report_html(report)).words()


def test_an_anchor_in_another_group_moves_that_one() -> None:
    board = build(MANY, "bradley-terry", Settings(anchor=("b", 0.0)), now=NOW)
    assert next(row.rating for row in board.all_rows if row.model == "b") == pytest.approx(0.0)
    assert np.mean([row.rating for row in board.rows]) == pytest.approx(1000)


def test_options_that_change_the_groups_say_so() -> None:
    ties = collect([Record("a", "b", A), Record("b", "a", A), Record("b", "c", TIE), Record("c", "d", A)] * 3)
    assert how_grouped(count(ties), Settings(), "bradley-terry") == ""
    assert "3 models with every tie" in how_grouped(count(ties), Settings(ties="drop"), "bradley-terry")
    bad = collect([Record("a", "b", A), Record("b", "a", A), Record("b", "c", BAD)])
    assert "both bad: drop" in how_grouped(count(bad), Settings(both_bad="drop"), "bradley-terry")
    assert "joins 2 groups" in how_grouped(count(MANY), Settings(prior=Prior(200.0)), "bradley-terry")
    assert len(groups_of(count(MANY), Settings(prior=Prior(200.0)), "bradley-terry")) == 1
    assert any(
        "joins 2 groups" in note for note in report_of(MANY, Request(settings=Settings(prior=Prior(200.0)))).notes
    )


def test_moves_are_measured_within_each_group() -> None:
    before = report_of(votes_of(("x", "y", 20, 15), ("a", "b", 3, 2))).board.to_json_dict()
    joined = votes_of(("x", "y", 20, 15), ("a", "b", 3, 2), ("b", "x", 2, 2))
    same = compare_boards(before, before)
    assert [move.moved for move in same.moves] == [0.0] * 4
    changed = compare_boards(before, report_of(joined).board.to_json_dict())
    assert any("groups that can be compared changed" in caveat for caveat in changed.caveats)
    assert {move.model: move.moved for move in changed.moves}["x"] == pytest.approx(0.0, abs=1e-6)


def test_a_ledger_with_some_simulated_votes_does_not_guess_whose_they_are() -> None:
    counts = count(MANY)
    some = build(type(counts)(**{**vars(counts), "simulated": 5}), "bradley-terry", now=NOW)
    assert some.groups[0].simulated is None
    assert build(counts, "bradley-terry", now=NOW).groups[0].simulated == 0


@pytest.mark.parametrize("odd", [None, 3, [None], [{"rows": None}], [{"rows": [None, {"model": "a"}]}]])
def test_groups_of_an_odd_earlier_board_are_passed_over(odd: object) -> None:
    now = report_of(MANY).board.to_json_dict()
    assert {move.model for move in compare_boards({**now, "components": odd}, now).moves} >= {"x", "y"}


def test_a_group_keeps_its_models_however_often_they_lost_to_another() -> None:
    votes = votes_of(("x", "y", 20, 15), ("x", "p", 30, 0), ("p", "q", 2, 2))
    first, second = report_of(votes).board.every
    assert {row.model for row in first.rows} == {"x", "y"}
    assert {row.model for row in second.rows if row.rating is not None} == {"p", "q"}
    assert first.left_out == {"battle with an unrated model": 30, "battle within another group": 4}


def test_a_model_that_changed_its_group_alone_is_measured_against_nobody() -> None:
    before = report_of(votes_of(("x", "y", 20, 15), ("a", "b", 3, 2), ("b", "c", 2, 2))).board.to_json_dict()
    for row in before["rows"]:
        row["rating"] += 7.0
    after = report_of(votes_of(("x", "y", 20, 15), ("a", "b", 3, 2), ("c", "x", 2, 2))).board.to_json_dict()
    moved = {move.model: move.moved for move in compare_boards(before, after).moves}
    assert moved["c"] is None
    assert moved["a"] is not None
