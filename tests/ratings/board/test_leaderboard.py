"""The board adds up, says why a model has no number, and is strict JSON."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratings.board.columns import BoardRow
from ratings.board.estimate import TOO_EARLY
from ratings.board.leaderboard import Leaderboard, Settings, build
from ratings.errors import NoVotesError, SettingsError, TooFewModelsError
from ratings.fit.bradley_terry import fit
from ratings.fit.davidson import fit_davidson
from ratings.intervals.ranks import simultaneous_ranks
from ratings.intervals.sandwich import NO_SPREAD, covariance
from ratings.outcomes import Outcome
from ratings.report.text import board_text
from ratings.scale import POINTS_PER_NAT
from ratings.votes.collect import collect
from ratings.votes.counts import Counts, count
from ratings.votes.votes import Record, Votes
from tests.ratings.helpers.strategies import VOTES

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
A, B, TIE, BAD = Outcome.A_WINS, Outcome.B_WINS, Outcome.TIE, Outcome.BOTH_BAD

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
    assert list(told) == ["created", "method", "settings", "votes", "rows", "components"]
    assert told["votes"]["read"] == told["votes"]["used"] + sum(told["votes"]["left_out"].values())
    every = [row for group in (told, *told["components"]) for row in group["rows"]]
    assert sorted(row["model"] for row in every) == sorted(votes.models)
    assert board.to_frame().shape[0] == len(every)
    for row in every:
        assert list(row) == list(BoardRow.__annotations__)
        assert row["votes"] == row["wins"] + row["losses"] + row["ties"] + row["both_bad"]
        assert (row["status"] == "rated") == (row["rating"] is not None) == (row["rank"] is not None)
        if method == "bradley-terry" and row["rating"] is not None:
            assert row["lower"] < row["rating"] < row["upper"]
    for group in (told, *told["components"]):
        rated = [row["rating"] for row in group["rows"] if row["rating"] is not None]
        assert rated == sorted(rated, reverse=True)
        assert [row["rating"] for row in group["rows"][: len(rated)]] == rated


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
    assert "unbounded" in board_text(board) or NO_SPREAD in board_text(board)


def test_wider_confidence_only_widens(make_votes: MakeVotes) -> None:
    narrow, wide = (board_of(make_votes(SOME), settings=Settings(confidence=c)).rows[0] for c in (0.8, 0.99))
    assert narrow.rating == wide.rating
    assert wide.lower is not None
    assert narrow.lower is not None
    assert wide.lower < narrow.lower


def test_rank_is_one_more_than_the_models_surely_better_and_all_hold_at_once(make_votes: MakeVotes) -> None:
    votes = [("a", "b", A)] * 60 + [("b", "a", A)] * 10 + [("b", "c", A)] * 31 + [("c", "b", A)] * 29
    counts = count(make_votes(votes))
    board = build(counts, "bradley-terry", now=NOW)
    result = fit(counts)
    ranks = simultaneous_ranks(result.strengths, covariance(result), 0.95, rng=np.random.default_rng(0))
    told = {row.model: (row.rank, row.rank_lower, row.rank_upper) for row in board.rows}
    assert told == {model: (low, low, high) for model, low, high in zip("abc", ranks.best, ranks.worst, strict=True)}
    assert [told[model] for model in "abc"] == [(1, 1, 1), (2, 2, 3), (2, 2, 3)]


def test_davidson_is_a_method_and_a_treatment_of_ties(make_votes: MakeVotes) -> None:
    votes = make_votes(SOME)
    board = board_of(votes, "davidson")
    assert board == board_of(votes, "bradley-terry", Settings(ties="davidson"))
    assert (board.method, board.settings.ties) == ("davidson", "davidson")
    strengths = fit_davidson(count(votes)).strengths[:2]
    shown = [row.rating for row in sorted(board.rows, key=lambda row: row.model) if row.rating is not None]
    assert shown == pytest.approx((1000 + POINTS_PER_NAT * (strengths - strengths.mean())).tolist())


@pytest.mark.parametrize("method", ["bradley-terry", "davidson", "elo"])
def test_anchor_moves_every_number_alike_and_widens_nothing(make_votes: MakeVotes, method: str) -> None:
    votes = make_votes(SOME)
    plain, anchored = board_of(votes, method), board_of(votes, method, Settings(anchor=("b", 1200.0)))
    assert {row.model: row.rating for row in anchored.rows}["b"] == pytest.approx(1200.0)
    for before, after in zip(plain.rows, anchored.rows, strict=True):
        assert (before.model, before.rank, before.rank_upper) == (after.model, after.rank, after.rank_upper)
        if before.lower is not None and after.lower is not None:
            assert before.upper - before.lower == pytest.approx(after.upper - after.lower)  # type: ignore[operator]
    assert "b reads 1200" in str(anchored.words()["anchor"])
    with pytest.raises(SettingsError, match="is not a rated model"):
        board_of(votes, method, Settings(anchor=("z" if method == "elo" else "c", 1000.0)))


def test_sequence_is_wider_and_says_too_early_below_its_warm_up(make_votes: MakeVotes) -> None:
    wide, narrow = (
        board_of(make_votes([*SOME, *SOME]), settings=Settings(interval=kind)).rows[0]
        for kind in ("sequence", "sandwich")
    )
    assert wide.rating == narrow.rating
    assert wide.upper - wide.lower > 1.5 * (narrow.upper - narrow.lower)  # type: ignore[operator]
    early = board_of(make_votes([("a", "b", A)] * 6 + [("b", "a", A)] * 2), settings=Settings(interval="sequence"))
    assert [(row.status, row.lower, row.rank, row.rank_upper) for row in early.rows] == [(TOO_EARLY, None, 1, 2)] * 2
    assert early.rows[0].rating is not None


def test_shares_of_ties_and_of_both_bad_are_of_all_votes(make_votes: MakeVotes) -> None:
    a = board_of(make_votes(SOME)).rows[0]
    assert (a.tie_share, a.both_bad_share) == (5 / 66, 2 / 66)


def test_elo_board_has_no_interval_and_says_so(make_votes: MakeVotes) -> None:
    board = board_of(make_votes([("a", "b", A), ("c", "d", TIE)]), "elo")
    assert [(row.model, row.rating, row.lower, row.upper, row.rank) for row in board.rows] == [
        ("a", 1002.0, None, None, 1),
        ("b", 998.0, None, None, 2),
    ]
    assert [(row.model, row.rating, row.rank, row.group) for row in board.groups[0].rows] == [
        ("c", 1000.0, 1, 2),
        ("d", 1000.0, 1, 2),
    ]
    assert str(board.words()["interval"]).startswith("none")


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
    assert "3 votes read, 2 used, 1 left out (self-battle: 1), 1 simulated" in board_text(board)


def test_nothing_to_rate_is_an_error_that_says_what_was_read(make_votes: MakeVotes) -> None:
    with pytest.raises(NoVotesError, match="read 0"):
        board_of(make_votes([]))
    with pytest.raises(TooFewModelsError, match="only one model"):
        board_of(make_votes([("a", "a", A)]))
    with pytest.raises(NoVotesError, match="read 1, left out 1 missing outcome"):
        board_of(collect([Record("a", "b", None)]))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"confidence": 95}, "95"),
    ({"confidence": 0.99999}, "0.99999"),
    ({"interval": "wald"}, "wald"),
    ({"cluster": "day"}, "day"),
    ({"ties": "davidson", "interval": "bootstrap"}, "bootstrap"),
    ({"anchor": ("a", float("nan"))}, "nan"),
    ({"seed": -1}, "-1"),
]


def test_settings_out_of_range_are_errors(make_votes: MakeVotes) -> None:
    with pytest.raises(SettingsError, match="trueskill"):
        board_of(make_votes(SOME), "trueskill")
    with pytest.raises(SettingsError, match="drop"):
        board_of(make_votes(SOME), "davidson", Settings(ties="drop"))
    with pytest.raises(SettingsError, match="elo"):
        board_of(make_votes(SOME), "elo", Settings(ties="drop"))
    for wrong, message in WRONG:
        with pytest.raises(SettingsError, match=message):
            Settings(**wrong)


def test_table_is_aligned_and_a_hostile_name_stays_on_its_line(make_votes: MakeVotes) -> None:
    rows = [("evil\n\x1b[31m", "b", A), ("evil\n\x1b[31m", "b", B)]
    text = board_text(board_of(make_votes(rows)))
    assert "\x1b" not in text
    assert r"evil\n\x1b[31m" in text
    table = text.split("\n\n")[0].splitlines()
    assert len(table) == 3
    assert len({line.index("1000") for line in table[1:]}) == 1


def test_status_that_does_not_fit_goes_below_its_row(make_votes: MakeVotes) -> None:
    rows = [("long name " * 4, "b", A), ("long name " * 4, "b", B), ("c" * 60, "b", A)]
    text = board_text(board_of(make_votes(rows)))
    assert "\n      unbounded: never lost or tied\n" in text
    assert max(map(len, text.splitlines())) <= 100


def test_frame_has_the_columns_of_a_row_and_whole_ranks(make_votes: MakeVotes) -> None:
    frame = board_of(make_votes(SOME)).to_frame()
    assert list(frame.columns) == list(BoardRow.__annotations__)
    assert str(frame["rank"].dtype) == "Int64"


def test_roster_without_votes_keeps_its_row(make_votes: MakeVotes) -> None:
    counts = count(make_votes([("a", "b", A), ("a", "b", B)]))
    wider = Counts((*counts.models, "z"), counts.pairs, counts.outcomes, counts.read)
    assert build(wider, "bradley-terry", now=NOW).rows[-1].status == "no votes"


def test_summary_of_one_vote_is_in_the_singular(make_votes: MakeVotes) -> None:
    board = board_of(make_votes([("a", "b", TIE)]))
    assert board.summary() == "bradley-terry: 1 vote read, 1 used, 0 left out, 0 simulated"
