"""models.yaml to validated contestants.

A contestant is a checkpoint plus the way it is asked; two contestants may share weights and differ only in that.
Settings whose mistakes would change who is compared with whom have no defaults, and a checkpoint that cannot write
replies is refused by name before anything is loaded.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from arena.checkpoints.architecture import read_causal_classes
from arena.checkpoints.place import place, read_weights, require_adapter, require_quantizable
from arena.checkpoints.weights import Unfit
from arena.contestants import (
    TAGS,
    AnyContestant,
    ChatStyle,
    CheckpointContestant,
    Contestant,
    Section,
    TransformersContestant,
    served_names,
)
from arena.guard.identity import fold_name
from arena.guard.limits import ADDRESS, VISITOR, Limits
from common.models_yaml import ModelsError, check_lineage, read_models_yaml, validate
from common.words import one_line

LEVELS = ("chat", "few-shot", *TAGS)  # tags of unions, which are not keys of the file
CONTEXT_KEYS = ("max_position_embeddings", "n_positions")  # the architectures' names for their context length


class ReadyPrompt(Section):
    """A prompt that a visitor can click instead of typing; its category, if any, gets a board of its own."""

    prompt: str = Field(min_length=1)
    category: str = Field(default="", max_length=64)


def _require_rates(text: str) -> str:
    try:
        Limits(text, text)
    except ValueError:
        raise ValueError('write limits as "15/minute; 300/hour"') from None
    return text


class Rates(Section):
    """How many battles one visitor, and all who share a network address, may start."""

    visitor: Annotated[str, AfterValidator(_require_rates)] = VISITOR
    address: Annotated[str, AfterValidator(_require_rates)] = ADDRESS


class Models(Section):
    """The whole file: the contestants, prompts that a visitor can click, and limits."""

    contestants: tuple[AnyContestant, ...]
    ready_prompts: tuple[ReadyPrompt, ...] = ()
    limits: Rates = Rates()

    @model_validator(mode="after")
    def _contestants_can_meet(self) -> Self:
        check_lineage(self.contestants)
        names = [contestant.name for contestant in self.contestants]
        seen: dict[str, str] = {}
        for name in names:
            if not fold_name(name):
                raise ValueError(f"the name {name!r} has no letter or digit: add one")
            other = seen.setdefault(fold_name(name), name)
            if other != name:
                raise ValueError(f"the names {other!r} and {name!r} look alike: give one of them another name")
        if len(names) < 2:
            raise ValueError(f"a battle needs at least 2 contestants, got {len(names)}: add one")
        return self


def load_models(path: Path) -> Models:
    """Read and validate models.yaml; relative checkpoint paths start at the file's folder.

    Raises:
        ModelsError: the file is missing or broken, anything in it is wrong, or a checkpoint cannot write replies (the
            first such problem is named).
    """
    models = validate(Models, read_models_yaml(path), path, levels=LEVELS)
    causal = read_causal_classes()
    placed = [_place(contestant, path, causal) for contestant in models.contestants]
    return models.model_copy(update={"contestants": tuple(placed)})


def _place(contestant: Contestant, file: Path, causal: Mapping[str, str] | None) -> Contestant:
    where = f"{file}: {contestant.name}"
    if not isinstance(contestant, CheckpointContestant):
        _require_room(where, contestant, getattr(contestant, "context", None))
        return contestant
    blamed = f"path {one_line(contestant.path)!r}"
    adapter = None
    try:
        placed = place(contestant.path, file.parent, contestant.revision)
        config = read_weights(placed, causal, is_chat=isinstance(contestant.prompt, ChatStyle))
        if isinstance(contestant, TransformersContestant):
            require_quantizable(placed, config, contestant.quantization)
        elif placed.is_file():
            raise Unfit("is a GGUF file, and vLLM reads folders of safetensors: take one, or backend: transformers")
        if contestant.adapter is not None:
            blamed = f"adapter {one_line(str(contestant.adapter))!r}"
            adapter = (file.parent / contestant.adapter).resolve()
            require_adapter(adapter, placed, config)
    except Unfit as error:
        raise ModelsError(f"{where}: {blamed} {error}") from None
    except Exception as error:  # the file system's, or of a damaged file, which may raise anything
        why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise ModelsError(f"{where}: {blamed} cannot be read ({one_line(why, 120)}): correct it") from None
    context = next((config[key] for key in CONTEXT_KEYS if isinstance(config.get(key), int)), None)
    _require_room(where, contestant, getattr(contestant, "context", None) or context)
    known_as = (*contestant.known_as, *served_names(contestant))
    return contestant.model_copy(update={"path": str(placed), "adapter": adapter, "known_as": known_as})


def _require_room(where: str, contestant: Contestant, context: int | None) -> None:
    if context is not None and contestant.sampling.max_tokens >= context:
        raise ModelsError(
            f"{where}: max_tokens {contestant.sampling.max_tokens} leaves no room for a prompt "
            f"in a context of {context} tokens: lower it"
        )
