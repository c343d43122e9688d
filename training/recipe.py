"""A recipe: everything that decides what a family of checkpoints becomes, in one YAML file.

Unknown keys, wrong types and impossible values are errors that name the file, the key and the value, since a
misspelt learning rate that is silently ignored costs a night. The resolved recipe is stored in every stage.json.
"""

import copy
import re
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from common.yaml_files import YamlError, read_yaml

NUMBER = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
RECIPES = Path(__file__).parent / "recipes"
OLDER = {"data.families": "data.tasks"}  # spellings of before that are still read


class RecipeError(ValueError):
    """A recipe that cannot be used: says which file, which key and what would do."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


KINDS = ("stories", "forms", "explanations", "passages", "questions", "statements", "games", "talk", "glosses")


class Outside(_Section):
    """A Hugging Face dataset (its name on the Hub or a local file) in place of generated text."""

    path: str
    name: str | None = None
    split: str = "train"
    column: str = "text"


class Data(_Section):
    """Which text, in which shares.

    mixture: the weight of each kind of document in pretraining. examples: prompt-response pairs to finetune on.
    tasks: the names of the tasks used, all where empty. words: about so many words of the lexicon, plots: as many
    plots of stories, all of them where None.
    text, chats: somebody else's documents and conversations in place of ours.
    """

    mixture: dict[str, float]
    examples: int = Field(gt=0)
    tasks: tuple[str, ...] = ()
    words: int | None = Field(default=None, ge=200)
    plots: int | None = Field(default=None, gt=0)
    small_talk: bool = True
    text: Outside | None = None
    chats: Outside | None = None

    @field_validator("tasks", mode="before")
    @classmethod
    def _list_is_a_tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("mixture")
    @classmethod
    def _kinds_are_known(cls, mixture: dict[str, float]) -> dict[str, float]:
        for kind, share in mixture.items():
            if kind not in KINDS:
                raise ValueError(f"unknown kind of text {kind!r}: use some of {', '.join(KINDS)}")
            if share < 0:
                raise ValueError(f"the share of {kind} is {share}: give 0 or more")
        if not sum(mixture.values()):
            raise ValueError("the shares are all 0: give one kind of text a share")
        return mixture


class Tokenizer(_Section):
    """Byte-level BPE; vocab_size counts the 256 bytes and the special tokens too."""

    vocab_size: int = Field(ge=300)


class Model(_Section):
    """The shape of a Llama model. context is in tokens. start: begin from this checkpoint (a folder or a Hub name).

    window: how many tokens back, its own included, every other layer sees, beginning with the first; the whole context
    where None. A layer that sees its neighbour alone gives a small model what attention to earlier text is built from.
    With start the shape is the start's own and so is the tokenizer; only context is used.
    """

    hidden_size: int = Field(default=0, ge=0)
    layers: int = Field(default=0, ge=0)
    heads: int = Field(default=0, ge=0)
    mlp_size: int = Field(default=0, ge=0)
    context: int = Field(ge=32)
    window: int | None = Field(default=None, ge=2)
    start: str | None = None

    @model_validator(mode="after")
    def _heads_divide_hidden_size(self) -> Self:
        if self.start:
            return self
        for key in ("hidden_size", "layers", "heads", "mlp_size"):
            if getattr(self, key) == 0:
                raise ValueError(f"{key} is 0: give the model a shape, or a start")
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not a multiple of heads {self.heads}")
        if self.hidden_size // self.heads % 2:
            raise ValueError(f"hidden_size / heads is {self.hidden_size // self.heads}: rotary positions need it even")
        return self


class Lora(_Section):
    """Low-rank adapters in place of all weights (Hu et al., 2022, arXiv:2106.09685), merged when the stage is done."""

    rank: int = Field(default=8, gt=0)
    alpha: int = Field(default=16, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class Training(_Section):
    """What every stage that learns from rows has. batch is a step's, which goes through in accumulate parts."""

    batch: int = Field(gt=0)
    accumulate: int = Field(default=1, gt=0)
    learning_rate: float = Field(gt=0)
    warmup: float = Field(default=0.05, ge=0, lt=1)
    compile: bool = False

    @model_validator(mode="after")
    def _batch_divides(self) -> Self:
        if self.batch % self.accumulate:
            raise ValueError(f"batch {self.batch} does not part into accumulate {self.accumulate}: make it a multiple")
        return self


class Pretrain(Training):
    """tokens is the number trained on, delimiters included; batch is in rows of one context each."""

    tokens: int = Field(gt=0)


class Finetune(Training):
    """Supervised finetuning: epochs over the prompt-response examples."""

    epochs: float = Field(gt=0)
    lora: Lora | None = None


class Pairs(_Section):
    """First preference pairs: samples replies of the SFT model to each of so many prompts, judged by synthetic voters.

    noise: the rubric points (of 100) per nat of the voters' doubt; 0 is none. degenerate_share and near_miss_share: how
    many pairs with a broken reply, and with a near miss, are added for each sampled one. broken: how many more of the
    first kind are added, of problems drawn for them alone. margin: by how much a broken reply has to score less.
    """

    prompts: int = Field(gt=0)
    samples: int = Field(ge=2)
    temperature: float = Field(gt=0)
    max_reply_tokens: int = Field(gt=0)
    degenerate_share: float = Field(ge=0, lt=1)
    near_miss_share: float = Field(default=0.0, ge=0)
    broken: int = Field(default=0, ge=0)
    margin: float = Field(default=4.0, ge=0)
    noise: float = Field(default=4.0, ge=0)


class Reward(Training):
    """Reward model: epochs over the pairs, before which come as many over the near misses alone.

    finish: epochs at the end over pairs of two sampled replies and half as many of those with a side made by rule; none
    where there are no such. centre: the weight that keeps the scores around zero.
    """

    epochs: float = Field(gt=0)
    finish: float = Field(default=0.0, ge=0)
    centre: float = Field(ge=0)
    lora: Lora | None = None


class Reinforce(_Section):
    """GRPO or RLOO: steps of prompts_per_step * replies_per_prompt replies; DPO: steps of as many pairs.

    beta weighs the KL to the SFT model. snapshots: how many checkpoints on the way are judged, the best of which stays.
    """

    algorithm: Literal["grpo", "rloo", "dpo"] = "grpo"
    steps: int = Field(gt=0)
    prompts_per_step: int = Field(gt=0)
    replies_per_prompt: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    beta: float = Field(ge=0)
    temperature: float = Field(gt=0)
    max_reply_tokens: int = Field(gt=0)
    unfinished_penalty: float = Field(ge=0)
    snapshots: int = Field(default=1, gt=0)
    lora: Lora | None = None


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
            raise RecipeError(f"{origin}: unknown key {key!r}: remove it or mend its spelling") from None
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
