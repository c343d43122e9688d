"""Reward modelling: a model learns to score replies from pairs in which one was preferred (TRL's RewardTrainer).

The loss is Bradley-Terry's: -log sigma(score of the chosen - score of the rejected), plus a small pull of the scores
towards zero. Reference: Ouyang et al. (2022), arXiv:2203.02155, section 3.5; centring: Eisenstein et al. (2023),
arXiv:2312.09244. Scores are divided by one temperature, fitted on pairs that were kept from training, so that
sigma(difference) is the chance that a voter agrees (Guo et al., 2017, arXiv:1706.04599, section 4.2).
"""

import math
import zlib
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from datasets import Dataset
from trl import RewardConfig, RewardTrainer

from common.weights import hash_files
from training.data.preferences import PairsError, note_pairs, read_pairs
from training.evaluate.rewards import fits_context, is_made, measure_pairs, score_gaps
from training.runs import distributed
from training.runs.arguments import learning_arguments, lora_config, saver, train_quietly, whole_model
from training.runs.batching import deal, rows_at_once
from training.runs.callbacks import ProgressBar
from training.runs.checkpoint import require_parent, write_stage
from training.runs.job import Job
from training.runs.loading import load_reward_model, load_tokenizer
from training.runs.resources import require_room
from training.runs.work import open_work
from training.sections import Reward
from training.stages import RLHF

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

VALIDATED = 256
SIDES = ("chosen", "rejected")
CALIBRATION = 10  # one prompt in ten is kept from training, to fit the temperature on
CALIBRATION_PAIRS = 100  # fewer are no use: all are trained on then, and scores stay as they are


def run_reward(job: Job) -> dict[str, float]:
    """Train a reward model from the SFT model in job.parent on the pairs in job.pairs; report held-out figures.

    Pairs longer than the context are left out and counted, since the trainer would drop them silently.
    """
    assert job.parent is not None
    assert job.pairs is not None
    require_parent(job, RLHF)
    recipe, settings = job.recipe, job.recipe.reward
    pairs = read_pairs(job.pairs)
    train, test = pairs.train, pairs.test
    note_pairs(pairs)
    tokenizer = load_tokenizer(job.parent)
    model = load_reward_model(job.parent, to_train=True)
    model.config.pad_token_id = tokenizer.pad_token_id
    context = min(recipe.model.context, model.config.max_position_embeddings)
    fitting = [row for row in train if fits_context(row, tokenizer, context)]
    measured = [row for row in test if fits_context(row, tokenizer, context)]
    if not fitting or not measured:
        raise PairsError(f"{job.pairs}: no pair fits the model's context of {context} tokens: shorten the replies")
    fitting, calibrating = split_calibration(fitting)
    batch_tokens = 2 * rows_at_once(settings) * context
    require_room(job, parameters=model.num_parameters(), batch_tokens=batch_tokens, vocabulary=1)
    folder = open_work(job)
    dealt = order_pairs(fitting, settings, Random(f"{recipe.seed}/deal"))
    arguments = RewardConfig(
        **learning_arguments(recipe, settings, folder, steps=len(dealt) // settings.batch)
        | {"lr_scheduler_type": "linear"},  # a cosine would be almost zero by the last pairs
        num_train_epochs=1,  # all epochs are among the dealt pairs
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
    if not distributed.is_first():
        return {}
    temperature = calibrate(model, tokenizer, calibrating)
    heldout = measure_pairs(model, tokenizer, measured) | {
        "temperature": round(temperature, 4),
        "pairs": float(len(fitting)),
        "left_out": float(pairs.left_out.total()),
        "too_long": float(len(train) + len(test) - len(fitting) - len(calibrating) - len(measured)),
    }

    write_stage(
        job,
        saver(model, tokenizer),
        fingerprint=hash_files(pairs.files),
        tokens=tokens,
        heldout=heldout,
        history=history,
    )
    return heldout


def order_pairs(rows: list[dict[str, Any]], settings: Reward, rng: Random) -> list[dict[str, Any]]:
    """Return pairs in the order of training, in whole batches: first the near misses, then all pairs, theirs included.

    In every other pair something is easier to see than what is true, and a model that has learnt to go by that may
    never learn the rest. Among near misses there is nothing else to learn (Bengio et al., 2009, "Curriculum learning").
    Pairs of two sampled replies are what the model is for, but fewer than those made by rule, so they come once more at
    the end, with a few of the others so that those are not forgotten.
    """
    near = [row for row in rows if row.get("near_miss")]
    made = [row for row in rows if is_made(row)]
    sampled = [row for row in rows if not is_made(row)]
    last = sampled + rng.sample(made, min(len(made), len(sampled) // 2)) if made else []
    parts = [(near, settings.epochs), (rows, settings.epochs), (last, settings.finish)]
    return [
        row for part, epochs in parts if part and epochs for row in deal(part, settings.batch, epochs, rng, _length)
    ]


def split_calibration(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Split pairs into those to train on and those to fit the temperature on, by a hash of the prompt."""
    about = [(row["prompt"] or row["chosen"])[-1]["content"] for row in rows]
    kept = [zlib.crc32(text.encode()) % CALIBRATION == 0 for text in about]
    if not CALIBRATION_PAIRS <= sum(kept) < len(rows):
        return rows, []
    return (
        [row for row, is_kept in zip(rows, kept, strict=True) if not is_kept],
        [row for row, is_kept in zip(rows, kept, strict=True) if is_kept],
    )


@torch.no_grad()
def calibrate(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", rows: list[dict[str, Any]]) -> float:
    """Divide a model's scores by the temperature that fits the pairs best, and return it; 1.0 where there are none."""
    if not rows or not hasattr(model, "score"):  # as transformers names the head of a language model turned judge
        return 1.0
    temperature = fit_temperature(score_gaps(model, tokenizer, rows))
    model.score.weight /= temperature
    return temperature


def fit_temperature(gaps: list[float]) -> float:
    """Return the divisor of score differences with the least mean negative log-likelihood, 0.05 to 20."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        scaled = np.array(gaps) / math.exp(log_temperature)
        return float(np.logaddexp(0.0, -scaled).mean())

    fitted = minimize_scalar(loss, bounds=(math.log(0.05), math.log(20.0)), method="bounded")
    return math.exp(float(fitted.x))


def _sides(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("prompt", *SIDES, "margin") if key in row}


def _length(row: dict[str, Any]) -> int:
    prompt, *sides = (sum(len(message["content"]) for message in row[key]) for key in ("prompt", *SIDES))
    return prompt + max(sides)
