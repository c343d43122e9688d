"""models.yaml to validated contestants.

A contestant is a checkpoint plus the way it is asked. Two contestants may share weights and differ only in how they
are asked. Nothing defaults silently where a mistake would change who is compared with whom, and a checkpoint that
could not fight is refused by name before anything is loaded.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from arena.checkpoints.architecture import read_causal_classes
from arena.checkpoints.checkpoint import read_checkpoint
from arena.checkpoints.weights import Unfit
from arena.identity import can_be_looked_for, fold_name
from arena.limits import ADDRESS, VISITOR, Limits
from common.models_yaml import Entry, ModelsError, check_lineage, read_models_yaml, validate

STYLES = ("chat", "few-shot")
StopText = Annotated[str, StringConstraints(min_length=1)]
CONTEXT_KEYS = ("max_position_embeddings", "n_positions")  # what architectures call the length of their context


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sampling(_Section):
    """How tokens are drawn, and where a reply that does not end by itself is ended.

    temperature: 0 is greedy. max_tokens: a reply of that many is cut. max_seconds: from the request on, waiting
    included. at_limit: a reply whose seconds are over is cut where it stands, or voids its battle.
    """

    temperature: float = Field(default=0.8, ge=0, le=5, strict=True)
    top_p: float = Field(default=0.95, gt=0, le=1, strict=True)
    max_tokens: int = Field(default=96, gt=0, strict=True)
    max_seconds: float = Field(default=60.0, gt=0, allow_inf_nan=False, strict=True)
    at_limit: Literal["cut", "void"] = "cut"


class ChatStyle(_Section):
    """Ask in the chat format that the checkpoint's own tokenizer brings."""

    style: Literal["chat"]
    stop: tuple[StopText, ...] = ()


class Shot(_Section):
    """One example in a few-shot document."""

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)


class FewShotStyle(_Section):
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
    """One entry of models.yaml. path is absolute after loading; parent is the contestant it was trained from.

    known_as: words that give it away beside its name, such as those for its model, its maker or a sibling.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str = Field(min_length=1, max_length=32)
    known_as: tuple[Annotated[str, StringConstraints(max_length=64), AfterValidator(_require_findable)], ...] = ()
    path: Path
    backend: Literal["transformers"] = "transformers"
    prompt: Annotated[ChatStyle | FewShotStyle, Field(discriminator="style")]
    sampling: Sampling = Sampling()


class ReadyPrompt(_Section):
    """A prompt that a visitor can click instead of typing; its category, if any, gets a board of its own."""

    prompt: str = Field(min_length=1)
    category: str = Field(default="", max_length=64)


def _require_rates(text: str) -> str:
    try:
        Limits(text, text)
    except ValueError:
        raise ValueError('write limits as "15/minute; 300/hour"') from None
    return text


class Rates(_Section):
    """How many battles one visitor, and all who share a network address, may start."""

    visitor: Annotated[str, AfterValidator(_require_rates)] = VISITOR
    address: Annotated[str, AfterValidator(_require_rates)] = ADDRESS


class Models(_Section):
    """The whole file: the contestants, prompts that a visitor can click, and limits."""

    contestants: tuple[Contestant, ...]
    ready_prompts: tuple[ReadyPrompt, ...] = ()
    limits: Rates = Rates()

    @model_validator(mode="after")
    def _contestants_can_meet(self) -> Self:
        check_lineage(self.contestants)
        names = [contestant.name for contestant in self.contestants]
        seen: dict[str, str] = {}
        for name in names:
            if not fold_name(name):
                raise ValueError(f"the name {name!r} shows no letter or digit: give it one that can be read")
            other = seen.setdefault(fold_name(name), name)
            if other != name:
                raise ValueError(f"the names {other!r} and {name!r} look alike: give one of them another name")
        if len(names) < 2:
            raise ValueError(f"a battle needs at least 2 contestants, found {len(names)}: add one")
        return self


def load_models(path: Path) -> Models:
    """Read and validate models.yaml; relative checkpoint paths start at the file's folder.

    Raises:
        ModelsError: the file is missing or broken, anything in it is wrong, or a checkpoint cannot fight (the first
            thing found is named).
    """
    models = validate(Models, read_models_yaml(path), path, levels=STYLES)
    causal = read_causal_classes()
    placed = [_place(contestant, path, causal) for contestant in models.contestants]
    return models.model_copy(update={"contestants": tuple(placed)})


def _place(contestant: Contestant, file: Path, causal: Mapping[str, str] | None) -> Contestant:
    where = f"{file}: {contestant.name}: path {str(contestant.path)!r}"
    folder = (file.parent / contestant.path).resolve()
    if not folder.is_dir():
        cure = "make it (python -m training run nano --out checkpoints/nano) or mend the path"
        raise ModelsError(f"{where} is no folder: {cure}")
    try:
        config = read_checkpoint(folder, causal, is_chat=isinstance(contestant.prompt, ChatStyle))
    except Unfit as error:
        raise ModelsError(f"{where} {error}") from None
    context = next((config[key] for key in CONTEXT_KEYS if isinstance(config.get(key), int)), None)
    if context is not None and contestant.sampling.max_tokens >= context:
        raise ModelsError(
            f"{file}: {contestant.name}: max_tokens {contestant.sampling.max_tokens} leaves no room for a prompt "
            f"in a context of {context} tokens: lower it"
        )
    return contestant.model_copy(update={"path": folder})
