"""A vote with its texts as rows to train on: a preference pair, or examples to want and to avoid.

A decided vote is a pair in the conversational form that TRL's RewardTrainer and DPOTrainer read. The prompt is the
history that both sides share, up to a user's turn; where the histories differ, `chosen` and `rejected` are whole
conversations without a prompt, and belong into a file of their own. For KTO (Ethayarajh et al., 2024, arXiv:2402.01306)
the winner's reply is a true row and the loser's a false one; where both are bad both rows are false. A tie is neither.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, assert_never, get_args

from common.conversation import Conversation
from ratings.outcomes import Outcome
from ratings.votes.collect import MISSING_OUTCOME
from ratings.votes.votes import Preference, is_blank

Format = Literal["trl", "kto"]
FORMATS: tuple[Format, ...] = get_args(Format)

TIE, BOTH_BAD = "tie", "both bad"
EMPTY_TEXT = "empty prompt or reply"
SAME_TEXT = "both replies the same"
DIFFERENT_PROMPTS = "different first prompts"
NO_REPLY = "no reply at the end"
HALF_CHARACTER = "half a character in the text"

Messages = list[dict[str, str]]
Row = dict[str, Any]


class TextVote(NamedTuple):
    """One vote and what it was about."""

    conversation_a: Messages
    conversation_b: Messages
    outcome: Outcome | None
    source: str
    battle_id: str | None = None
    left_out: str | None = None
    """Why the reader leaves it out."""


def text_vote(vote: Preference) -> TextVote:
    """Return a vote of the ledger, prompts and two replies to each, as one on two conversations."""
    turns = ((vote.prompt, vote.reply_a, vote.reply_b), *vote.later_turns)
    prompts = [prompt or "" for prompt, _, _ in turns]
    sides = ([turn[place] or "" for turn in turns] for place in (1, 2))
    a, b = (Conversation.of(prompts, replies).as_dicts() for replies in sides)
    return TextVote(a, b, vote.outcome, vote.source, vote.battle_id)


def rows_of(vote: TextVote, form: Format, more: Mapping[str, Any]) -> list[Row] | str:
    """Return the rows that a vote gives, with `more` keys on each, or why it gives none.

    A pair has a margin of 0.0, as voters give no strength.
    """
    if vote.left_out:
        return vote.left_out
    judged = _judged(vote, form)
    if isinstance(judged, str):
        return judged
    if problem := next(filter(None, map(_problem, (side for side, _ in judged))), None):
        return problem
    (first, _), (second, _) = judged
    if first == second:
        return SAME_TEXT
    named = {} if vote.battle_id is None else {"battle_id": vote.battle_id}
    beside = named | dict(more) | {"source": vote.source}
    if form == "kto":
        return [
            {"prompt": side[:-1], "completion": side[-1:], "label": is_wanted} | beside for side, is_wanted in judged
        ]
    shared = first[:-1] == second[:-1]
    if not shared and first[: _asked(first)] != second[: _asked(second)]:
        return DIFFERENT_PROMPTS
    pair = {"prompt": first[:-1], "chosen": first[-1:], "rejected": second[-1:]} if shared else {}
    return [(pair or {"chosen": first, "rejected": second}) | {"margin": 0.0} | beside]


def first_prompt(row: Row) -> str:
    """Return what a user asked first: the prompt that no two sides of a split may share."""
    messages = row.get("prompt") or row["chosen"]
    return str(messages[_asked(messages) - 1]["content"])


def _judged(vote: TextVote, form: Format) -> list[tuple[Messages, bool]] | str:
    """Return both conversations, the better first, and whether each is wanted; or why they do not say."""
    a, b = vote.conversation_a, vote.conversation_b
    match vote.outcome:
        case None:
            return MISSING_OUTCOME
        case Outcome.TIE:
            return TIE
        case Outcome.BOTH_BAD:
            return [(a, False), (b, False)] if form == "kto" else BOTH_BAD
        case Outcome.A_WINS:
            return [(a, True), (b, False)]
        case Outcome.B_WINS:
            return [(b, True), (a, False)]
        case unknown:
            assert_never(unknown)


def _problem(messages: Messages) -> str | None:
    """Return what keeps a conversation from being trained on."""
    if any(is_blank(message["content"]) for message in messages):
        return EMPTY_TEXT
    if [message["role"] for message in messages[-2:]] != ["user", "assistant"]:
        return NO_REPLY
    texts = (message["content"] for message in messages)
    if any("\ud800" <= letter <= "\udfff" for text in texts if not text.isascii() for letter in text):
        return HALF_CHARACTER
    return None


def _asked(messages: Messages) -> int:
    """Return how many messages a conversation has up to the first of a user."""
    return next(place for place, message in enumerate(messages, start=1) if message["role"] == "user")
