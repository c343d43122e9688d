"""The state machine of a battle: what each state allows, and what it refuses."""

from collections.abc import Callable

import pytest

from arena.battle import REFUSALS, SIDES, Battle, BattleError, State
from arena.pace import HELD
from arena.pairing import Draw
from ratings.outcomes import OUTCOMES, Outcome
from tests.arena.helpers.played import make_reply

LEFT, RIGHT = "Left, and then some.", "Right."


def make_battle(state: State = State.GENERATING) -> Battle:
    battle = Battle("ann", "Why?", Draw("quince", "medlar", 1.0))
    if state is not State.GENERATING:
        battle.finish("a", make_reply(LEFT))
        battle.finish("b", make_reply(RIGHT))
        battle.make_ready()
    if state is State.VOTED:
        battle.record_vote(Outcome.B_WINS)
    if state is State.VOID:
        battle.make_void("skipped")
    assert battle.state is state
    return battle


ACTS: dict[str, tuple[Callable[[Battle], object], State]] = {
    "extend": (lambda battle: battle.extend("a", "more"), State.GENERATING),
    "finish": (lambda battle: battle.finish("a", make_reply()), State.GENERATING),
    "advance": (lambda battle: battle.advance(0.05), State.GENERATING),
    "make_ready": (lambda battle: battle.make_ready(), State.GENERATING),
    "require_votable": (lambda battle: battle.require_votable("ann"), State.READY),
    "record_vote": (lambda battle: battle.record_vote(Outcome.TIE), State.READY),
    "reveal": (lambda battle: battle.reveal(), State.VOTED),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("act", ACTS)
def test_an_act_is_refused_in_every_state_but_its_own(act: str, state: State) -> None:
    do, allowed = ACTS[act]
    battle = make_battle(state)
    if state is allowed:
        if act == "make_ready":
            battle.finish("a", make_reply())
            battle.finish("b", make_reply())
        do(battle)
        return
    before = (battle.state, battle.outcome, dict(battle.texts), dict(battle.replies))
    with pytest.raises(BattleError) as caught:
        do(battle)
    assert str(caught.value) == REFUSALS[state]
    assert (battle.state, battle.outcome, battle.texts, battle.replies) == before


def test_a_refusal_names_nobody() -> None:
    for act, (do, allowed) in ACTS.items():
        for state in State:
            if state is not allowed or act == "make_ready":
                with pytest.raises(BattleError) as caught:
                    do(make_battle(state))
                assert "quince" not in str(caught.value)
                assert "medlar" not in str(caught.value)


def test_the_names_are_shown_after_the_vote_and_in_the_order_of_the_sides() -> None:
    assert make_battle(State.VOTED).reveal() == ("quince", "medlar")
    assert [make_battle().contestant(side) for side in SIDES] == ["quince", "medlar"]


@pytest.mark.parametrize("sides", [(), ("a",), ("b",)])
def test_the_vote_does_not_open_before_both_replies_end(sides: tuple[str, ...]) -> None:
    battle = make_battle()
    for side in sides:
        battle.finish(side, make_reply())  # type: ignore[arg-type]
    with pytest.raises(BattleError, match="Both replies must end"):
        battle.make_ready()
    assert battle.state is State.GENERATING


def test_deltas_add_up_on_their_own_side_and_the_final_text_replaces_them() -> None:
    battle = make_battle()
    battle.extend("a", "Hel")
    battle.extend("b", "Bye")
    battle.extend("a", "lo ")
    assert battle.texts == {"a": "Hello ", "b": "Bye"}
    battle.finish("a", make_reply("Hello"))
    assert battle.texts == {"a": "Hello", "b": "Bye"}


def test_while_a_battle_runs_no_more_is_shown_than_its_pace_lets_through() -> None:
    battle = make_battle()
    battle.extend("a", LEFT)
    battle.extend("b", RIGHT + " And on it goes.")
    assert [battle.shown(side) for side in SIDES] == ["", ""]
    for seconds in (0.01, 0.01, 10.0):
        battle.advance(seconds)
        letters = battle.pace.shown("a")
        assert [battle.shown(side) for side in SIDES] == [battle.texts[side][:letters] for side in SIDES]
    assert letters == len(LEFT) - HELD
    assert battle.texts["a"] == LEFT


@pytest.mark.parametrize("state", [State.READY, State.VOTED, State.VOID])
def test_when_a_battle_has_ended_everything_is_shown(state: State) -> None:
    battle = make_battle(state)
    assert [battle.shown(side) for side in SIDES] == [LEFT, RIGHT]


def test_a_reply_that_turned_out_shorter_than_what_was_streamed_is_shown_as_it_is() -> None:
    battle = make_battle()
    battle.extend("a", LEFT * 3)
    battle.extend("b", RIGHT * 9)
    battle.advance(1.0)
    battle.finish("a", make_reply("L"))
    battle.finish("b", make_reply(""))
    battle.advance(1.0)
    assert [battle.shown(side) for side in SIDES] == ["L", ""]
    battle.make_ready()
    assert [battle.shown(side) for side in SIDES] == ["L", ""]


@pytest.mark.parametrize(
    ("a", "b", "is_same"),
    [
        ("One.", "One.", True),
        (" One  two ", "One\ntwo", True),
        ("", " ", True),
        ("One.", "one.", False),
        ("One two", "Onetwo", False),
        ("", "x", False),
    ],
)
def test_replies_are_the_same_when_they_differ_in_spacing_alone(a: str, b: str, is_same: bool) -> None:
    battle = make_battle()
    battle.finish("a", make_reply(a))
    assert not battle.has_same_replies  # the other one is still being written
    battle.finish("b", make_reply(b))
    assert battle.has_same_replies is is_same


def test_another_visitor_may_not_vote() -> None:
    battle = make_battle(State.READY)
    with pytest.raises(BattleError, match="another visitor"):
        battle.require_votable("bob")
    battle.require_votable("ann")


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_is_kept_as_it_was_given(outcome: Outcome) -> None:
    battle = make_battle(State.READY)
    battle.record_vote(outcome)
    assert battle.outcome is outcome


def test_a_battle_that_has_its_vote_cannot_be_made_void() -> None:
    battle = make_battle(State.VOTED)
    battle.make_void("late failure")
    assert (battle.state, battle.void_reason, battle.outcome) == (State.VOTED, "", Outcome.B_WINS)


def test_the_first_reason_of_a_void_battle_stays() -> None:
    battle = make_battle()
    battle.make_void("first")
    battle.make_void("second")
    assert (battle.state, battle.void_reason) == (State.VOID, "first")


def test_every_battle_has_a_random_id_of_its_own() -> None:
    ids = {make_battle().id for _ in range(200)}
    assert len(ids) == 200
    assert all(len(name) == 32 and int(name, 16) >= 0 for name in ids)


def test_a_battle_goes_on_and_each_side_is_asked_in_view_of_its_own_replies() -> None:
    battle = Battle("ann", "Why?", Draw("alder", "birch", 1.0))
    for side in SIDES:
        battle.finish(side, make_reply(f"{side}."))
    with pytest.raises(BattleError, match="still being written"):
        battle.go_on("And?")
    battle.make_ready()
    battle.go_on("And?")
    assert (battle.state, battle.texts, battle.replies) == (State.GENERATING, {"a": "", "b": ""}, {})
    assert battle.conversation("b", "Be brief.").as_dicts() == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "b."},
        {"role": "user", "content": "And?"},
    ]


def test_replies_that_differed_once_can_be_preferred() -> None:
    battle = Battle("ann", "Why?", Draw("alder", "birch", 1.0))
    for side in SIDES:
        battle.finish(side, make_reply(f"{side}."))
    battle.make_ready()
    battle.go_on("And?")
    for side in SIDES:
        battle.finish(side, make_reply("The same."))
    assert not battle.has_same_replies
