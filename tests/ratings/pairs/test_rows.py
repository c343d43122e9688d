"""What a vote on two conversations gives to train on."""

from typing import cast

import pytest

from ratings.outcomes import Outcome
from ratings.pairs.rows import (
    BOTH_BAD,
    DIFFERENT_PROMPTS,
    EMPTY_TEXT,
    HALF_CHARACTER,
    NO_REPLY,
    SAME_TEXT,
    TIE,
    Format,
    Messages,
    TextVote,
    rows_of,
)


def talk(*texts: str) -> Messages:
    """Return the turns of a user and an assistant, one after the other."""
    return [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(texts)]


def vote(a: Messages, b: Messages, outcome: Outcome = Outcome.B_WINS) -> TextVote:
    """Return a human vote."""
    return TextVote(a, b, outcome, "human", "7")


def test_shared_history_is_the_prompt() -> None:
    rows = rows_of(vote(talk("Hi", "Yes?", "Why?", "So."), talk("Hi", "Yes?", "Why?", "No.")), "trl", {"round": 2})
    assert rows == [
        {
            "prompt": talk("Hi", "Yes?", "Why?"),
            "chosen": talk("", "No.")[1:],
            "rejected": talk("", "So.")[1:],
            "margin": 0.0,
            "battle_id": "7",
            "round": 2,
            "source": "human",
        }
    ]


def test_two_histories_are_whole_conversations() -> None:
    a, b = talk("Hi", "Yes?", "Why?", "So."), talk("Hi", "What?", "Why?", "No.")
    assert rows_of(vote(a, b), "trl", {}) == [
        {"chosen": b, "rejected": a, "margin": 0.0, "battle_id": "7", "source": "human"}
    ]


@pytest.mark.parametrize(("outcome", "labels"), [(Outcome.A_WINS, [True, False]), (Outcome.BOTH_BAD, [False, False])])
def test_kto_says_of_each_reply_whether_it_is_wanted(outcome: Outcome, labels: list[bool]) -> None:
    rows = rows_of(vote(talk("Hi", "a", "Why?", "b"), talk("Hi", "c", "Why?", "d"), outcome), "kto", {})
    assert isinstance(rows, list)
    assert [(row["prompt"], row["completion"], row["label"]) for row in rows] == [
        (talk("Hi", "a", "Why?"), talk("", "b")[1:], labels[0]),
        (talk("Hi", "c", "Why?"), talk("", "d")[1:], labels[1]),
    ]


@pytest.mark.parametrize(
    ("a", "b", "form", "reason"),
    [
        (talk("p", "x"), talk("p", "x"), "trl", SAME_TEXT),
        (talk("p", "x"), talk("p", " "), "kto", EMPTY_TEXT),
        (talk("p", "x", "q"), talk("p", "x", "q"), "trl", NO_REPLY),
        (talk("p", "x"), talk("q", "y"), "trl", DIFFERENT_PROMPTS),
        (talk("p", "x"), talk("p", "\ud83d"), "trl", HALF_CHARACTER),
    ],
)
def test_what_cannot_be_trained_on_says_why(a: Messages, b: Messages, form: Format, reason: str) -> None:
    assert rows_of(vote(a, b), form, {}) == reason


def test_ties_are_neither_and_both_bad_is_no_pair() -> None:
    a, b = talk("p", "x"), talk("p", "y")
    assert rows_of(vote(a, b, Outcome.TIE), "trl", {}) == rows_of(vote(a, b, Outcome.TIE), "kto", {}) == TIE
    assert rows_of(vote(a, b, Outcome.BOTH_BAD), "trl", {}) == BOTH_BAD


def test_outcome_that_export_does_not_know_is_an_error_and_no_preference() -> None:
    unknown = vote(talk("p", "x"), talk("p", "y"), cast(Outcome, "a_slightly_better"))
    with pytest.raises(AssertionError, match="a_slightly_better"):
        rows_of(unknown, "trl", {})
