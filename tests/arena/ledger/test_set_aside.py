"""Votes that are kept but not counted: which, why, and where they appear."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from arena.fight import NAMED
from arena.ledger.store import VOTED_BEFORE, VOTER_LEFT_OUT, Store, VoteRefused
from arena.service import Service
from ratings.ledger.reader import read_ledger, read_ledger_votes, read_preferences
from ratings.outcomes import Outcome
from tests.arena.helpers.ledgers import count, make_ready
from tests.arena.helpers.played import make_backends, make_contestant, make_reply
from tests.arena.helpers.stage import Stage, run

COLUMNS = ["battle_id", "created", "visitor", "model_a", "model_b", "outcome", "probability", "source", "category"]


def cast(store: Store, visitor: str = "ann", prompt: str = "Why?", flag: str = "", **options: Any) -> str:
    return store.vote(make_ready(store, visitor, prompt, flag=flag).id, visitor, Outcome.A_WINS, **options)


def leave_out(store: Store, visitor: str) -> None:
    with closing(sqlite3.connect(store.path)) as ledger, ledger:
        ledger.execute("INSERT INTO voters_left_out VALUES (?, 'now', '')", (visitor,))


def test_a_vote_on_a_flagged_battle_is_kept_and_does_not_count(store: Store) -> None:
    battle = make_ready(store, flag=NAMED)
    assert store.vote(battle.id, "ann", Outcome.B_WINS) == NAMED
    assert count(store) == (0, 1)
    with closing(sqlite3.connect(store.path)) as ledger:
        names = [name for _, name, *_ in ledger.execute("PRAGMA table_info(set_aside)")]
        [row] = ledger.execute("SELECT * FROM set_aside")
        [(state,)] = ledger.execute("SELECT state FROM battles")
    assert names == [*COLUMNS, "place", "reason"]
    kept = dict(zip(names, row, strict=True))
    expected = (battle.id, "ann", "quince", "medlar", "model_b", 0.5, "human", "", None, NAMED)
    assert tuple(value for name, value in kept.items() if name != "created") == expected
    assert kept["created"].startswith("20")
    assert state == "voted"


def test_of_one_visitors_votes_on_one_prompt_the_first_counts(store: Store) -> None:
    same = ["Why?", "why", " WHY ?!", "Ｗｈｙ？"]
    assert [cast(store, prompt=prompt) for prompt in same] == ["", *[VOTED_BEFORE] * 3]
    assert [cast(store, prompt=prompt) for prompt in ("Why not?", "How?")] == ["", ""]
    assert cast(store, "bob") == ""
    assert count(store) == (4, 3)


def test_an_earlier_vote_that_did_not_count_does_not_stand_in_the_way(store: Store) -> None:
    assert cast(store, flag=NAMED) == NAMED
    assert cast(store) == ""
    assert cast(store) == VOTED_BEFORE
    assert cast(store, flag=NAMED) == NAMED


def test_an_earlier_battle_without_a_vote_does_not_stand_in_the_way(store: Store) -> None:
    make_ready(store)
    assert cast(store) == ""


def test_programs_may_vote_on_a_prompt_as_often_as_they_like(store: Store) -> None:
    assert [cast(store, "synthetic", source="simulated") for _ in range(3)] == [""] * 3
    assert cast(store, "synthetic", flag=NAMED, source="simulated") == NAMED


def test_votes_of_a_voter_who_is_left_out_are_set_aside_whatever_the_prompt(store: Store) -> None:
    assert cast(store) == ""
    leave_out(store, "ann")
    assert [cast(store, prompt=prompt) for prompt in ("Why?", "How?")] == [VOTER_LEFT_OUT] * 2
    assert cast(store, "bob") == ""
    assert count(store) == (2, 2)


def test_a_vote_that_does_not_count_closes_its_battle_like_any_other(store: Store) -> None:
    battle = make_ready(store, flag=NAMED)
    store.vote(battle.id, "ann", Outcome.TIE)
    with pytest.raises(VoteRefused):
        store.vote(battle.id, "ann", Outcome.TIE)
    store.void(battle.id, "too late")
    found = store.battle(battle.id)
    assert found is not None
    assert (found.state.value, found.outcome, found.flag) == ("voted", Outcome.TIE, NAMED)
    assert count(store) == (0, 1)


def test_the_page_finds_out_again_why_a_vote_did_not_count(store: Store) -> None:
    cast(store)
    again = make_ready(store)
    assert store.vote(again.id, "ann", Outcome.TIE) == VOTED_BEFORE
    found = store.battle(again.id)
    assert found is not None
    assert (found.outcome, found.flag) == (Outcome.TIE, VOTED_BEFORE)


def test_no_reader_counts_what_was_set_aside_and_each_says_how_many_there_are(store: Store) -> None:
    cast(store)
    cast(store)
    cast(store, prompt="Who?", flag=NAMED)
    counts, votes = read_ledger(store.path), read_ledger_votes(store.path)
    assert (counts.used, counts.read, counts.left_out) == (1, 3, {VOTED_BEFORE: 1, NAMED: 1})
    assert len(votes.outcome) == 1
    assert [preference.prompt for preference in read_preferences(store.path)] == ["Why?"]
    with closing(sqlite3.connect(store.path)) as ledger:
        assert ledger.execute("SELECT sum(a_wins + b_wins + ties + both_bad) FROM vote_counts").fetchone() == (1,)


NAMING = ["I am Alder.", "My name is **b i r c h**, ask me", "As alder-2, I", "Old Oak made me"]


@pytest.mark.parametrize("text", NAMING)
@pytest.mark.parametrize("side", ["alder", "birch"])
def test_a_battle_in_which_a_reply_names_a_model_is_flagged_before_its_vote(store: Store, text: str, side: str) -> None:
    async def test() -> None:
        contestants = (make_contestant("alder"), replace_known(make_contestant("birch"), "Old Oak"))
        stage = Stage(store, backends=make_backends(("alder", "birch")))
        stage.service = Service(contestants, stage.backends, store)
        stage.script(make_reply(text), name=side)
        battle = await stage.fight()
        assert battle.flag == NAMED
        assert stage.rows("SELECT state, flag FROM battles") == [("ready", NAMED)]
        voted = await stage.service.vote("ann", battle.id, Outcome.A_WINS)
        assert (voted.flag, count(store)) == (NAMED, (0, 1))
        assert set(voted.reveal()) == {"alder", "birch"}

    run(test())


def replace_known(contestant: Any, *words: str) -> Any:
    return contestant.model_copy(update={"known_as": words})


def test_a_battle_that_names_nobody_is_not_flagged(stage: Stage) -> None:
    async def test() -> None:
        stage.script("An alderman balderdashed under birches.")
        battle = await stage.fight(prompt="Who are you, alder?")
        voted = await stage.service.vote("ann", battle.id, Outcome.A_WINS)
        assert (battle.flag, voted.flag, count(stage.store)) == ("", "", (1, 0))

    run(test())


def test_the_host_says_why_a_vote_does_not_count_and_still_names_both(stage: Stage) -> None:
    async def test() -> None:
        for visitor, prompt, flag in [("ann", "Why?", ""), ("ann", "WHY ?", VOTED_BEFORE), ("bob", "Why?", "")]:
            battle = await stage.fight(visitor, prompt)
            assert battle.flag == flag  # before the vote, so that the page can say so
            voted = await stage.service.vote(visitor, battle.id, Outcome.TIE)
            assert voted.flag == flag
            assert set(voted.reveal()) == {"alder", "birch"}
        leave_out(stage.store, "bob")
        battle = await stage.fight("bob", "How?")
        assert (await stage.service.vote("bob", battle.id, Outcome.TIE)).flag == VOTER_LEFT_OUT
        assert count(stage.store) == (2, 2)

    run(test())
