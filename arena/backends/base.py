"""The protocol between a battle and the backend that writes a reply: text as it is written, then a final record.

A backend knows one set of weights, and nothing about battles, sides or votes.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from arena.contestants import Sampling, Style
from common.conversation import Conversation

Finish = Literal["end", "stop", "length"]


class BackendError(Exception):
    """A reply that could not be written, or a checkpoint that could not be loaded; for the log, not for the page."""


class PromptTooLong(ValueError):
    """A prompt that does not fit the model's context together with its reply. room: about how many characters would."""

    def __init__(self, room: int) -> None:
        super().__init__(f"the prompt does not fit the context: at most about {room} characters would")
        self.room = room


@dataclass(frozen=True)
class Request:
    """One reply to write: the conversation so far, which ends with a user's message, and how it is to be answered."""

    conversation: Conversation
    style: Style
    sampling: Sampling
    seed: int


@dataclass(frozen=True)
class Reply:
    """The final record of one reply.

    finish: ended by the model ("end") or a stop text ("stop"), or cut at max_tokens or max_seconds ("length").
    recipe: everything needed to write it again: weights hash or fingerprint, style, sampling, seed, backend, versions.
    tokens includes the end token where the engine counts it; seconds run from the request to the end, first_seconds to
    the first token.
    """

    text: str
    finish: Finish
    prompt_tokens: int
    tokens: int
    seconds: float
    first_seconds: float
    recipe: dict[str, Any]


class Backend(Protocol):
    """Writes replies from one set of weights.

    The request's sampling limits a reply to max_seconds, counted from the request, waiting included. The backend
    itself ends a reply that takes longer: at_limit "cut" keeps the text so far, with finish "length"; without any text,
    or with "void", it raises a BackendError that names the limit. A caller with a timeout of its own should wait a
    little longer than that. max_tokens always cuts.
    """

    @property
    def is_loading(self) -> bool:
        """Return whether it is still being started, so that load would wait; False once that has failed."""

    @property
    def failure(self) -> str:
        """Return why no reply can ever be written, such as weights that cannot be loaded; "" if one can."""

    async def check(self, conversation: Conversation, style: Style, sampling: Sampling) -> None:
        """Require that the conversation can be answered; weights need not be in memory for that.

        Raises:
            PromptTooLong: it leaves no room for the reply.
            PromptRefused: it holds a control token of the model.
            BackendError: it cannot be asked, for any reason.
        """

    async def load(self) -> None:
        """Wait until a reply could begin at once: weights are in memory, an engine runs.

        Raises:
            BackendError: that is impossible, for any reason.
        """

    def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """Yield text as it is written, then the Reply, last; closing the iterator early abandons the reply.

        Raises:
            PromptTooLong: only whoever counts the tokens, at an endpoint, could know it; not the contestant's fault.
            BackendError: no reply was written, for any other reason; nothing else is raised.
        """

    def close(self) -> None:
        """Release threads and weights."""
