"""What a board makes of who cast the votes, unless told otherwise, and how every output says so."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import ratings
from ratings.board.leaderboard import Leaderboard, build
from ratings.board.settings import Settings
from ratings.compute import main
from ratings.intervals.clustered import clustered
from ratings.votes.counts import count
from ratings.votes.votes import Votes, keep

NOW = datetime(2030, 1, 2, tzinfo=UTC)
NAMES = ("a", "b", "c", "d")


def drawn(each: list[int], taste: float = 1.0, seed: int = 1) -> Votes:
    """Return votes on four models by voters with tastes who cast so many each."""
    rng = np.random.default_rng(seed)
    voter = np.repeat(np.arange(len(each)), each)
    size = len(voter)
    tastes = taste * rng.standard_normal((len(each), 4))
    a = rng.integers(0, 4, size)
    b = (a + rng.integers(1, 4, size)) % 4
    wins = rng.random(size) < 1 / (1 + np.exp(tastes[voter, b] - tastes[voter, a]))
    outcome = np.where(rng.random(size) < 0.2, 2, np.where(wins, 0, 1)).astype(np.int8)
    return Votes(NAMES, a, b, outcome, size, voter=voter)


def board_of(votes: Votes, **settings: object) -> Leaderboard:
    return build(votes, "bradley-terry", Settings(**settings), now=NOW)  # type: ignore[arg-type]


def widths(board: Leaderboard) -> list[float]:
    return [row.upper - row.lower for row in board.rows if row.upper is not None and row.lower is not None]


@pytest.mark.parametrize("ties", ["half", "drop", "davidson"])
def test_board_of_enough_voters_is_clustered_with_the_ratings_of_the_counts(ties: str) -> None:
    votes = drawn([20] * 40)
    board, plain = board_of(votes, ties=ties), board_of(votes, ties=ties, interval="sandwich")
    assert board.words()["interval"] == "clustered by voter, every vote alike, each model on its own"
    assert plain.words()["interval"] == "sandwich, each model on its own"
    assert [row.rating for row in board.rows] == [pytest.approx(row.rating) for row in plain.rows]
    assert np.mean(widths(board)) > 1.3 * np.mean(widths(plain))
    assert "intervals: votes grouped by 40 voters" in board.notes[0]


def test_voters_who_vote_once_cost_a_t_factor_only() -> None:
    votes = drawn([1] * 800)
    board, plain = board_of(votes), board_of(votes, interval="sandwich")
    assert widths(board) == pytest.approx(widths(plain), rel=0.01)


def test_board_of_few_voters_is_the_sandwich_and_says_why() -> None:
    votes = drawn([100] * 6)
    board = board_of(votes)
    assert board.words()["interval"] == "sandwich, each model on its own"
    assert widths(board) == widths(board_of(votes, interval="sandwich"))
    assert board.notes == (
        "intervals: every vote taken as independent: 6 voters are too few to group by; it takes 10; "
        "too narrow where the voters' tastes differ",
        "one voter cast 17% of the votes",
    )


def test_sequence_is_clustered_and_too_early_for_few_voters() -> None:
    votes = drawn([20] * 60)
    board, plain = board_of(votes, interval="sequence"), board_of(votes, interval="sequence", cluster="none")
    assert board.words()["interval"].startswith("confidence sequence clustered by voter, each")  # type: ignore[union-attr]
    assert plain.words()["interval"].startswith("confidence sequence, each")  # type: ignore[union-attr]
    assert (np.array(widths(board)) > widths(plain)).all()
    assert widths(board_of(drawn([200] * 6), interval="sequence")) == []


def test_model_that_one_voter_knows_keeps_its_rating_and_is_named() -> None:
    votes = drawn([20] * 40)
    votes = keep(votes, (votes.a != 3) & (votes.b != 3))
    a, b = np.append(votes.a, [3] * 20), np.append(votes.b, [0] * 20)
    outcome = np.append(votes.outcome, [0, 1] * 10).astype(np.int8)
    assert votes.voter is not None
    votes = replace(votes, a=a, b=b, outcome=outcome, voter=np.append(votes.voter, [0] * 20), read=len(a))
    board = board_of(votes)
    assert all(row.rating is not None for row in board.rows)
    assert "d: known from fewer than 10 voters, whose votes are taken as independent" in board.notes


def test_clustered_caps_a_voter_also_where_one_outweighs_the_others() -> None:
    votes = drawn([300, *[10] * 40])
    board, capped = board_of(votes), board_of(votes, interval="clustered")
    assert board.notes[:2] == (
        "intervals: votes grouped by 41 voters, of whom none counts for more than a twentieth",
        "one voter cast 43% of the votes",
    )
    assert widths(board) == widths(capped)
    assert capped.words()["interval"] == "clustered by voter, each model on its own"
    assert capped.rows[0].rating != pytest.approx(board_of(votes, interval="sandwich").rows[0].rating)
    assert votes.voter is not None
    assert clustered(votes, votes.voter, counts=count(votes)).capped == 1


def test_every_output_says_which_votes_were_taken_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    votes = drawn([10] * 50)
    lines = ["model_a,model_b,winner,judge"]
    winner = ("model_a", "model_b", "tie")
    assert votes.voter is not None
    rows = zip(votes.a.tolist(), votes.b.tolist(), votes.outcome.tolist(), votes.voter.tolist(), strict=True)
    lines += [f"{NAMES[a]},{NAMES[b]},{winner[outcome]},v{voter}" for a, b, outcome, voter in rows]
    named, unnamed = tmp_path / "named.csv", tmp_path / "unnamed.csv"
    named.write_text("\n".join(lines))
    unnamed.write_text("\n".join(line.rpartition(",")[0] for line in lines))
    for path, said in (
        (named, "votes grouped by 50 voters"),
        (unnamed, "every vote taken as independent: the votes do not say who cast them"),
    ):
        out = tmp_path / path.stem
        assert main(["--votes", str(path), "--out", str(out)]) == 0
        assert said in " ".join(capsys.readouterr().out.split())
        told = json.loads((out / "leaderboard.json").read_text())
        assert any(said in note for note in told["notes"])
        assert told["settings"]["interval"].startswith("clustered by voter" if path == named else "sandwich")
        assert said in (out / "leaderboard.html").read_text()
        assert any(said in note for note in ratings.rate(str(path)).notes)
        assert ratings.compare_models(str(path), "a", "b").grouping == said


@pytest.mark.parametrize(("option", "kind"), [("none", "sandwich"), ("prompt", "sandwich"), ("voter", "clustered")])
def test_cluster_chooses_what_the_automatic_interval_groups_by(option: str, kind: str) -> None:
    assert str(board_of(drawn([10] * 50), cluster=option).words()["interval"]).startswith(kind)


def test_sequence_waits_for_voters_of_each_model() -> None:
    votes = drawn([20] * 60)
    assert votes.voter is not None
    rare = (votes.a == 3) | (votes.b == 3)
    votes = keep(votes, ~rare | (votes.voter < 5))
    rows = {row.model: row for row in board_of(votes, interval="sequence").rows}
    assert rows["d"].lower is None
    assert all(rows[name].lower is not None for name in "abc")


def test_even_voters_are_not_said_to_be_worth_as_many() -> None:
    few = "so few that these may be somewhat too narrow"
    assert board_of(drawn([50] * 12)).notes[0] == f"intervals: votes grouped by 12 voters, {few}"
    uneven = board_of(drawn([60, *[20] * 14])).notes[0]
    assert uneven == f"intervals: votes grouped by 15 voters, worth 13 of equal weight: {few}"
