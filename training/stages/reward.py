"""Reward modelling: a model that scores a reply, learnt from pairs in which one was preferred (TRL's RewardTrainer).

The loss is Bradley-Terry's: -log sigma(score of the chosen - score of the rejected), plus a small pull of the scores
towards zero. Reference: Ouyang et al. (2022), arXiv:2203.02155, section 3.5; centring: Eisenstein et al. (2023),
arXiv:2312.09244. Scores are divided by one temperature, fitted on pairs that were kept from training, so that
sigma(difference) is the chance that a voter agrees (Guo et al., 2017, arXiv:1706.04599, section 4.2).
"""

import math
import zlib
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl import RewardConfig, RewardTrainer

from training.data.preferences import PairsError, read_pairs
from training.recipe import Reward
from training.runs import distributed as processes
from training.runs.arguments import (
    deal,
    learning_arguments,
    lora_config,
    rows_at_once,
    saver,
    train_quietly,
    whole_model,
)
from training.runs.callbacks import ProgressBar
from training.runs.checkpoint import Job, hash_files, open_work, require_parent, require_room, write_stage

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

Conversation = list[dict[str, str]]
BATCH = 64
VALIDATED = 256
BINS = 10
CALIBRATION = 10  # one prompt in so many is kept from training, to fit the temperature on
CALIBRATION_PAIRS = 100  # fewer tell nothing: all are trained on and scores stay as they are
MADE = ("degenerate", "near_miss")  # marks of pairs whose worse side was made by rule


def run_reward(job: Job, pairs: Path) -> dict[str, float]:
    """Train a reward model from the SFT model in job.parent on a folder of pairs; report held-out figures.

    Pairs longer than the context are left out and counted, since the trainer would drop them without a word.
    """
    assert job.parent is not None
    require_parent(job.parent, ("sft",))
    recipe, settings = job.recipe, job.recipe.reward
    train, test = read_pairs(pairs)
    tokenizer = AutoTokenizer.from_pretrained(job.parent)
    model = AutoModelForSequenceClassification.from_pretrained(job.parent, num_labels=1, dtype=torch.float32)
    model.config.pad_token_id = tokenizer.pad_token_id
    context = model.config.max_position_embeddings
    fitting = [row for row in train if _fits(row, tokenizer, context)]
    measured = [row for row in test if _fits(row, tokenizer, context)]
    if not fitting or not measured:
        raise PairsError(f"{pairs}: no pair fits the model's context of {context} tokens: shorten the replies")
    fitting, calibrating = split_calibration(fitting)
    batch_tokens = 2 * rows_at_once(settings) * context
    require_room(job, parameters=model.num_parameters(), batch_tokens=batch_tokens, vocabulary=1)
    folder = open_work(job)
    dealt = order_pairs(fitting, settings, Random(f"{recipe.seed}/deal"))
    arguments = RewardConfig(
        **learning_arguments(recipe, settings, folder, steps=len(dealt) // settings.batch)
        | {"lr_scheduler_type": "linear"},  # a cosine is all but nothing where the last pairs come
        num_train_epochs=1,  # the epochs are in the order of the pairs
        train_sampling_strategy="sequential",
        max_length=context,
        center_rewards_coefficient=settings.centre or None,
    )
    trainer = RewardTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list([_sides(row) for row in dealt]),
        eval_dataset=Dataset.from_list([_sides(row) for row in measured[:VALIDATED]]),
        processing_class=tokenizer,
        peft_config=lora_config(settings.lora, "SEQ_CLS"),
        callbacks=[ProgressBar("reward")],
    )
    history = train_quietly(trainer, job)
    tokens = int(trainer.state.num_input_tokens_seen)
    model = whole_model(trainer)
    if not processes.is_first():
        return {}
    temperature = 1.0
    if calibrating and hasattr(model, "score"):  # as transformers names the head of a model that writes
        temperature = fit_temperature(score_gaps(model, tokenizer, calibrating))
        with torch.no_grad():
            model.score.weight /= temperature
    heldout = measure_pairs(model, tokenizer, measured)
    heldout["temperature"] = round(temperature, 4)
    heldout["pairs"] = float(len(fitting))
    heldout["too_long"] = float(len(train) + len(test) - len(fitting) - len(calibrating) - len(measured))

    files = [pairs / "train.jsonl", pairs / "test.jsonl"]
    write_stage(
        job, saver(model, tokenizer), fingerprint=hash_files(files), tokens=tokens, heldout=heldout, history=history
    )
    return heldout


def order_pairs(rows: list[dict[str, Any]], settings: Reward, rng: Random) -> list[dict[str, Any]]:
    """Return pairs in the order of training, in whole batches: the near misses first, then all, near misses as well.

    In any other pair much is easier to see than what is true, and a model that has learnt to see that may never learn
    the rest. Where near misses come first there is nothing else to learn (Bengio et al., 2009, "Curriculum learning").
    Pairs made by rule outnumber those of two sampled replies, which a model is for: these come once more at the end,
    beside so few of the others that none is forgotten.
    """
    near = [row for row in rows if row.get("near_miss")]
    made = [row for row in rows if _is_made(row)]
    sampled = [row for row in rows if not _is_made(row)]
    last = sampled + rng.sample(made, min(len(made), len(sampled) // 2)) if made else []
    parts = [(near, settings.epochs), (rows, settings.epochs), (last, settings.finish)]
    return [
        row for part, epochs in parts if part and epochs for row in deal(part, settings.batch, epochs, rng, _length)
    ]


@torch.no_grad()
def score_conversations(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", conversations: list[Conversation]
) -> list[float]:
    """Return the reward model's score of each conversation (its last turn, in the context of the others)."""
    model.eval()
    texts = [tokenizer.apply_chat_template(c, tokenize=False) for c in conversations]
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # alike in length, or most of a batch is padding
    scores = [0.0] * len(texts)
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        inputs = tokenizer([texts[i] for i in batch], return_tensors="pt", padding=True, padding_side="right")
        for i, score in zip(batch, model(**inputs.to(model.device)).logits[:, 0].float().tolist(), strict=True):
            scores[i] = score
    return scores


def score_gaps(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", rows: list[dict[str, Any]]
) -> list[float]:
    """Return each pair's score of the chosen side minus that of the rejected."""
    chosen = score_conversations(model, tokenizer, [row["prompt"] + row["chosen"] for row in rows])
    rejected = score_conversations(model, tokenizer, [row["prompt"] + row["rejected"] for row in rows])
    return [c - r for c, r in zip(chosen, rejected, strict=True)]


def split_calibration(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Part pairs into those to train on and those to fit the temperature on, by a hash of the prompt."""
    kept = [zlib.crc32(row["prompt"][-1]["content"].encode()) % CALIBRATION == 0 for row in rows]
    if not CALIBRATION_PAIRS <= sum(kept) < len(rows):
        return rows, []
    return (
        [row for row, is_kept in zip(rows, kept, strict=True) if not is_kept],
        [row for row, is_kept in zip(rows, kept, strict=True) if is_kept],
    )


def fit_temperature(gaps: list[float]) -> float:
    """Return the divisor of score differences with the least mean negative log-likelihood, 0.05 to 20."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        scaled = np.array(gaps) / math.exp(log_temperature)
        return float(np.logaddexp(0.0, -scaled).mean())

    found = minimize_scalar(loss, bounds=(math.log(0.05), math.log(20.0)), method="bounded")
    return math.exp(float(found.x))


def measure_pairs(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", rows: list[dict[str, Any]]
) -> dict[str, float]:
    """Return accuracy (equal scores count half) and mean negative log-likelihood (nats) over held-out pairs.

    Where pairs say so, also the accuracy over those of two sampled replies whose vote the rubric agrees with, and over
    those with a broken reply and those with a near miss alone.
    """
    gaps = score_gaps(model, tokenizer, rows)
    nats = sum(max(-gap, 0.0) + math.log1p(math.exp(-abs(gap))) for gap in gaps)
    figures = {
        "pair_accuracy": round(accuracy_of(gaps), 4),
        "negative_log_likelihood": round(nats / len(gaps), 4),
        "calibration_error": round(calibration_error(gaps), 4),
        "heldout_pairs": float(len(gaps)),
    }
    both = list(zip(gaps, rows, strict=True))
    clear = [gap for gap, row in both if row.get("noise_free", False) and not _is_made(row)]
    parts = {"noise_free_accuracy": clear}
    for mark in MADE:
        parts[f"{mark}_accuracy"] = [gap for gap, row in both if row.get(mark, False)]
    return figures | {name: round(accuracy_of(part), 4) for name, part in parts.items() if part}


def accuracy_of(gaps: list[float]) -> float:
    """Return the share of pairs whose chosen side scores higher; equal scores count half."""
    return sum(1.0 if gap > 0 else 0.5 if gap == 0 else 0.0 for gap in gaps) / len(gaps)


def calibration_error(gaps: list[float]) -> float:
    """Return the expected calibration error of sigma(difference) over ten bins of confidence, 0.5 to 1.

    The model says which side is better with confidence sigma(abs(gap)); in each bin that is held against how often it
    was right (Guo et al., 2017, arXiv:1706.04599, equation 5).
    """
    confidences = [1.0 / (1.0 + math.exp(-min(abs(gap), 30.0))) for gap in gaps]
    total = 0.0
    for i in range(BINS):
        low, high = 0.5 + 0.5 * i / BINS, 0.5 + 0.5 * (i + 1) / BINS
        inside = [j for j, c in enumerate(confidences) if low <= c < high or (i == BINS - 1 and c >= high)]
        if inside:
            right = accuracy_of([gaps[j] for j in inside])
            total += abs(right - sum(confidences[j] for j in inside) / len(inside)) * len(inside)
    return total / len(gaps)


def _is_made(row: dict[str, Any]) -> bool:
    return any(row.get(mark, False) for mark in MADE)


def _sides(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("prompt", "chosen", "rejected", "margin") if key in row}


def _length(row: dict[str, Any]) -> int:
    said = [sum(len(message["content"]) for message in row[key]) for key in ("prompt", "chosen", "rejected")]
    return said[0] + max(said[1:])


def _fits(row: dict[str, Any], tokenizer: "PreTrainedTokenizerFast", context: int) -> bool:
    sides = (row["prompt"] + row[side] for side in ("chosen", "rejected"))
    texts = [tokenizer.apply_chat_template(side, tokenize=False) for side in sides]
    return all(len(ids) <= context for ids in tokenizer(texts)["input_ids"])
