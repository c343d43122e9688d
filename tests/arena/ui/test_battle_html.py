"""A battle as HTML: every value is escaped, and the words fit the state."""

from collections.abc import Callable

import pytest
from markupsafe import Markup

from arena.backends.base import Reply
from arena.battle import LEFT, RESTARTED, SAME_REPLIES, VOTED_BEFORE, Battle
from arena.pairing import Draw
from arena.ui.battle_html import (
    alert,
    asked_html,
    hint,
    loading_text,
    lost_html,
    message_html,
    reply_html,
    reveal_html,
    waiting,
)
from arena.ui.render import GrowingReplies
from ratings.outcomes import Outcome

EVIL = "<img src=x onerror='alert(1)'> & \"quotes\""


def make_battle(*, is_voted: Outcome | None = None, flag: str = "", reply: str = EVIL) -> Battle:
    battle = Battle("ann", EVIL, Draw(f"a{EVIL}", f"b{EVIL}", 1.0))
    for side in ("a", "b"):
        battle.finish(side, Reply(reply, "length", 1, 1, 0.1, 0.1, {}))
    battle.make_ready()
    battle.flag = flag
    if is_voted is not None:
        battle.record_vote(is_voted)
    return battle


def reveal(outcome: Outcome, gain: float | None = None, flag: str = "") -> Markup:
    return reveal_html(make_battle(is_voted=outcome, flag=flag), gain, {f"a{EVIL}": EVIL}, {f"a{EVIL}": 1000.4})


SHOWN: dict[str, Callable[[], Markup | list[Markup]]] = {
    "an alert": lambda: alert(EVIL),
    "a hint": lambda: hint(EVIL),
    "a message that counts seconds": lambda: waiting(EVIL, 0.0),
    "the prompt": lambda: asked_html(EVIL),
    "a reply": lambda: reply_html(make_battle(), "a", GrowingReplies()),
    "the reveal": lambda: reveal(Outcome.A_WINS, 1.0, flag=EVIL),
}


@pytest.mark.parametrize("name", SHOWN)
def test_every_value_is_escaped(name: str) -> None:
    shown = SHOWN[name]()
    assert isinstance(shown, Markup)
    assert "<img" not in shown
    assert "&lt;img" in shown


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.A_WINS, "You preferred <strong>a&lt;img"),
        (Outcome.B_WINS, "You preferred <strong>b&lt;img"),
        (Outcome.TIE, "You called it a tie. "),
        (Outcome.BOTH_BAD, "You found both bad. "),
    ],
)
def test_the_reveal_says_what_was_chosen(outcome: Outcome, words: str) -> None:
    assert words in reveal(outcome)


@pytest.mark.parametrize(
    ("gain", "shown"), [(None, "Elo 1000<"), (12.34, "Elo 1000 (+12.3)<"), (-3.2, "(−3.2)"), (0.01, "(±0.0)")]
)
def test_the_reveal_shows_the_change_of_elo_where_there_is_one(gain: float | None, shown: str) -> None:
    assert shown in reveal(Outcome.TIE, gain)


def test_a_vote_that_does_not_count_says_why() -> None:
    assert "stored, but not counted: you had voted on this prompt before." in reveal(Outcome.TIE, flag=VOTED_BEFORE)
    assert "not counted" not in reveal(Outcome.TIE)


def test_an_empty_reply_and_one_that_was_cut_say_so() -> None:
    shown = reply_html(make_battle(reply=" "), "b", GrowingReplies())
    assert "(an empty reply)" in shown
    assert "was cut here" in shown


@pytest.mark.parametrize(
    ("reason", "message", "lost"),
    [
        (SAME_REPLIES, "Both replies are the same", "A model failed"),
        (LEFT, "left for a new one", "A model failed"),
        (RESTARTED, "A reply failed", "The server restarted"),
        ("alder: broken", "A reply failed", "A model failed"),
    ],
)
def test_a_void_battle_says_why(reason: str, message: str, lost: str) -> None:
    battle = make_battle()
    battle.make_void(reason)
    assert message in message_html(battle)
    assert lost in lost_html(battle)


def test_a_ready_battle_warns_a_visitor_who_has_voted_on_the_prompt_before() -> None:
    assert "a vote would not count" in message_html(make_battle(flag=VOTED_BEFORE))
    assert "a vote would not count" not in message_html(make_battle())


def test_while_models_are_loaded_their_number_is_told_and_no_name() -> None:
    assert loading_text(2, 5) == "3 of 5 models are loaded. Your prompt is kept."
    assert loading_text(0, 5) == "The models are being loaded. Your prompt is kept."
