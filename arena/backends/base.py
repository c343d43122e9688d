"""The one small protocol between a battle and whatever writes its replies: text as it comes, then a final record.

A backend knows one set of weights and nothing of battles, sides or votes.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from arena.contestants import ChatStyle, FewShotStyle, Sampling

Finish = Literal["end", "stop", "length"]


class BackendError(Exception):
    """A reply that could not be written, or a checkpoint that could not be loaded; for the log, not for the page."""


class PromptTooLong(ValueError):
    """A prompt that does not fit the model's context together with its reply. room: about how many letters would."""

    def __init__(self, room: int) -> None:
        super().__init__(f"the prompt does not fit the context: at most about {room} letters would")
        self.room = room


@dataclass(frozen=True)
class Request:
    """One reply to write: the visitor's prompt, how to ask it, how to draw tokens, and the seed of the draws."""

    prompt: str
    style: ChatStyle | FewShotStyle
    sampling: Sampling
    seed: int


@dataclass(frozen=True)
class Reply:
    """The final record of one reply.

    finish: the model ended it ("end"), a stop text did ("stop"), or it was cut at max_tokens or at max_seconds
    ("length").
    recipe: everything needed to write it again: weights hash, style, sampling, seed, backend, versions.
    tokens counts the reply's tokens, the end token included; seconds run from request to end, first_seconds to the
    first token.
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

    A reply has max_seconds of its request's sampling, counted from the request and waiting included. What runs longer
    the backend ends itself: at_limit "cut" ends it with the text so far and finish "length", where there is any text;
    otherwise, and with "void", it raises a BackendError that names the limit. Whoever reads should wait a little
    longer before giving up by itself. max_tokens always cuts.
    """

    @property
    def is_loading(self) -> bool:
        """Say whether the weights are still being loaded; one that cannot be loaded is not."""

    @property
    def failure(self) -> str:
        """Return why no reply can ever be written, such as weights that cannot be loaded; "" where one can."""

    async def check(self, prompt: str, style: ChatStyle | FewShotStyle, sampling: Sampling) -> None:
        """Wait until the weights are loaded; let a prompt through that can be asked.

        Raises:
            PromptTooLong: it leaves no room for the reply.
            PromptRefused: it holds a control token of the model.
            BackendError: the checkpoint cannot be loaded or asked, whatever it was that went wrong in it.
        """

    def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """Yield text as it is written, then the Reply, last; closing the iterator early abandons the reply.

        Raises:
            BackendError: no reply was written, for whatever reason; nothing else is raised.
        """

    def close(self) -> None:
        """Let go of threads and weights."""
