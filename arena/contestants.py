"""The entries of models.yaml, one class per kind of backend: how a contestant is asked, and what writes its replies.

To add a kind, write its class here, put it into AnyContestant, and give its backend a line in backends/opening.py.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

from arena.identity import can_be_looked_for
from common.models_yaml import Entry

StopText = Annotated[str, StringConstraints(min_length=1)]


class Section(BaseModel):
    """A part of models.yaml, in which every key is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sampling(Section):
    """How tokens are drawn, and when a reply that does not end by itself is ended.

    temperature: 0 is greedy. max_tokens: a reply is cut after that many. max_seconds: from the request on, waiting
    included. at_limit: at max_seconds a reply is cut, or voids its battle.
    """

    temperature: float = Field(default=0.8, ge=0, le=5, strict=True)
    top_p: float = Field(default=0.95, gt=0, le=1, strict=True)
    max_tokens: int = Field(default=96, gt=0, strict=True)
    max_seconds: float = Field(default=60.0, gt=0, allow_inf_nan=False, strict=True)
    at_limit: Literal["cut", "void"] = "cut"


class ChatStyle(Section):
    """Ask by the chat template of the checkpoint's tokenizer."""

    style: Literal["chat"]
    stop: tuple[StopText, ...] = ()


class Shot(Section):
    """One example in a few-shot document."""

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)


class FewShotStyle(Section):
    """Ask a base model, which has no chat format: a short document of questions and answers, the last left open.

    stop: texts that end a reply, so that the model does not go on to write the next question itself.
    """

    style: Literal["few-shot"]
    examples: tuple[Shot, ...] = Field(min_length=1)
    stop: tuple[StopText, ...] = ("\n\n", "\nQuestion:")


def _require_findable(word: str) -> str:
    if not can_be_looked_for(word):
        raise ValueError("write a word with a letter and at least two letters or digits")
    return word


class Contestant(Entry):
    """What every contestant has.

    known_as: words that identify it besides its name, such as those for its model, its maker or a sibling.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str = Field(min_length=1, max_length=32)
    known_as: tuple[Annotated[str, StringConstraints(max_length=64), AfterValidator(_require_findable)], ...] = ()
    prompt: Annotated[ChatStyle | FewShotStyle, Field(discriminator="style")]
    sampling: Sampling = Sampling()


class CheckpointContestant(Contestant):
    """A checkpoint, loaded by transformers in this process. path is a folder, absolute after loading."""

    backend: Literal["transformers"] = "transformers"
    path: Path


class ScriptedContestant(Contestant):
    """A contestant without a model: it writes one of its replies, chosen by the seed. To try the page, and in tests."""

    backend: Literal["scripted"]
    prompt: Annotated[ChatStyle | FewShotStyle, Field(discriminator="style")] = ChatStyle(style="chat")
    replies: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = Field(min_length=1)


def names_of(contestants: Iterable[Contestant]) -> tuple[str, ...]:
    """Return every word that identifies a contestant, each once: names and known_as."""
    return tuple(dict.fromkeys(word for each in contestants for word in (each.name, *each.known_as)))


def backend(contestant: Any) -> Any:
    """Return the kind of backend of an entry."""
    return (
        contestant.get("backend", "transformers")
        if isinstance(contestant, dict)
        else getattr(contestant, "backend", None)
    )


AnyContestant = Annotated[
    Annotated[CheckpointContestant, Tag("transformers")] | Annotated[ScriptedContestant, Tag("scripted")],
    Discriminator(backend),
]
TAGS: tuple[str, ...] = tuple(get_args(kind)[1].tag for kind in get_args(get_args(AnyContestant)[0]))
"""The kinds of backend, as models.yaml calls them."""
