"""The board adds up, says why a model has no number, and is strict JSON."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_bradley_terry import VOTES

from ratings.counts import Counts, count
from ratings.errors import NoVotesError, SettingsError, TooFewModelsError
from ratings.intervals import NO_SPREAD
from ratings.leaderboard import Leaderboard, Row, Settings, build
from ratings.outcomes import Outcome
from ratings.votes import Record, Votes, collect

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
A, B, TIE, BAD = Outcome

MakeVotes = Callable[..., Votes]

SOME = [("a", "b", A)] * 40 + [("b", "a", A)] * 10 + [("a", "b", TIE)] * 4 + [("b", "a", BAD)] * 2
SOME += [("c", "a", B)] * 9 + [("d", "a", TIE), ("a", "a", TIE)]


def board_of(votes: Votes, method: str = "bradley-terry", settings: Settings | None = None) -> Leaderboard:
    """Return the board of `votes` at a fixed time."""
    return build(votes, method, settings, now=NOW)


def test_board_of_counts_is_the_board_of_the_votes(make_votes: MakeVotes) -> None:
    votes = make_votes(SOME)
    assert build(count(votes), "bradley-terry", now=NOW) == board_of(votes)


@given(VOTES, st.sampled_from(["tie", "drop"]), st.sampled_from(["bradley-terry", "elo"]))
def test_votes_read_are_used_or_left_out_and_the_json_is_strict(votes: Votes, both_bad: str, method: str) -> None:
    board = board_of(votes, method, Settings(both_bad=both_bad))  # type: ignore[arg-type]
    told = json.loads(json.dumps(board.to_json_dict(), allow_nan=False))
    assert list(told) == ["created", "method", "settings", "votes", "rows"]
    assert told["votes"]["read"] == told["votes"]["used"] + sum(told["votes"]["left_out"].values())
    assert {row["model"] for row in told["rows"]} == set(votes.models)
    for row in told["rows"]:
        assert list(row) == list(Row.__annotations__)
        assert row["votes"] == row["wins"] + row["losses"] + row["ties"] + row["both_bad"]
        assert (row["status"] == "rated") == (row["rating"] is not None) == (row["rank"] is not None)
        if method == "bradley-terry" and row["rating"] is not None:
            assert row["lower"] < row["rating"] < row["upper"]
    rated = [row["rating"] for row in told["rows"] if row["rating"] is not None]
    assert rated == sorted(rated, reverse=True)
    assert [row["rating"] for row in told["rows"][: len(rated)]] == rated


def test_rows_tally_both_sides_and_keep_models_without_a_number(make_votes: MakeVotes) -> None:
    board = board_of(make_votes(SOME))
    rows = {row.model: row for row in board.rows}
    a = rows["a"]
    assert (a.votes, a.wins, a.losses, a.ties, a.both_bad) == (66, 49, 10, 5, 2)
    assert (rows["c"].status, rows["c"].losses) == ("unbounded: never won or tied", 9)
    assert rows["d"].status == NO_SPREAD
    assert [row.model for row in board.rows] == ["a", "b", "c", "d"]
    assert board.left_out == {"self-battle": 1, "battle with an unrated model": 9}
    assert (board.read, board.used) == (67, 57)


def test_average_of_the_models_shown_is_1000(make_votes: MakeVotes) -> None:
    shown = [row.rating for row in board_of(make_votes(SOME)).rows if row.rating is not None]
    assert len(shown) == 2
    assert sum(shown) / 2 == pytest.approx(1000)


@pytest.mark.parametrize(
    ("rows", "statuses"),
    [
        ([("a", "b", A)], ["unbounded: never lost or tied", "unbounded: never won or tied"]),
        ([("a", "b", TIE)] * 3, [NO_SPREAD, NO_SPREAD]),
    ],
    ids=["one vote", "all ties"],
)
def test_votes_that_cannot_rate_anybody_make_a_board_of_reasons(
    make_votes: MakeVotes, rows: list[tuple[str, str, Outcome]], statuses: list[str]
) -> None:
    board = board_of(make_votes(rows))
    assert [row.status for row in board.rows] == statuses
    assert {row.rating for row in board.rows} == {None}
    assert board.to_frame()["rating"].isna().all()
    assert "unbounded" in board.to_text() or NO_SPREAD in board.to_text()


def test_wider_confidence_only_widens(make_votes: MakeVotes) -> None:
    narrow, wide = (board_of(make_votes(SOME), settings=Settings(confidence=c)).rows[0] for c in (0.8, 0.99))
    assert narrow.rating == wide.rating
    assert wide.lower is not None
    assert narrow.lower is not None
    assert wide.lower < narrow.lower


def test_elo_board_has_no_interval_and_says_so(make_votes: MakeVotes) -> None:
    board = board_of(make_votes([("a", "b", A), ("c", "d", TIE)]), "elo")
    assert [(row.model, row.rating, row.lower, row.upper, row.rank) for row in board.rows] == [
        ("a", 1002.0, None, None, 1),
        ("c", 1000.0, None, None, 2),
        ("d", 1000.0, None, None, 2),
        ("b", 998.0, None, None, 4),
    ]
    assert str(board.settings["interval"]).startswith("none")


def test_elo_needs_the_order_of_the_votes(make_votes: MakeVotes) -> None:
    with pytest.raises(SettingsError, match="order"):
        build(count(make_votes(SOME)), "elo", now=NOW)


def test_simulated_votes_are_counted_and_their_number_shown() -> None:
    rows = [
        Record("a", "b", A, is_simulated=True),
        Record("a", "b", B),
        Record("a", "a", B, is_simulated=True),
    ]
    board = board_of(collect(rows))
    assert board.to_json_dict()["votes"] == {
        "read": 3,
        "used": 2,
        "left_out": {"self-battle": 1},
        "simulated": 1,
    }
    assert "3 votes read, 2 used, 1 left out (1 self-battle), 1 simulated" in board.to_text()


def test_nothing_to_rate_is_an_error_that_says_what_was_read(make_votes: MakeVotes) -> None:
    with pytest.raises(NoVotesError, match="read 0"):
        board_of(make_votes([]))
    with pytest.raises(TooFewModelsError, match="only one model"):
        board_of(make_votes([("a", "a", A)]))
    with pytest.raises(NoVotesError, match="read 1, left out 1 missing outcome"):
        board_of(collect([Record("a", "b", None)]))


def test_settings_out_of_range_are_errors(make_votes: MakeVotes) -> None:
    with pytest.raises(SettingsError, match="trueskill"):
        board_of(make_votes(SOME), "trueskill")
    with pytest.raises(SettingsError, match="95"):
        Settings(confidence=95)


def test_table_is_aligned_and_a_hostile_name_stays_on_its_line(make_votes: MakeVotes) -> None:
    rows = [("evil\n\x1b[31m", "b", A), ("evil\n\x1b[31m", "b", B)]
    text = board_of(make_votes(rows)).to_text()
    assert "\x1b" not in text
    assert r"evil\n\x1b[31m" in text
    table = text.split("\n\n")[0].splitlines()
    assert len(table) == 3
    assert len({line.index("1000") for line in table[1:]}) == 1


def test_frame_has_the_columns_of_a_row_and_whole_ranks(make_votes: MakeVotes) -> None:
    frame = board_of(make_votes(SOME)).to_frame()
    assert list(frame.columns) == list(Row.__annotations__)
    assert str(frame["rank"].dtype) == "Int64"


def test_roster_without_votes_keeps_its_row(make_votes: MakeVotes) -> None:
    counts = count(make_votes([("a", "b", A), ("a", "b", B)]))
    wider = Counts((*counts.models, "z"), counts.pairs, counts.outcomes, counts.read)
    assert build(wider, "bradley-terry", now=NOW).rows[-1].status == "no votes"
