"""A recipe: everything that decides what a family of checkpoints becomes, in one YAML file.

Unknown keys, wrong types and impossible values are errors that name the file, the key and the value, since a
misspelt learning rate that is silently ignored costs a night. The resolved recipe is stored in every stage.json.
"""

import copy
import re
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from common.yaml_files import YamlError, read_yaml
from training.sections import Data, Finetune, Model, Pairs, Pretrain, Reinforce, Reward, Section, Tokenizer

NUMBER = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
RECIPES = Path(__file__).parent / "recipes"
OLDER = {"data.families": "data.tasks"}  # spellings of before that are still read


class RecipeError(ValueError):
    """A recipe that cannot be used; the message names the file, the key and the remedy."""


class Recipe(Section):
    """Everything that decides a family, from its text to RLHF."""

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
    precision: Literal["auto", "bf16", "fp32"] = "auto"

    @model_validator(mode="after")
    def _fits_its_context(self) -> Self:
        context = self.model.context
        if self.pretrain.tokens < self.pretrain.batch * context:
            raise ValueError(
                f"pretrain.tokens {self.pretrain.tokens} is less than one step of pretrain.batch {self.pretrain.batch} "
                f"rows of model.context {context}: raise the tokens or lower the batch"
            )
        for section, tokens in (("pairs", self.pairs.max_reply_tokens), ("rl", self.rl.max_reply_tokens)):
            if tokens >= context:
                raise ValueError(
                    f"{section}.max_reply_tokens {tokens} leaves no room for a prompt in model.context {context}: "
                    "lower it"
                )
        return self


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
        tree = read_yaml(path)
    except YamlError as error:
        raise RecipeError(f"{error}: not a YAML file that can be used: mend it") from None
    if not isinstance(tree, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of sections, this is a {type(tree).__name__}")
    return parse_recipe(override(tree, overrides or []), str(path))


def override(tree: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """Return a copy of a recipe's tree with each ``section.key=value`` applied; the value is read as YAML.

    Raises:
        RecipeError: a setting that is not of this form, or data.tasks under both its spellings.
    """
    changed = modernise(tree)
    for setting in settings:
        _apply(changed, setting)
    return changed


def modernise(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a recipe's tree in which data.tasks replaces its older spelling, data.families.

    Raises:
        RecipeError: both spellings are there.
    """
    changed = copy.deepcopy(tree)
    data = changed.get("data")
    if isinstance(data, dict) and "families" in data:
        if "tasks" in data:
            raise RecipeError("data.families is the older spelling of data.tasks: give one of the two")
        data["tasks"] = data.pop("families")
    return changed


def parse_recipe(tree: dict[str, Any], origin: str) -> Recipe:
    """Validate a recipe that was read from origin (a file's name, used in the message).

    Raises:
        RecipeError: the first key that is wrong, with its value.
    """
    try:
        return Recipe.model_validate(modernise(tree))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "recipe"
        if first["type"] == "extra_forbidden":
            raise RecipeError(f"{origin}: unknown key {key!r}: remove it or correct its spelling") from None
        is_whole = first["type"] == "missing" or len(first["loc"]) == 0
        got = "" if is_whole else f", got {first['input']!r}"
        raise RecipeError(f"{origin}: {key}: {first['msg']}{got}") from None


def _apply(tree: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise RecipeError(f"override {override!r} is not of the form section.key=value")
    *sections, key = OLDER.get(path, path).split(".")
    for section in sections:
        if tree.get(section) is None:  # a section that may be left out, such as lora
            tree[section] = {}
        tree = tree[section]
        if not isinstance(tree, dict):
            raise RecipeError(f"override {override!r}: {section!r} is not a section")
    # YAML reads 3e-4 as text, so numbers are tried first.
    try:
        value = float(text) if NUMBER.fullmatch(text) else yaml.safe_load(text)
        # 2e5 steps are a whole number too.
        tree[key] = int(value) if isinstance(value, float) and value.is_integer() else value
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(f"override {override!r}: not a YAML value: {' '.join(str(error).split())}") from None
