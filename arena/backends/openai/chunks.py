"""The events of a stream, as far as they are believed: types are checked, and whatever else they hold is left out."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, JsonValue, ValidationError

from arena.backends.base import BackendError

DONE = "[DONE]"
LONGEST_WORD = 200  # characters of a model's name or fingerprint that are kept
FINISHES = ("stop", "length")
KNOWN_FAILURES = ("content_filter", "tool_calls", "function_call", "error", "abort")  # named in the log, no others

Word = Annotated[
    str | None, BeforeValidator(lambda text: _clean(text)[:LONGEST_WORD] if isinstance(text, str) else text)
]
Text = Annotated[str | None, BeforeValidator(lambda text: _clean(text) if isinstance(text, str) else text)]
Count = Annotated[int, Field(ge=0, lt=2**31)]


class Delta(BaseModel):
    """What a message grew by. A model that thinks first sends that under one of two names; it is not shown."""

    content: Text = None
    reasoning_content: Text = None
    reasoning: Text = None


class Choice(BaseModel):
    """One reply's part: delta in a chat, text in a completion. stop_reason, of vLLM alone: the stop text."""

    index: int = 0
    delta: Delta | None = None
    text: Text = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class Usage(BaseModel):
    """How many tokens were read and written."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0


class Chunk(BaseModel):
    """One event; the one with usage has no choices."""

    model: Word = None
    system_fingerprint: Word = None
    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: JsonValue = None

    @property
    def choice(self) -> Choice | None:
        """Return the first reply's part, the only one that was asked for."""
        return next((choice for choice in self.choices or () if choice.index == 0), None)

    @property
    def text(self) -> str:
        """Return what the reply grew by."""
        choice = self.choice
        return (choice.text or (choice.delta and choice.delta.content) or "") if choice else ""

    @property
    def is_token(self) -> bool:
        """Return whether the model wrote something, even if it is not shown."""
        delta = self.choice and self.choice.delta
        return bool(self.text or (delta and (delta.reasoning_content or delta.reasoning)))

    @property
    def finish(self) -> str | None:
        """Return why the reply ended, "stop" or "length"; None while it has not.

        Raises:
            BackendError: for another reason.
        """
        finish = self.choice.finish_reason if self.choice else None
        if finish and finish not in FINISHES:
            reason = finish if finish in KNOWN_FAILURES else "a reason that OpenAI's API does not know"
            raise BackendError(f"ended the reply for {reason} (finish_reason)")
        return finish or None


def read_chunk(data: str) -> Chunk:
    """Return an event's content.

    Raises:
        BackendError: it is not what the API sends; says nothing of its content, which may be anything.
    """
    try:
        return Chunk.model_validate_json(data)
    except ValidationError:
        pass
    raise BackendError("sent an event that is not JSON of OpenAI's API")  # outside: no context that holds the event


def _clean(text: str) -> str:
    return text.replace("\0", "\ufffd")  # PostgreSQL stores no U+0000
