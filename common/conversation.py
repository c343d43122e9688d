"""A conversation: messages with roles, as a model is asked, as a battle is stored, as pairs are exported.

It begins with a system's message, if there is one; then a user and an assistant take turns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Literal, NamedTuple, Self

Role = Literal["system", "user", "assistant"]


class Message(NamedTuple):
    """What one of them said."""

    role: Role
    content: str


@dataclass(frozen=True)
class Conversation:
    """Messages in their order."""

    messages: tuple[Message, ...]

    def __post_init__(self) -> None:
        """Check who speaks when.

        Raises:
            ValueError: no user speaks first, or somebody speaks twice in a row.
        """
        turns = self.turns
        if not turns or any(said.role != role for said, role in zip(turns, cycle(("user", "assistant")), strict=False)):
            roles = ", ".join(said.role for said in self.messages)
            raise ValueError(f"a user and an assistant take turns in a conversation, and the user begins; got {roles}")

    @classmethod
    def ask(cls, prompt: str, system: str = "") -> Self:
        """Return the conversation that a prompt begins."""
        first = (Message("system", system),) if system else ()
        return cls((*first, Message("user", prompt)))

    @classmethod
    def of(cls, prompts: Sequence[str], replies: Sequence[str], system: str = "") -> Self:
        """Return prompts and the replies to them; the last prompt may have none yet."""
        talk = cls.ask(prompts[0], system)
        for prompt, reply in zip(prompts[1:], replies, strict=False):
            talk = talk.then(reply, prompt)
        return talk if len(replies) < len(prompts) else cls((*talk.messages, Message("assistant", replies[-1])))

    def then(self, reply: str, prompt: str) -> Self:
        """Return the conversation after a reply to it and the next prompt."""
        return type(self)((*self.messages, Message("assistant", reply), Message("user", prompt)))

    @property
    def system(self) -> str:
        """Return the system's message, "" for none."""
        return self.messages[0].content if self.messages and self.messages[0].role == "system" else ""

    @property
    def turns(self) -> tuple[Message, ...]:
        """Return what user and assistant said."""
        return self.messages[1:] if self.messages[:1] and self.messages[0].role == "system" else self.messages

    @property
    def prompt(self) -> str:
        """Return what the user said last."""
        return next(said.content for said in reversed(self.messages) if said.role == "user")

    @property
    def exchanges(self) -> tuple[tuple[str, str], ...]:
        """Return the prompts that have their reply, each with it."""
        said = [message.content for message in self.turns]
        return tuple(zip(said[::2], said[1::2], strict=False))

    def as_dicts(self) -> list[dict[str, str]]:
        """Return the messages as chat templates, OpenAI's API and TRL take them."""
        return [{"role": said.role, "content": said.content} for said in self.messages]
