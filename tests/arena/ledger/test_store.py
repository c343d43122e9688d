"""Writing the ledger: what is stored, and what is refused."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from arena.battle import LEFT, SAME_REPLIES, SIDES, Battle, State
from arena.ledger.store import Store, StoreError, VoteRefused
from ratings.ledger.reader import read_preferences
from ratings.outcomes import OUTCOMES, Outcome
from ratings.pairs.rows import rows_of, text_vote
from tests.arena.helpers.ledgers import begin, make_ready, rows
from tests.arena.helpers.played import make_reply

COLUMNS = "battle_id, created, visitor, model_a, model_b, outcome, probability, source, category"


def state(store: Store, battle: Battle) -> str:
    [(found,)] = rows(store.path, "SELECT state FROM battles WHERE id = ?", battle.id)
    return str(found)


def test_the_ledger_is_in_wal_mode_and_every_commit_is_on_disk(store: Store) -> None:
    assert rows(store.path, "PRAGMA journal_mode") == [("wal",)]
    # synchronous belongs to the connection, so it can only be asked there; 2 is FULL.
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_battle_is_on_disk_before_its_first_token(store: Store) -> None:
    battle = begin(store)
    sql = "SELECT id, visitor, prompt, model_a, model_b, probability, state, reply_a, record_b FROM battles"
    expected = (battle.id, "ann", "Why?", "quince", "medlar", 0.5, "generating", None, None)
    assert rows(store.path, sql) == [expected]


def test_the_replies_are_on_disk_before_the_vote_opens(store: Store) -> None:
    battle = make_ready(store)
    sql = "SELECT state, reply_a, reply_b FROM battles WHERE id = ?"
    assert rows(store.path, sql, battle.id) == [("ready", "Because.", "Why not?")]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_vote_is_one_row_that_repeats_the_battle(store: Store, outcome: Outcome) -> None:
    battle = make_ready(store)
    store.vote(battle.id, "ann", outcome)
    sql = "SELECT battle_id, visitor, model_a, model_b, outcome, probability, source FROM votes"
    assert rows(store.path, sql) == [(battle.id, "ann", "quince", "medlar", outcome.value, 0.5, "human")]
    assert state(store, battle) == "voted"


def test_a_second_vote_on_a_battle_is_refused_and_changes_nothing(store: Store) -> None:
    battle = make_ready(store)
    store.vote(battle.id, "ann", Outcome.A_WINS)
    with pytest.raises(VoteRefused):
        store.vote(battle.id, "ann", Outcome.B_WINS)
    assert rows(store.path, "SELECT outcome FROM votes") == [("model_a",)]


def test_a_vote_of_another_visitor_is_refused(store: Store) -> None:
    battle = make_ready(store)
    with pytest.raises(VoteRefused):
        store.vote(battle.id, "bob", Outcome.A_WINS)
    assert rows(store.path, "SELECT * FROM votes") == []
    store.vote(battle.id, "ann", Outcome.A_WINS)


def test_a_vote_before_the_replies_are_stored_is_refused(store: Store) -> None:
    battle = begin(store)
    with pytest.raises(VoteRefused):
        store.vote(battle.id, "ann", Outcome.A_WINS)
    assert rows(store.path, "SELECT * FROM votes") == []
    assert state(store, battle) == "generating"


def test_a_vote_on_a_void_or_unknown_battle_is_refused(store: Store) -> None:
    battle = make_ready(store)
    store.void(battle.id, "skipped")
    for name in (battle.id, "0" * 32, ""):
        with pytest.raises(VoteRefused):
            store.vote(name, "ann", Outcome.TIE)
    assert rows(store.path, "SELECT * FROM votes") == []


def test_the_ledger_itself_takes_one_vote_a_battle_and_only_known_outcomes(store: Store) -> None:
    battle = make_ready(store)
    store.vote(battle.id, "ann", Outcome.A_WINS)
    other = begin(store)
    sql = f"INSERT INTO votes ({COLUMNS}) VALUES (?, 'now', 'ann', 'quince', 'medlar', ?, 0.5, ?, '')"
    for values in [(battle.id, "tie", "human"), (other.id, "draw", "human"), (other.id, "tie", "robot")]:
        with closing(sqlite3.connect(store.path)) as connection, pytest.raises(sqlite3.IntegrityError):
            connection.execute(sql, values)


def test_the_ledger_itself_takes_no_vote_without_a_battle(store: Store) -> None:
    sql = f"INSERT INTO votes ({COLUMNS}) VALUES ('none', 'now', 'ann', 'quince', 'medlar', 'tie', 0.5, 'human', '')"
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        store._connection.execute(sql)


def test_eight_threads_on_one_battle_store_exactly_one_vote(store: Store) -> None:
    barrier = threading.Barrier(8, timeout=20)

    def try_to_vote(battle: Battle, outcome: Outcome) -> Outcome | None:
        barrier.wait()
        try:
            store.vote(battle.id, battle.visitor, outcome)
        except VoteRefused:
            return None
        return outcome

    with ThreadPoolExecutor(8) as pool:
        for n in range(5):
            battle = make_ready(store, f"visitor {n}")
            stored = [o for o in pool.map(try_to_vote, [battle] * 8, OUTCOMES * 2) if o is not None]
            assert len(stored) == 1
            [(outcome,)] = rows(store.path, "SELECT outcome FROM votes WHERE battle_id = ?", battle.id)
            assert outcome == stored[0].value


def test_two_processes_on_one_ledger_store_exactly_one_vote(store: Store) -> None:
    """Two open ledgers stand for two processes: the lock of the one does not hold back the other."""
    battle = make_ready(store)
    with closing(Store(store.path)) as other:
        store.vote(battle.id, "ann", Outcome.A_WINS)
        with pytest.raises(VoteRefused):
            other.vote(battle.id, "ann", Outcome.B_WINS)
    assert rows(store.path, "SELECT outcome FROM votes") == [("model_a",)]


def test_a_sweep_voids_what_an_earlier_run_left_unfinished_and_nothing_else(store: Store) -> None:
    unfinished, ready = begin(store, "ann"), make_ready(store, "bob")
    voted, void = make_ready(store, "cat"), make_ready(store, "dan")
    store.vote(voted.id, "cat", Outcome.TIE)
    store.void(void.id, "skipped")
    assert store.sweep() == 1
    assert [state(store, battle) for battle in (unfinished, ready, voted, void)] == ["void", "ready", "voted", "void"]
    reasons = dict(rows(store.path, "SELECT id, void_reason FROM battles WHERE state = 'void'"))
    assert reasons == {unfinished.id: "the server restarted", void.id: "skipped"}
    assert store.sweep() == 0


def test_a_battle_that_has_its_vote_cannot_be_made_void(store: Store) -> None:
    battle = make_ready(store)
    store.vote(battle.id, "ann", Outcome.TIE)
    store.void(battle.id, "too late")
    assert state(store, battle) == "voted"


def test_replies_that_come_after_the_battle_was_void_do_not_open_the_vote(store: Store) -> None:
    battle = begin(store)
    store.void(battle.id, "no reply within 60 s")
    battle.finish("a", make_reply())
    battle.finish("b", make_reply())
    with pytest.raises(StoreError, match="not being written"):
        store.finish(battle)
    assert state(store, battle) == "void"
    assert rows(store.path, "SELECT * FROM styles") == []


def test_the_style_of_both_replies_is_counted_when_they_are_stored(store: Store) -> None:
    battle = begin(store)
    battle.finish("a", make_reply("# Title\n\n- one\n- two **bold**"))
    battle.finish("b", make_reply("Hi."))
    store.finish(battle)
    [(name, *counts)] = rows(store.path, "SELECT * FROM styles")
    assert name == battle.id
    assert counts == [len("# Title\n\n- one\n- two **bold**"), 1, 1, 2, 3, 0, 0, 0]


def test_the_category_of_a_battle_goes_with_its_vote(store: Store) -> None:
    battle = make_ready(store, "ann")
    other = Battle("bob", "Why?", battle.draw, "facts")
    store.begin(other)
    other.finish("a", make_reply("One."))
    other.finish("b", make_reply("Two."))
    store.finish(other)
    store.vote(battle.id, "ann", Outcome.TIE)
    store.vote(other.id, "bob", Outcome.TIE)
    assert rows(store.path, "SELECT category FROM votes ORDER BY rowid") == [("",), ("facts",)]


def test_a_battle_that_begins_ends_the_visitors_that_waits_and_nothing_else(store: Store) -> None:
    voted = make_ready(store)
    store.vote(voted.id, "ann", Outcome.TIE)
    waiting, bobs = make_ready(store), make_ready(store, "bob")
    begun = begin(store)
    assert [state(store, battle) for battle in (voted, waiting, bobs, begun)] == [
        "voted",
        "void",
        "ready",
        "generating",
    ]
    assert rows(store.path, "SELECT void_reason FROM battles WHERE state = 'void'") == [(LEFT,)]
    with pytest.raises(VoteRefused):
        store.vote(waiting.id, "ann", Outcome.TIE)


def test_a_battle_that_cannot_begin_ends_none(store: Store) -> None:
    waiting = make_ready(store)
    with pytest.raises(sqlite3.IntegrityError):
        store.begin(waiting)  # its id is taken
    assert state(store, waiting) == "ready"
    store.vote(waiting.id, "ann", Outcome.TIE)


@pytest.mark.parametrize(("a", "b"), [("Same.", "Same."), ("So  it\nis.", " So it is. "), ("", ""), (" ", "\n")])
def test_replies_that_are_the_same_but_for_spacing_are_stored_and_take_no_vote(store: Store, a: str, b: str) -> None:
    battle = begin(store)
    battle.finish("a", make_reply(a))
    battle.finish("b", make_reply(b))
    store.finish(battle)
    expected = [("void", SAME_REPLIES, a, b)]
    assert rows(store.path, "SELECT state, void_reason, reply_a, reply_b FROM battles") == expected
    with pytest.raises(VoteRefused):
        store.vote(battle.id, "ann", Outcome.TIE)
    assert store.open_battle("ann") is None


def test_a_battle_of_many_turns_is_read_back_as_it_was(store: Store) -> None:
    battle = make_ready(store, prompt="Why?")
    for n in (2, 3):
        battle.go_on(f"And {n}?")
        store.go_on(battle)
        assert rows(store.path, "SELECT state FROM battles") == [("generating",)]
        for side in SIDES:
            battle.finish(side, make_reply(f"**{side}** {n}."))
        store.finish(battle)
        battle.make_ready()
    found = store.open_battle("ann")
    assert found is not None
    assert (found.first_prompt, found.prompt, found.texts) == ("Why?", "And 3?", {"a": "**a** 3.", "b": "**b** 3."})
    assert [(turn.prompt, turn.replies["b"].text) for turn in found.earlier] == [
        ("Why?", "Why not?"),
        ("And 2?", "**b** 2."),
    ]
    assert (found.replies, found.earlier) == (battle.replies, battle.earlier)
    assert rows(store.path, "SELECT prompt FROM battles") == [("Why?",)]
    assert rows(store.path, "SELECT length_a, bold_a FROM styles") == [(len("Because.") + 2 * len("**a** 2."), 2)]


def test_a_battle_that_has_ended_does_not_go_on(store: Store) -> None:
    battle = make_ready(store)
    store.vote(battle.id, "ann", Outcome.TIE)
    battle.go_on("And?")
    with pytest.raises(StoreError, match="does not wait for a vote"):
        store.go_on(battle)
    assert rows(store.path, "SELECT count(*) FROM later_turns") == [(0,)]
    assert rows(store.path, "SELECT state FROM battles") == [("voted",)]


def test_a_restart_in_a_later_turn_voids_the_battle(store: Store) -> None:
    battle = make_ready(store)
    battle.go_on("And?")
    store.go_on(battle)
    assert store.sweep() == 1
    found = store.battle(battle.id)
    assert found is not None
    assert (found.state, found.prompt, found.replies, len(found.earlier)) == (State.VOID, "And?", {}, 1)


def test_votes_on_many_turns_are_exported_as_whole_conversations(store: Store) -> None:
    battle = make_ready(store)
    battle.go_on("And?")
    store.go_on(battle)
    battle.finish("a", make_reply("So."))
    battle.finish("b", make_reply("Thus."))
    store.finish(battle)
    store.vote(battle.id, "ann", Outcome.A_WINS)
    [preference] = read_preferences(store.path)
    [row] = rows_of(text_vote(preference), "trl", {})
    assert [[said["content"] for said in row[side]] for side in ("chosen", "rejected")] == [
        ["Why?", "Because.", "And?", "So."],
        ["Why?", "Why not?", "And?", "Thus."],
    ]
