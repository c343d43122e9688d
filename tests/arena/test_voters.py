"""Listing voters, and leaving one out of boards and exports without losing a vote."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from arena import voters
from arena.battle import Battle
from arena.ledger.store import VOTED_BEFORE, VOTER_LEFT_OUT, Store
from arena.pairing import Draw
from ratings.fit.elo import elo
from ratings.ledger.reader import read_ledger, read_ledger_votes, read_preferences
from ratings.outcomes import Outcome
from tests.arena.helpers.played import make_reply


def cast(store: Store, visitor: str, prompt: str, outcome: Outcome = Outcome.A_WINS, flag: str = "") -> str:
    """Fight a battle and vote on it; return why the vote does not count."""
    battle = Battle(visitor, prompt, Draw("alder", "birch", 1.0), flag=flag)
    store.begin(battle)
    battle.finish("a", make_reply("One."))
    battle.finish("b", make_reply("Two."))
    store.finish(battle)
    return store.vote(battle.id, visitor, outcome)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Return a ledger with votes of ann, bob and ann again, in turns."""
    with closing(Store(tmp_path / "arena.db")) as store:
        for number in range(6):
            cast(store, "ann" * 8, f"Prompt {number}?", Outcome.A_WINS)
            cast(store, "bob" * 8, f"Prompt {number}?", Outcome.B_WINS)
    return tmp_path / "arena.db"


def run(capsys: pytest.CaptureFixture[str], ledger: Path, *words: str) -> tuple[int, str]:
    code = voters.main(["--db", str(ledger), *words])
    output = capsys.readouterr()
    return code, output.out + output.err


def test_a_voter_that_is_left_out_counts_nowhere_and_is_reported_everywhere(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output = run(capsys, ledger, "leave-out", "ann", "--note", "a script")
    assert (code, output) == (0, f"{'ann' * 8} is left out: 6 votes set aside, and every later one\n")
    counts = read_ledger(ledger)
    assert (counts.read, counts.used, counts.left_out) == (12, 6, {VOTER_LEFT_OUT: 6})
    assert {preference.outcome for preference in read_preferences(ledger)} == {Outcome.B_WINS}
    listed = read_ledger_votes(ledger, keep_left_out=True).left_out_rows
    assert len(listed) == 6
    assert {why for _, why in listed} == {VOTER_LEFT_OUT}
    with closing(Store(ledger)) as store:
        assert cast(store, "ann" * 8, "Another?") == VOTER_LEFT_OUT
        assert cast(store, "bob" * 8, "Another?") == ""


def test_a_voter_that_is_taken_back_counts_as_if_never_left_out(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_ledger_votes(ledger)
    run(capsys, ledger, "leave-out", "ann")
    assert run(capsys, ledger, "take-back", "ann") == (0, f"{'ann' * 8} is taken back: 6 votes counted again\n")
    again = run(capsys, ledger, "take-back", "ann")
    assert again == (0, f"{'ann' * 8} was not left out: nothing has changed\n")
    after = read_ledger_votes(ledger)
    assert after.outcome.tolist() == before.outcome.tolist()  # in their order, so that Elo is the same too
    assert elo(after).tolist() == elo(before).tolist()
    with closing(Store(ledger)) as store:
        assert cast(store, "ann" * 8, "Another?") == ""


def test_of_votes_on_one_prompt_cast_while_left_out_one_counts_afterwards(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, ledger, "leave-out", "ann")
    with closing(Store(ledger)) as store:
        assert [cast(store, "ann" * 8, "New?"), cast(store, "ann" * 8, "new ?")] == [VOTER_LEFT_OUT] * 2
    run(capsys, ledger, "take-back", "ann")
    counts = read_ledger(ledger)
    assert (counts.used, counts.left_out) == (13, {VOTED_BEFORE: 1})


def test_the_votes_of_a_flagged_battle_stay_aside(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(Store(ledger)) as store:
        cast(store, "ann" * 8, "Who are you?", flag="a reply names a model")
    run(capsys, ledger, "leave-out", "ann")
    run(capsys, ledger, "take-back", "ann")
    assert read_ledger(ledger).left_out == {"a reply names a model": 1}


def test_the_list_shows_every_voter_with_shares(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, ledger, "leave-out", "bob")[0] == 0
    code, output = run(capsys, ledger, "list")
    head, ann, bob = output.splitlines()
    assert code == 0
    assert head.split()[:3] == ["voter", "counted", "set"]
    assert ann.split()[:5] == ["ann" * 8, "6", "0", "100%", "0%"]
    assert bob.split()[:5] == ["bob" * 8, "0", "6", "0%", "100%"]
    assert bob.endswith("(left out)")


@pytest.mark.parametrize(
    ("words", "answer"),
    [(["leave-out", "zoe"], "no voter 'zoe'"), (["leave-out", ""], "2 voters begin with ''")],
)
def test_a_voter_that_is_not_exactly_one_is_refused_and_nothing_changes(
    ledger: Path, capsys: pytest.CaptureFixture[str], words: list[str], answer: str
) -> None:
    code, output = run(capsys, ledger, *words)
    assert code == 2
    assert output.startswith("error: ")
    assert answer in output
    assert read_ledger(ledger).used == 12


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, output = run(capsys, tmp_path / "none.db", "list")
    assert (code, output.count("\n")) == (2, 1)
    assert not (tmp_path / "none.db").exists()


def test_the_ledgers_own_counts_follow(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, ledger, "leave-out", "ann")
    with closing(sqlite3.connect(ledger)) as opened:
        assert opened.execute("SELECT a_wins, b_wins FROM vote_counts").fetchall() == [(0, 6)]
