"""The sections of a recipe: their keys, their defaults and which values are possible."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Section(BaseModel):
    """A section: unknown keys are errors, values are not converted, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


KINDS = ("stories", "forms", "explanations", "passages", "questions", "statements", "games", "talk", "glosses")


class Outside(Section):
    """A Hugging Face dataset (a name on the Hub, or a local file) in place of generated text."""

    path: str
    name: str | None = None
    split: str = "train"
    column: str = "text"


class Data(Section):
    """Which text, in which shares.

    mixture: the weight of each kind of document in pretraining. examples: how many prompt-response pairs to finetune
    on. tasks: the names of the tasks to use; all where empty. words: about how many words of the lexicon to use, and
    plots: how many plots of stories; all where None. small_talk: whether chatterbot's conversations are among the text.
    text, chats: other people's documents and conversations in place of the generated ones.
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


class Tokenizer(Section):
    """Byte-level BPE; vocab_size counts the 256 bytes and the special tokens too."""

    vocab_size: int = Field(ge=300)


class Model(Section):
    """The shape of a Llama model. context: in tokens. start: a checkpoint to begin from (a folder or a Hub name).

    window: how many tokens every other layer attends to, the current one included, beginning with the first layer; the
    whole context where None. A layer that attends only to the token before gives a small model what it needs to learn
    to look up earlier text. With start, shape and tokenizer are the start's own, and only context is used.
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


class Lora(Section):
    """Low-rank adapters trained in place of all weights (Hu et al., 2022, arXiv:2106.09685), merged at the end."""

    rank: int = Field(default=8, gt=0)
    alpha: int = Field(default=16, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class Training(Section):
    """The settings of a stage that learns from rows. batch: rows per step, taken in ``accumulate`` parts."""

    batch: int = Field(gt=0)
    accumulate: int = Field(default=1, gt=0)
    learning_rate: float = Field(gt=0)
    warmup: float = Field(default=0.05, ge=0, lt=1)
    compile: bool = False

    @model_validator(mode="after")
    def _batch_divides(self) -> Self:
        if self.batch % self.accumulate:
            raise ValueError(f"batch {self.batch} is not a multiple of accumulate {self.accumulate}: make it one")
        return self


class Pretrain(Training):
    """Pretraining. tokens: how many to train on, delimiters included. batch: in rows of one context each."""

    tokens: int = Field(gt=0)


class Finetune(Training):
    """Supervised finetuning: epochs over the prompt-response examples."""

    epochs: float = Field(gt=0)
    lora: Lora | None = None


class Pairs(Section):
    """First preference pairs: the SFT model's replies to prompts, ``samples`` to each, judged by synthetic voters.

    noise: the scale of the voters' doubt, in points of the rubric (of 100); 0 is none. degenerate_share,
    near_miss_share: how many pairs with a broken reply, and with a near miss, are added per pair of sampled replies.
    broken: how many more pairs with a broken reply are added, made from problems drawn for the purpose. margin: by how
    much a broken reply has to score less.
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
    """Reward model: ``epochs`` over the near misses, then as many over all pairs.

    finish: epochs at the end over the pairs of two sampled replies, and half as many of the pairs with a side made by
    rule; skipped where there are none of the latter. centre: weight of the term that keeps scores around zero.
    """

    epochs: float = Field(gt=0)
    finish: float = Field(default=0.0, ge=0)
    centre: float = Field(ge=0)
    lora: Lora | None = None


class Reinforce(Section):
    """RLHF. A step takes prompts_per_step * replies_per_prompt replies (GRPO, RLOO) or as many pairs (DPO).

    beta: weight of the KL to the SFT model. snapshots: how many checkpoints along the way are judged; the best is kept.
    unfinished_penalty: reward taken from a reply that does not end.
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
