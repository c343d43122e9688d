"""Reading the ledger: battles by the arena, votes by the leaderboard, replies by the export."""

import sqlite3
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import numpy as np

from arena.battle import Battle, State
from arena.ledger.store import Store
from arena.pairing import Draw
from ratings.ledger.reader import read_ledger, read_ledger_votes, read_preferences
from ratings.outcomes import Outcome
from tests.arena.helpers.ledgers import begin, make_ready, rows
from tests.arena.helpers.played import make_reply


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


def test_the_open_battle_is_the_visitors_that_waits(store: Store) -> None:
    assert store.open_battle("ann") is None
    older, bobs = make_ready(store), make_ready(store, "bob")
    newer = make_ready(store)
    assert (found := store.open_battle("ann")) is not None
    assert (found.id, found.state) == (newer.id, State.READY)
    assert rows(store.path, "SELECT state FROM battles WHERE id = ?", older.id) == [("void",)]
    store.vote(newer.id, "ann", Outcome.TIE)
    assert store.open_battle("ann") is None
    assert (found := store.open_battle("bob")) is not None
    assert found.id == bobs.id
    store.void(bobs.id, "skipped")
    assert store.open_battle("bob") is None


def test_a_battle_comes_back_by_its_id_in_whatever_state(store: Store) -> None:
    running, ready = begin(store, "ann"), make_ready(store, "bob")
    voted, void = make_ready(store, "cat"), make_ready(store, "dan")
    store.vote(voted.id, "cat", Outcome.B_WINS)
    store.void(void.id, "skipped")
    found = [store.battle(battle.id) for battle in (running, ready, voted, void)]
    assert [battle and battle.state for battle in found] == [State.GENERATING, State.READY, State.VOTED, State.VOID]
    assert [battle and battle.visitor for battle in found] == ["ann", "bob", "cat", "dan"]
    assert found[2] is not None
    assert (found[2].outcome, found[2].reveal()) == (Outcome.B_WINS, ("quince", "medlar"))
    assert found[3] is not None
    assert (found[3].void_reason, found[3].texts) == ("skipped", {"a": "Because.", "b": "Why not?"})
    assert store.battle("0" * 32) is store.battle("") is None


def test_the_newest_replies_come_back_with_their_times_oldest_first(store: Store) -> None:
    for n in range(4):
        battle = begin(store, f"visitor {n}", draw=Draw("quince", f"m{n}", 0.5))
        battle.finish("a", make_reply("Because.", seconds=n + 0.5, first_seconds=0.25))
        battle.finish("b", make_reply("Why not?" * n, seconds=9.0, first_seconds=1.0))
        if n:
            store.finish(battle)
    expected = [("quince", 8, 2.5, 0.25), ("m2", 16, 9.0, 1.0), ("quince", 8, 3.5, 0.25), ("m3", 24, 9.0, 1.0)]
    assert store.recent_replies(2) == expected
    assert len(store.recent_replies(100)) == 6


CAST = [("quince", "medlar", Outcome.A_WINS), ("medlar", "quince", Outcome.A_WINS), ("quince", "medlar", Outcome.TIE),
        ("sorb", "quince", Outcome.BOTH_BAD), ("quince", "medlar", Outcome.B_WINS)]  # fmt: skip


def test_the_leaderboard_reads_the_votes_that_the_arena_wrote(store: Store) -> None:
    for n, (a, b, outcome) in enumerate(CAST):
        store.vote(make_ready(store, f"visitor {n}", draw=Draw(a, b, 1 / 3)).id, f"visitor {n}", outcome)
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
    for n, (a, b, outcome) in enumerate(CAST):
        battles.append(make_ready(store, f"visitor {n}", draw=Draw(a, b, 1 / 3)))
        store.vote(battles[-1].id, f"visitor {n}", outcome)
    make_ready(store)
    found = {preference.battle_id: preference for preference in read_preferences(store.path)}
    assert set(found) == {battle.id for battle in battles}
    for battle, (_, _, outcome) in zip(battles, CAST, strict=True):
        expected = ("Why?", "Because.", "Why not?", outcome, "human")
        assert tuple(found[battle.id])[1:6] == expected


def test_the_view_of_preferences_has_the_columns_that_its_readers_name(store: Store) -> None:
    columns = [name for _, name, *_ in rows(store.path, "PRAGMA table_info(preferences)")]
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
        "later_turns",
    ]


def test_a_reader_sees_the_ledger_while_a_vote_is_being_written(store: Store) -> None:
    store.vote(make_ready(store).id, "ann", Outcome.TIE)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE battles SET prompt = 'changed'")
        assert read_ledger(store.path).used == 1
        writer.execute("ROLLBACK")
