"""The events of a stream, as far as they are believed: types are checked, and whatever else they hold is left out."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field, JsonValue, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from arena.backends.base import BackendError

DONE = "[DONE]"
LONGEST_WORD = 200  # characters of a model's name or fingerprint that are kept
FINISHES = ("stop", "length")
KNOWN_FAILURES = ("content_filter", "tool_calls", "function_call", "error", "abort")  # named in the log, no others

Count = Annotated[int, Field(ge=0, lt=2**31)]
Logarithm = Annotated[float, Field(le=1e-3, ge=-1e5)]  # a little above 0 by rounding; -9999 stands for none


def _leniently(default: Any) -> WrapValidator:
    """Take a default for what is not as it should be: no reply is worth less for it."""

    def read(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
        try:
            return check(value)
        except ValidationError:
            return default

    return WrapValidator(read)


class Usage(BaseModel):
    """How many tokens were read and written."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event. is_token: the model wrote something, even if it is not shown, since it thinks first.

    text: what the reply grew by. finish: "stop" or "length" once the reply has ended. stop_reason, of vLLM alone: the
    stop text. error: what came in the reply's place. model, fingerprint: what the server says of itself.
    """

    text: str = ""
    is_token: bool = False
    finish: str | None = None
    stop_reason: str | int | None = None
    logprobs: tuple[float, ...] = ()
    usage: Usage | None = None
    error: JsonValue = None
    model: str | None = None
    fingerprint: str | None = None


def read_chunk(data: str) -> Chunk:
    """Return an event's content.

    Raises:
        BackendError: it is not what the API sends; says nothing of its content, which may be anything.
    """
    try:
        event = _Event.model_validate_json(data)
    except ValidationError:
        event = None
    if event is None:  # outside of the handler: no context that holds the event
        raise BackendError("sent an event that is not JSON of OpenAI's API")
    choice = next((choice for choice in event.choices or () if choice.index == 0), _NOTHING)
    delta = choice.delta or _NO_DELTA
    text = (choice.text or delta.content or "").replace("\0", "\ufffd")  # PostgreSQL stores no U+0000
    return Chunk(
        text=text,
        is_token=bool(text or delta.reasoning_content or delta.reasoning),
        finish=_read_finish(choice.finish_reason),
        stop_reason=choice.stop_reason,
        logprobs=choice.logprobs.all if choice.logprobs else (),
        usage=event.usage,
        error=event.error,
        model=_read_word(event.model),
        fingerprint=_read_word(event.system_fingerprint),
    )


class _Delta(BaseModel):
    content: str | None = None
    reasoning_content: str | None = None  # thoughts, under the one name or the other
    reasoning: str | None = None


class _Token(BaseModel):
    logprob: Logarithm


class _Logprobs(BaseModel):
    content: list[_Token] | None = None  # in a chat
    token_logprobs: list[Logarithm | None] | None = None  # in a completion

    @property
    def all(self) -> tuple[float, ...]:
        in_chat = [token.logprob for token in self.content or ()]
        return tuple(in_chat or (each for each in self.token_logprobs or () if each is not None))


class _Choice(BaseModel):
    index: Annotated[int, _leniently(0)] = 0
    delta: _Delta | None = None  # in a chat
    text: str | None = None  # in a completion
    finish_reason: str | None = None
    stop_reason: Annotated[str | int | None, _leniently(None)] = None
    logprobs: Annotated[_Logprobs | None, _leniently(None)] = None


class _Event(BaseModel):
    model: str | None = None
    system_fingerprint: str | None = None
    choices: list[_Choice] | None = None  # none beside the usage
    usage: Annotated[Usage | None, _leniently(None)] = None
    error: JsonValue = None


_NOTHING, _NO_DELTA = _Choice(), _Delta()


def _read_finish(reason: str | None) -> str | None:
    if reason and reason not in FINISHES:
        told = reason if reason in KNOWN_FAILURES else "a reason that OpenAI's API does not know"
        raise BackendError(f"ended the reply for {told} (finish_reason)")
    return reason or None


def _read_word(word: str | None) -> str | None:
    return word[:LONGEST_WORD].replace("\0", "\ufffd") if word else None
