r"""One preference pair in any of the forms it is published in, as the prompt's turns and two replies.

Known forms are TRL's conversational one; plain texts; whole conversations as `chosen` and `rejected`, with the prompt
once more beside them or not (UltraFeedback); and Anthropic's texts of "\n\nHuman: ...\n\nAssistant: ...". What both
conversations share is the prompt. Texts without any prompt are replies to nothing, which a reward model can score.
"""

import re
from typing import Any, NamedTuple

ROLES = ("system", "user", "assistant")
SIDES = ("chosen", "rejected")

REPEATED = "repeat the prompt in their replies"
SHARED = "tell the prompt by what both replies share"

_HUMAN = re.compile(r"(?:^|\n\n)(Human|Assistant): ?")

Messages = list[dict[str, str]]


class PairsError(ValueError):
    """A file of pairs that cannot be used; the message names the file, the line and the remedy."""


class PairRow(NamedTuple):
    """A pair, and how it had to be mended."""

    prompt: Messages
    """Turns up to the user's; empty for texts without a prompt."""
    chosen: Messages
    rejected: Messages
    mended: str | None


def read_pair(row: Any, where: str) -> PairRow:
    """Return the pair of one row.

    Raises:
        PairsError: a side is missing or empty, a role is unknown, or the sides do not end with a reply.
    """
    if not isinstance(row, dict):
        raise PairsError(f"{where}: {str(row)[:60]!r} is no pair: give an object with 'chosen' and 'rejected'")
    prompt = _messages(row, "prompt", where, "user") if row.get("prompt") else []
    chosen, rejected = (_messages(row, side, where, "assistant") for side in SIDES)
    mended = None
    if prompt and all(len(side) > len(prompt) and side[: len(prompt)] == prompt for side in (chosen, rejected)):
        chosen, rejected, mended = chosen[len(prompt) :], rejected[len(prompt) :], REPEATED
    elif not prompt and (shared := _shared(chosen, rejected)):
        prompt, chosen, rejected, mended = chosen[:shared], chosen[shared:], rejected[shared:], SHARED
    for name, messages in zip(SIDES, (chosen, rejected), strict=True):
        if messages[-1]["role"] != "assistant":
            raise PairsError(f"{where}: {name!r} ends with a turn of {messages[-1]['role']!r}")
    if prompt and prompt[-1]["role"] == "assistant":
        raise PairsError(f"{where}: 'prompt' ends with a turn of 'assistant'")
    if not prompt and any(side[0]["role"] != "assistant" for side in (chosen, rejected)):
        raise PairsError(f"{where}: 'chosen' and 'rejected' begin with different prompts")
    return PairRow(prompt, chosen, rejected, mended)


def _shared(chosen: Messages, rejected: Messages) -> int:
    """Return how many turns both conversations open with, up to the last of a user."""
    same = 0
    for one, other in zip(chosen[:-1], rejected[:-1], strict=False):
        if one != other:
            break
        same += 1
    while same and chosen[same - 1]["role"] == "assistant":
        same -= 1
    return same


def _messages(row: dict[str, Any], key: str, where: str, role: str) -> Messages:
    value = row.get(key)
    if isinstance(value, str) and value.strip():
        value = _turns(value) or [{"role": role, "content": value}]
    if not isinstance(value, list) or not value:
        raise PairsError(f"{where}: {key!r} is not a text or a list of messages, got {value!r}")
    for message in value:
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, str) or not content.strip():
            raise PairsError(f"{where}: {key!r} has an empty message: remove the row")
        if not content.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in content):
            raise PairsError(f"{where}: {key!r} holds half of a surrogate pair, which is not text: correct the row")
        if message.get("role") not in ROLES:
            raise PairsError(f"{where}: {key!r} has the role {message.get('role')!r}, not one of {', '.join(ROLES)}")
    return [{"role": message["role"], "content": message["content"]} for message in value]


def _turns(text: str) -> Messages:
    """Return the turns of a text in Anthropic's form, none where it is another."""
    if not text.lstrip("\n").startswith("Human: "):
        return []
    _, *parts = _HUMAN.split(text)
    roles = {"Human": "user", "Assistant": "assistant"}
    turns = [{"role": roles[who], "content": said.strip()} for who, said in zip(parts[::2], parts[1::2], strict=True)]
    return turns[:-1] if not turns[-1]["content"] else turns  # a prompt may end with an open "Assistant:"
