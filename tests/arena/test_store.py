"""The ledger: what is written, what is refused, and who can read it."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripted import make_reply

from arena.battle import Battle, State
from arena.matchmaking import Draw
from arena.store import Store, StoreError, VoteRefused
from ratings.counts import read_ledger, read_ledger_votes, read_preferences
from ratings.outcomes import OUTCOMES, Outcome

COLUMNS = "battle_id, created, visitor, model_a, model_b, outcome, probability, source, category"


def rows(store: Store, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Ask the ledger's file through a connection of its own: only what was committed is seen."""
    with closing(sqlite3.connect(store.path)) as connection:
        return connection.execute(sql, values).fetchall()


def begin(store: Store, visitor: str = "ann", draw: Draw = Draw("quince", "medlar", 0.5)) -> Battle:  # noqa: B008
    battle = Battle(visitor, "Why is the sky blue?", draw)
    store.begin(battle)
    return battle


def make_ready(store: Store, visitor: str = "ann", **options: Any) -> Battle:
    battle = begin(store, visitor, **options)
    battle.finish("a", make_reply("Because."))
    battle.finish("b", make_reply("Why not?", finish="length"))
    store.finish(battle)
    battle.make_ready()
    return battle


def state(store: Store, battle: Battle) -> str:
    [(found,)] = rows(store, "SELECT state FROM battles WHERE id = ?", battle.id)
    return str(found)


def test_the_ledger_is_in_wal_mode_and_every_commit_is_on_disk(store: Store) -> None:
    assert rows(store, "PRAGMA journal_mode") == [("wal",)]
    # synchronous belongs to the connection, so it can only be asked there; 2 is FULL.
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_battle_is_on_disk_before_its_first_token(store: Store) -> None:
    battle = begin(store)
    sql = "SELECT id, visitor, prompt, model_a, model_b, probability, state, reply_a, record_b FROM battles"
    expected = (battle.id, "ann", "Why is the sky blue?", "quince", "medlar", 0.5, "generating", None, None)
    assert rows(store, sql) == [expected]


def test_the_replies_are_on_disk_before_the_vote_opens(store: Store) -> None:
    battle = make_ready(store)
    sql = "SELECT state, reply_a, reply_b FROM battles WHERE id = ?"
    assert rows(store, sql, battle.id) == [("ready", "Because.", "Why not?")]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_vote_is_one_row_that_repeats_the_battle(store: Store, outcome: Outcome) -> None:
    battle = make_ready(store)
    store.vote(battle.id, "ann", outcome)
    sql = "SELECT battle_id, visitor, model_a, model_b, outcome, probability, source FROM votes"
    assert rows(store, sql) == [(battle.id, "ann", "quince", "medlar", outcome.value, 0.5, "human")]
    assert state(store, battle) == "voted"


def test_a_second_vote_on_a_battle_is_refused_and_changes_nothing(store: Store) -> None:
    battle = make_ready(store)
    store.vote(battle.id, "ann", Outcome.A_WINS)
    with pytest.raises(VoteRefused):
        store.vote(battle.id, "ann", Outcome.B_WINS)
    assert rows(store, "SELECT outcome FROM votes") == [("model_a",)]


def test_a_vote_of_another_visitor_is_refused(store: Store) -> None:
    battle = make_ready(store)
    with pytest.raises(VoteRefused):
        store.vote(battle.id, "bob", Outcome.A_WINS)
    assert rows(store, "SELECT * FROM votes") == []
    store.vote(battle.id, "ann", Outcome.A_WINS)


def test_a_vote_before_the_replies_are_stored_is_refused(store: Store) -> None:
    battle = begin(store)
    with pytest.raises(VoteRefused):
        store.vote(battle.id, "ann", Outcome.A_WINS)
    assert rows(store, "SELECT * FROM votes") == []
    assert state(store, battle) == "generating"


def test_a_vote_on_a_void_or_unknown_battle_is_refused(store: Store) -> None:
    battle = make_ready(store)
    store.void(battle.id, "skipped")
    for name in (battle.id, "0" * 32, ""):
        with pytest.raises(VoteRefused):
            store.vote(name, "ann", Outcome.TIE)
    assert rows(store, "SELECT * FROM votes") == []


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
    barrier = threading.Barrier(8)

    def try_to_vote(battle: Battle, outcome: Outcome) -> Outcome | None:
        barrier.wait()
        try:
            store.vote(battle.id, "ann", outcome)
        except VoteRefused:
            return None
        return outcome

    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            battle = make_ready(store)
            stored = [o for o in pool.map(try_to_vote, [battle] * 8, OUTCOMES * 2) if o is not None]
            assert len(stored) == 1
            [(outcome,)] = rows(store, "SELECT outcome FROM votes WHERE battle_id = ?", battle.id)
            assert outcome == stored[0].value


def test_two_processes_on_one_ledger_store_exactly_one_vote(store: Store) -> None:
    """Two open ledgers stand for two processes: the lock of the one does not hold back the other."""
    battle = make_ready(store)
    with closing(Store(store.path)) as other:
        store.vote(battle.id, "ann", Outcome.A_WINS)
        with pytest.raises(VoteRefused):
            other.vote(battle.id, "ann", Outcome.B_WINS)
    assert rows(store, "SELECT outcome FROM votes") == [("model_a",)]


def test_a_sweep_voids_what_an_earlier_run_left_unfinished_and_nothing_else(store: Store) -> None:
    unfinished, ready, voted, void = begin(store), make_ready(store), make_ready(store), make_ready(store)
    store.vote(voted.id, "ann", Outcome.TIE)
    store.void(void.id, "skipped")
    assert store.sweep() == 1
    assert [state(store, battle) for battle in (unfinished, ready, voted, void)] == ["void", "ready", "voted", "void"]
    assert rows(store, "SELECT void_reason FROM battles WHERE id = ?", unfinished.id) == [("the server restarted",)]
    assert rows(store, "SELECT void_reason FROM battles WHERE id = ?", void.id) == [("skipped",)]
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
    with pytest.raises(StoreError, match="not running"):
        store.finish(battle)
    assert state(store, battle) == "void"
    assert rows(store, "SELECT * FROM styles") == []


def test_the_style_of_both_replies_is_counted_when_they_are_stored(store: Store) -> None:
    battle = begin(store)
    battle.finish("a", make_reply("# Title\n\n- one\n- two **bold**"))
    battle.finish("b", make_reply("Hi."))
    store.finish(battle)
    [(name, *counts)] = rows(store, "SELECT * FROM styles")
    assert name == battle.id
    assert counts == [len("# Title\n\n- one\n- two **bold**"), 1, 1, 2, 3, 0, 0, 0]


def test_the_category_of_a_battle_goes_with_its_vote(store: Store) -> None:
    battle = make_ready(store)
    battle.category = ""
    other = Battle("ann", "Why?", battle.draw, "facts")
    store.begin(other)
    for side in ("a", "b"):
        other.finish(side, make_reply())
    store.finish(other)
    store.vote(battle.id, "ann", Outcome.TIE)
    store.vote(other.id, "ann", Outcome.TIE)
    assert rows(store, "SELECT category FROM votes ORDER BY rowid") == [("",), ("facts",)]


def test_an_open_battle_comes_back_with_every_field(tmp_path: Path) -> None:
    path = tmp_path / "arena.db"
    recipe = {
        "backend": "transformers",
        "weights": "sha256:ab",
        "prompt": {"style": "few-shot", "examples": [{"question": "é?", "answer": "🐔"}], "stop": ["\n\n"]},
        "sampling": {"temperature": 0.0, "top_p": 1e-9, "max_tokens": 1},
        "seed": 2**63 - 1,
        "versions": {"torch": None, "odd": [True, 1.5]},
    }
    battle = Battle("ann", "Tell me\n\tabout “hens” 🐔", Draw("quince", "medlar", 1 / 3), category="hens")
    a = make_reply("Cluck.\n\n```\n<b>\n```", recipe=recipe, seconds=1 / 3, first_seconds=0.1, tokens=12)
    b = make_reply("", finish="length", recipe=recipe | {"seed": 0}, prompt_tokens=0)
    with closing(Store(path)) as store:
        store.begin(battle)
        battle.finish("a", a)
        battle.finish("b", b)
        store.finish(battle)
        battle.make_ready()
    with closing(Store(path)) as store:
        found = store.open_battle("ann")
    assert found is not None
    for part in fields(Battle):
        assert getattr(found, part.name) == getattr(battle, part.name), part.name
    for side, reply in (("a", a), ("b", b)):
        for part in fields(reply):
            assert getattr(found.replies[side], part.name) == getattr(reply, part.name), part.name  # type: ignore[index]


def test_the_open_battle_is_the_visitors_newest_that_waits(store: Store) -> None:
    assert store.open_battle("ann") is None
    older, newer = make_ready(store), make_ready(store)
    make_ready(store, "bob")
    begin(store)
    assert (found := store.open_battle("ann")) is not None
    assert (found.id, found.state) == (newer.id, State.READY)
    store.vote(newer.id, "ann", Outcome.TIE)
    assert (found := store.open_battle("ann")) is not None
    assert found.id == older.id
    store.void(older.id, "skipped")
    assert store.open_battle("ann") is None


CAST = [("quince", "medlar", Outcome.A_WINS), ("medlar", "quince", Outcome.A_WINS), ("quince", "medlar", Outcome.TIE),
        ("sorb", "quince", Outcome.BOTH_BAD), ("quince", "medlar", Outcome.B_WINS)]  # fmt: skip


def test_the_leaderboard_reads_the_votes_that_the_arena_wrote(store: Store) -> None:
    for a, b, outcome in CAST:
        store.vote(make_ready(store, draw=Draw(a, b, 1 / 3)).id, "ann", outcome)
    begin(store)
    make_ready(store)
    counts = read_ledger(store.path, roster=("unmet",))
    assert counts.models == ("medlar", "quince", "sorb", "unmet")
    assert (counts.used, counts.read, counts.left_out, counts.simulated) == (5, 5, {}, 0)
    wins = counts.matrix(Outcome.A_WINS)
    assert (wins[1, 0], wins[0, 1], wins.sum()) == (1, 1, 2)
    assert counts.matrix(Outcome.BOTH_BAD)[2, 1] == 1
    votes = read_ledger_votes(store.path)
    assert [votes.models[i] for i in votes.a] == [a for a, _, _ in CAST]
    assert np.array_equal(votes.outcome, [outcome.code for _, _, outcome in CAST])


def test_the_export_reads_the_replies_that_the_arena_wrote(store: Store) -> None:
    battles = []
    for a, b, outcome in CAST:
        battles.append(make_ready(store, draw=Draw(a, b, 1 / 3)))
        store.vote(battles[-1].id, "ann", outcome)
    make_ready(store)
    found = {preference.battle_id: preference for preference in read_preferences(store.path)}
    assert set(found) == {battle.id for battle in battles}
    for battle, (_, _, outcome) in zip(battles, CAST, strict=True):
        expected = ("Why is the sky blue?", "Because.", "Why not?", outcome, "human")
        assert tuple(found[battle.id])[1:] == expected


def test_the_view_of_preferences_has_the_columns_that_its_readers_name(store: Store) -> None:
    columns = [name for _, name, *_ in rows(store, "PRAGMA table_info(preferences)")]
    assert columns == [
        "battle_id",
        "created",
        "prompt",
        "reply_a",
        "reply_b",
        "model_a",
        "model_b",
        "outcome",
        "source",
    ]


def test_a_reader_sees_the_ledger_while_a_vote_is_being_written(store: Store) -> None:
    store.vote(make_ready(store).id, "ann", Outcome.TIE)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE battles SET prompt = 'changed'")
        assert read_ledger(store.path).used == 1
        writer.execute("ROLLBACK")
