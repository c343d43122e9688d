"""The texts of a row, in each form they are published in."""

import json
from typing import Any

import pytest

from ratings.errors import VotesError
from ratings.files.texts import NO_TEXTS, NOT_TEXT, UNREADABLE, read_conversations, replies, require_texts


def talk(*texts: str) -> list[dict[str, str]]:
    """Return the turns of a user and an assistant, one after the other."""
    return [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(texts)]


PARTS = [
    {"role": m["role"], "content": [{"type": "text", "text": m["content"], "image": None}]} for m in talk("p", "x")
]
STATE = {"roles": ["USER", "ASSISTANT"], "messages": [["USER", "p"], ["ASSISTANT", "x"]], "offset": 0}


@pytest.mark.parametrize(
    "row",
    [
        {"conversation_a": talk("p", "x"), "conversation_b": talk("p", "y")},
        {"conversation_a": json.dumps(talk("p", "x")), "conversation_b": json.dumps(talk("p", "y"))},
        {"conversation_a": PARTS, "conversation_b": talk("p", "y")},
        {"prompt": "p", "response_a": "x", "response_b": "y"},
        {"prompt": '["p"]', "response_a": '["x"]', "response_b": '["y"]'},
        {"prompt": ["p"], "response_a": ["x"], "response_b": ["y"]},
        {"states": [STATE, STATE | {"messages": [["USER", "p"], ["ASSISTANT", "y"]]}]},
    ],
)
def test_every_published_form_says_the_same(row: dict[str, Any]) -> None:
    assert read_conversations(row) == (talk("p", "x"), talk("p", "y"))


def test_text_that_opens_with_a_bracket_is_a_text() -> None:
    for prompt in ('["p"]', "[1, 2] added?", "[]"):
        row = {"prompt": prompt, "response_a": "x", "response_b": "y"}
        assert read_conversations(row) == (talk(prompt, "x"), talk(prompt, "y"))


def test_conversation_ends_where_it_was_judged() -> None:
    four = talk("p", "x", "q", "z")
    row = {"conversation_a": four, "conversation_b": four}
    assert read_conversations(row | {"turn": "1"}) == (four[:2], four[:2])
    for turn in (2, 3, None, float("nan")):
        assert read_conversations(row | {"turn": turn}) == (four, four)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, NO_TEXTS),
        ({"prompt": "p"}, NO_TEXTS),
        ({"conversation_a": talk("p", "x"), "conversation_b": None}, NO_TEXTS),
        ({"conversation_a": "broken [", "conversation_b": talk("p", "x")}, UNREADABLE),
        ({"conversation_a": [{"role": "narrator", "content": "p"}], "conversation_b": talk("p", "x")}, UNREADABLE),
        ({"conversation_a": [{"role": "user", "content": [{"image": "i"}]}], "conversation_b": talk("p")}, NOT_TEXT),
        ({"prompt": '["p", "q"]', "response_a": '["x"]', "response_b": '["y"]'}, UNREADABLE),
        ({"prompt": ["p"], "response_a": "x", "response_b": "y"}, UNREADABLE),
        ({"states": [STATE]}, NO_TEXTS),
    ],
)
def test_what_cannot_be_read_says_why(row: dict[str, Any], reason: str) -> None:
    assert read_conversations(row) == reason


def test_replies_are_the_turns_of_the_assistant() -> None:
    assert list(replies(talk("p", "x", "q", "z"))) == ["x", "z"]
    assert list(replies(PARTS)) == list(replies('["x"]')) == list(replies("x")) == ["x"]
    assert list(replies([{"role": "assistant", "content": None}, "z"])) == ["z"]


def test_file_without_texts_is_named() -> None:
    with pytest.raises(VotesError, match=r"votes.csv: holds no texts"):
        require_texts("votes.csv", ["model_a", "prompt", "response_a"])
