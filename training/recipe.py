"""A recipe: everything that decides what a family of checkpoints becomes, in one YAML file.

Unknown keys, wrong types and impossible values are errors that name the file, the key and the value, since a
misspelt learning rate that is silently ignored costs a night. The resolved recipe is stored in every stage.json.
"""

import copy
import re
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

NUMBER = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
RECIPES = Path(__file__).parent / "recipes"


class RecipeError(ValueError):
    """A recipe that cannot be used: says which file, which key and what would do."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Data(_Section):
    """How much text of which kind. Counts are documents and examples, before any packing."""

    stories: int = Field(gt=0)
    question_documents: int = Field(gt=0)
    small_talk: bool = True
    heldout_share: float = Field(gt=0, lt=0.5)


class Tokenizer(_Section):
    """Byte-level BPE; vocab_size counts the 256 bytes and the special tokens too."""

    vocab_size: int = Field(ge=300)


class Model(_Section):
    """The shape of a Llama model. context is in tokens."""

    hidden_size: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    mlp_size: int = Field(gt=0)
    context: int = Field(ge=32)

    @model_validator(mode="after")
    def _heads_divide_hidden_size(self) -> Self:
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not a multiple of heads {self.heads}")
        if self.hidden_size // self.heads % 2:
            raise ValueError(f"hidden_size / heads is {self.hidden_size // self.heads}: rotary positions need it even")
        return self


class Pretrain(_Section):
    """tokens is the number trained on, delimiters included; batch is in rows of one context each."""

    tokens: int = Field(gt=0)
    batch: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    warmup: float = Field(ge=0, lt=1)


class Finetune(_Section):
    """Supervised finetuning: epochs over the prompt-response examples."""

    epochs: float = Field(gt=0)
    batch: int = Field(gt=0)
    learning_rate: float = Field(gt=0)


class Pairs(_Section):
    """First preference pairs: samples replies of the SFT model to each of so many prompts, ordered by the checker."""

    prompts: int = Field(gt=0)
    samples: int = Field(ge=2)
    temperature: float = Field(gt=0)
    max_reply_tokens: int = Field(gt=0)
    degenerate_share: float = Field(ge=0, lt=1)


class Reward(_Section):
    """Reward model: epochs over the pairs; centre is the weight that keeps the scores around zero."""

    epochs: float = Field(gt=0)
    batch: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    centre: float = Field(ge=0)


class Reinforce(_Section):
    """GRPO: steps of prompts_per_step * replies_per_prompt replies; beta weighs the KL to the SFT model."""

    steps: int = Field(gt=0)
    prompts_per_step: int = Field(gt=0)
    replies_per_prompt: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    beta: float = Field(ge=0)
    temperature: float = Field(gt=0)
    max_reply_tokens: int = Field(gt=0)
    unfinished_penalty: float = Field(ge=0)


class Recipe(_Section):
    """A whole family, from text to RLHF."""

    name: str
    seed: int = Field(ge=0, lt=2**32)
    data: Data
    tokenizer: Tokenizer
    model: Model
    pretrain: Pretrain
    sft: Finetune
    pairs: Pairs
    reward: Reward
    rl: Reinforce


def load_recipe(name_or_path: str, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe by its name (``nano``) or its file, with ``section.key=value`` overrides.

    Raises:
        RecipeError: no such recipe, broken YAML, an unknown key, or a value that cannot be used.
    """
    named = RECIPES / f"{name_or_path}.yaml"
    path = named if named.is_file() else Path(name_or_path)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.yaml")))
        raise RecipeError(f"no recipe {name_or_path!r}: give a YAML file or one of {known}")
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(f"{path}: not a YAML file: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of sections, this is a {type(tree).__name__}")
    return parse_recipe(override(tree, overrides or []), str(path))


def override(tree: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """Return a copy of a recipe's tree with each ``section.key=value`` applied; the value is read as YAML.

    Raises:
        RecipeError: a setting that is not of this form.
    """
    changed = copy.deepcopy(tree)
    for setting in settings:
        _apply(changed, setting)
    return changed


def parse_recipe(tree: dict[str, Any], origin: str) -> Recipe:
    """Validate a recipe that was read from origin (a file's name, used in the message).

    Raises:
        RecipeError: the first key that is wrong, with its value.
    """
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "recipe"
        if first["type"] == "extra_forbidden":
            raise RecipeError(f"{origin}: unknown key {key!r}: remove it or mend its spelling") from None
        got = "" if first["type"] == "missing" else f", got {first['input']!r}"
        raise RecipeError(f"{origin}: {key}: {first['msg']}{got}") from None


def _apply(tree: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise RecipeError(f"override {override!r} is not of the form section.key=value")
    *sections, key = path.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise RecipeError(f"override {override!r}: {section!r} is not a section")
    # YAML reads 3e-4 as text, so numbers are tried first.
    try:
        value = float(text) if NUMBER.fullmatch(text) else yaml.safe_load(text)
        # 2e5 steps are a whole number too.
        tree[key] = int(value) if isinstance(value, float) and value.is_integer() else value
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(f"override {override!r}: not a YAML value: {' '.join(str(error).split())}") from None
