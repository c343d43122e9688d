"""Pretraining: documents, packed into rows, make a base model that continues documents.

Documents are joined with a delimiter after each and cut into rows (N, T) of exactly one context, so no position is
padding. A row may hold the end of one document and the start of the next; the delimiter tells the model so.
The loop is transformers' Trainer.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from datasets import Dataset
from transformers import AutoTokenizer, GenerationConfig, LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

from training.checkpoint import CheckpointError, Job, require_parent, write_stage
from training.data.corpus import build_corpus
from training.trainer import ProgressBar, bits_per_byte, common_arguments, train_quietly

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def pack(documents: list[list[int]], delimiter: int, context: int) -> np.ndarray:
    """Join tokenized documents with the delimiter after each and cut them into rows (N, context) of int64.

    The last tokens that do not fill a row are dropped.

    Raises:
        CheckpointError: the documents together do not fill one row.
    """
    stream = np.array([token for document in documents for token in (*document, delimiter)], dtype=np.int64)
    rows = len(stream) // context
    if rows == 0:
        raise CheckpointError(f"{len(stream)} tokens of text do not fill one row of {context}: add text")
    return stream[: rows * context].reshape(rows, context)  # (N, T)


def new_model(job: Job, tokenizer: "PreTrainedTokenizerFast") -> LlamaForCausalLM:
    """Make a randomly initialised Llama of the recipe's shape, its ends and padding set to the tokenizer's."""
    shape = job.recipe.model
    torch.manual_seed(job.recipe.seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=shape.hidden_size,
            intermediate_size=shape.mlp_size,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.heads,
            max_position_embeddings=shape.context,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    return model


def run_pretrain(job: Job) -> dict[str, float]:
    """Pretrain from the tokenizer in job.parent; report bits per byte on held-out documents."""
    assert job.parent is not None
    require_parent(job.parent, ("tokenizer",))
    recipe, settings = job.recipe, job.recipe.pretrain
    tokenizer = AutoTokenizer.from_pretrained(job.parent)
    corpus = build_corpus(recipe.data, recipe.seed)
    rows = pack(tokenizer(corpus.documents)["input_ids"], tokenizer.eos_token_id, recipe.model.context)
    tokens_per_step = settings.batch * recipe.model.context
    steps = max(1, settings.tokens // tokens_per_step)
    model = new_model(job, tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            **common_arguments(recipe, folder),
            max_steps=steps,
            per_device_train_batch_size=settings.batch,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=settings.warmup,
            weight_decay=0.1,
            adam_beta2=0.95,
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_dict({"input_ids": rows, "labels": rows}).with_format("torch"),
            callbacks=[ProgressBar("pretrain", tokens_per_step)],
        )
        train_quietly(trainer)
    heldout = {"bits_per_byte": round(measure_bits_per_byte(model, tokenizer, corpus.heldout_documents), 4)}

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    write_stage(job, save, fingerprint=corpus.fingerprint, tokens=steps * tokens_per_step, heldout=heldout)
    return heldout


@torch.no_grad()
def measure_bits_per_byte(model: LlamaForCausalLM, tokenizer: "PreTrainedTokenizerFast", documents: list[str]) -> float:
    """Return bits per byte over documents, each read alone after a delimiter and cut at the model's context."""
    model.eval()
    nats, size = 0.0, 0
    for text in documents:
        ids = [tokenizer.eos_token_id, *tokenizer(text)["input_ids"]][: model.config.max_position_embeddings]
        row = torch.tensor([ids], device=model.device)  # (1, T)
        nats += model(input_ids=row, labels=row).loss.item() * (len(ids) - 1)
        size += len(tokenizer.decode(ids[1:]).encode())
    return bits_per_byte(nats, size)
