"""The texts of one row of a file of votes, as two conversations.

They stand in `conversation_a` and `conversation_b`, lists of {role, content} whose content is a text or a list of
typed parts; in `response_a` and `response_b` beside a `prompt`, each a text or a list of the turns' texts; or in
the `states` of FastChat's log. Lists may be JSON text. Where several conversations are judged turn by turn, as in
MT-bench, `turn` says up to which.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from ratings.errors import VotesError

CONVERSATIONS = ("conversation_a", "conversation_b")
RESPONSES = ("response_a", "response_b")
REPLIES = (CONVERSATIONS, RESPONSES)
"""Columns that may hold the replies, the first that are there."""
PROMPT, STATES, TURN = "prompt", "states", "turn"
COLUMNS = (*CONVERSATIONS, *RESPONSES, PROMPT, STATES, TURN)
"""Every column that is looked at."""

UNREADABLE = "texts that cannot be read"
NO_TEXTS = "no texts"
NOT_TEXT = "pictures or other parts that are no text"

_ROLES = {"human": "user", "user": "user", "system": "system"} | dict.fromkeys(
    ("assistant", "gpt", "bot", "model", "chatbot"), "assistant"
)

Messages = list[dict[str, str]]
Row = Mapping[str, Any]


def require_texts(where: object, columns: Collection[str]) -> None:
    """Raise VotesError where a file with these columns holds no texts."""
    held = set(columns)
    if not (set(CONVERSATIONS) <= held or {PROMPT, *RESPONSES} <= held or STATES in held):
        raise VotesError(
            f"{where}: holds no texts; they are read from the columns conversation_a and conversation_b, or prompt, "
            "response_a and response_b, or FastChat's states"
        )


def read_conversations(row: Row) -> tuple[Messages, Messages] | str:
    """Return the two conversations of a row, or why there are none.

    The texts are as they stand in the file; a text may be empty.
    """
    try:
        if any(row.get(column) is not None for column in CONVERSATIONS):
            a, b = (_cut(_messages(row.get(column)), row.get(TURN)) for column in CONVERSATIONS)
        elif any(row.get(column) is not None for column in RESPONSES):
            a, b = _turn_by_turn(row)
        elif row.get(STATES) is not None:
            a, b = _logged(row[STATES])
        else:
            return NO_TEXTS
    except _NoConversation as problem:
        return str(problem)
    return (a, b) if a and b else NO_TEXTS


def replies(value: Any) -> Iterator[str]:
    """Yield the assistant's texts of one value of `REPLIES`; what cannot be read is passed over."""
    value = _unpacked(value)
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for turn in value:
            yield from _reply(turn)


def _reply(turn: Any) -> Iterator[str]:
    if isinstance(turn, str):
        yield turn
    elif isinstance(turn, dict) and turn.get("role", "assistant") == "assistant":
        with suppress(_NoConversation):
            yield _content(turn.get("content"), is_strict=False)


class _NoConversation(Exception):
    """Texts that are no conversation; the message is the reason."""


def _unpacked(value: Any) -> Any:
    """Return a list, where a value is one or its JSON text; a text may open with a bracket and be none."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    return list(value) if isinstance(value, list | tuple | np.ndarray) else value


def _messages(value: Any) -> Messages:
    turns = _unpacked(value)
    if turns is None or turns == "":
        return []
    if not isinstance(turns, list):
        raise _NoConversation(UNREADABLE)
    found = []
    for turn in turns:
        role = _ROLES.get(str(turn.get("role", turn.get("from"))).lower()) if isinstance(turn, dict) else None
        if role is None:
            raise _NoConversation(UNREADABLE)
        content = _content(turn.get("content", turn.get("value")))
        if role != "system" or content.strip():
            found.append({"role": role, "content": content})
    return found


def _content(value: Any, *, is_strict: bool = True) -> str:
    """Return the text of a message; parts that are no text are refused, or passed over."""
    if isinstance(value, str):
        return value
    if value is None:
        if is_strict:
            return ""
    elif isinstance(value, list | tuple | np.ndarray):
        texts = [part.get("text") if isinstance(part, dict) else part for part in value]
        if is_strict and not all(isinstance(text, str) for text in texts):
            raise _NoConversation(NOT_TEXT)
        return "".join(text for text in texts if isinstance(text, str))
    raise _NoConversation(UNREADABLE)


def _cut(messages: Messages, turn: Any) -> Messages:
    """Return a conversation up to the reply to the turn that was judged."""
    try:
        judged = int(turn)
    except (TypeError, ValueError, OverflowError):
        return messages
    ends = [place for place, message in enumerate(messages, start=1) if message["role"] == "assistant"]
    return messages[: ends[judged - 1]] if 0 < judged <= len(ends) else messages


def _turn_by_turn(row: Row) -> tuple[Messages, Messages]:
    """Return the conversations of prompts and replies to each; all three are lists or all are texts."""
    values = [row.get(column) for column in (PROMPT, *RESPONSES)]
    lists = [_texts(value) for value in values]
    prompts, first, second = lists
    if prompts is not None and first is not None and second is not None:
        if not len(prompts) == len(first) == len(second):
            raise _NoConversation(UNREADABLE)
        return _joined(prompts, first), _joined(prompts, second)
    if any(value is not None and not isinstance(value, str) for value in values):
        raise _NoConversation(UNREADABLE)
    # A single text may open with a bracket and happen to be JSON.
    prompt, one, other = ([value or ""] for value in values)
    return _joined(prompt, one), _joined(prompt, other)


def _texts(value: Any) -> list[str] | None:
    turns = _unpacked(value)
    if not isinstance(turns, list) or not all(turn is None or isinstance(turn, str) for turn in turns):
        return None
    return [turn or "" for turn in turns]


def _joined(prompts: list[str], answers: list[str]) -> Messages:
    return [
        {"role": role, "content": text}
        for turn in zip(prompts, answers, strict=True)
        for role, text in zip(("user", "assistant"), turn, strict=True)
    ]


def _logged(value: Any) -> tuple[Messages, Messages]:
    states = _unpacked(value)
    if not isinstance(states, list) or len(states) != 2:
        raise _NoConversation(NO_TEXTS)
    one, other = map(_state, states)
    return one, other


def _state(state: Any) -> Messages:
    """Return a FastChat conversation: [role, text] each, examples before `offset`, the user's turns first."""
    turns = state.get("messages") if isinstance(state, dict) else None
    if turns is None:
        raise _NoConversation(NO_TEXTS)
    try:
        said = [(str(role), text) for role, text in list(turns)[int(state.get("offset") or 0) :]]
    except (TypeError, ValueError):
        raise _NoConversation(UNREADABLE) from None
    users = (state.get("roles") or [said[0][0] if said else ""])[0]
    return [{"role": "user" if role == users else "assistant", "content": _content(text)} for role, text in said]
