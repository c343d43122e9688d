"""A small corpus, its tokenizer, random models and checkpoint folders; nothing here is trained."""

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from training.data.corpus import Corpus
from training.recipe import Recipe, load_recipe
from training.runs.checkpoint import write_stage
from training.runs.job import Job
from training.stages import STAGES

SMALL = (
    "data.examples=300",
    "tokenizer.vocab_size=400",
    "model.hidden_size=32",
    "model.layers=2",
    "model.heads=2",
    "model.mlp_size=64",
    "model.context=96",
    "pairs.max_reply_tokens=16",
    "rl.max_reply_tokens=8",
)

MakeModel = Callable[..., Any]
MakeCheckpoint = Callable[..., Path]
MakePairs = Callable[..., Path]


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return load_recipe("nano", list(SMALL))


@pytest.fixture(scope="session")
def corpus(recipe: Recipe) -> Corpus:
    return Corpus(recipe.data, recipe.seed)


@pytest.fixture(scope="session")
def documents(corpus: Corpus) -> list[str]:
    """The first documents of the corpus."""
    return list(islice(corpus.documents(), 400))


@pytest.fixture(scope="session")
def tokenizer(recipe: Recipe, documents: list[str]) -> Any:
    """The corpus' tokenizer with the chat template, as SFT leaves it."""
    from training.stages.tokenizer import CHAT_TEMPLATE, REPLY_END, train_tokenizer

    tokenizer = train_tokenizer(documents, recipe.tokenizer.vocab_size, recipe.model.context)
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.eos_token = REPLY_END
    return tokenizer


@pytest.fixture(scope="session")
def make_model(recipe: Recipe, tokenizer: Any) -> MakeModel:
    """Return a function that makes a random language model; the larger its scale, the surer it is of each token."""
    import torch

    from training.stages.pretrain import new_model

    def make(seed: int = 0, scale: float = 1.0) -> Any:
        model = new_model(recipe.model_copy(update={"seed": seed}), tokenizer)
        with torch.no_grad():
            for weights in model.parameters():
                weights.mul_(scale)
        model.generation_config.eos_token_id = [tokenizer.eos_token_id]
        return model.eval()

    return make


@pytest.fixture
def make_checkpoint(tmp_path: Path, recipe: Recipe) -> MakeCheckpoint:
    """Return a function that writes a finished checkpoint of a stage, with one file in place of its weights."""

    def make(stage: str, name: str = "", save: Callable[[Path], None] | None = None, **changes: Any) -> Path:
        out = tmp_path / (name or stage)
        [found] = [one for one in STAGES if one.name == stage]
        job = Job(found, out, changes.pop("recipe", recipe), **changes)
        write_stage(job, save or _write_weights, fingerprint="sha256:0", tokens=1, heldout={"loss": 1.0})
        return out

    return make


@pytest.fixture
def make_pairs_folder(tmp_path: Path) -> MakePairs:
    """Return a function that writes train.jsonl and test.jsonl; a line is a row, or text as it stands."""

    def make(train: list[Any], test: list[Any], name: str = "votes") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file, rows in (("train.jsonl", train), ("test.jsonl", test)):
            lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
            (folder / file).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return folder

    return make


def _write_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weights")


@pytest.fixture(scope="session")
def whole() -> Corpus:
    """The corpus of the family that ships."""
    return Corpus(load_recipe("demo").data, 0)


@pytest.fixture(scope="session")
def judge(tokenizer: Any, recipe: Recipe) -> Any:
    """A random reward model. Only read it."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=recipe.model.context,
        pad_token_id=tokenizer.pad_token_id,
        num_labels=1,
        initializer_range=0.5,
    )
    return LlamaForSequenceClassification(config)
