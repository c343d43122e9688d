"""Learning from preference pairs directly, without samples and without the reward model's scores.

DPO: Rafailov et al. (2023), arXiv:2305.18290. A further trainer over the same pairs is a row of TRAINERS.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from trl import DPOConfig, DPOTrainer

from training.data.preferences import PairsError, note_pairs, read_pairs
from training.evaluate.rewards import fits_context
from training.recipe import Recipe
from training.runs.checkpoint import CheckpointError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


NO_PROMPT = "without a prompt"
TOO_LONG = "too long"

TRAINERS = {"dpo": (DPOConfig, DPOTrainer)}


def make_preference_trainer(
    recipe: Recipe,
    policy: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    pairs: Path | None,
    arguments: dict[str, Any],
    parts: dict[str, Any],
) -> Any:
    """Return TRL's trainer for one of TRAINERS. arguments: of its config; parts: of the trainer itself.

    Raises:
        CheckpointError: no folder of pairs is given.
        PairsError: the folder's files cannot be used.
    """
    algorithm = recipe.rl.algorithm
    if pairs is None:
        raise CheckpointError(f"rl.algorithm {algorithm} learns from preference pairs: pass --pairs with their folder")
    found = read_pairs(pairs)
    context = recipe.model.context
    fitting = [[_sides(row) for row in rows if row["prompt"]] for rows in (found.train, found.test)]
    found.left_out[NO_PROMPT] += len(found.train) + len(found.test) - sum(map(len, fitting))
    kept = [[row for row in rows if fits_context(row, tokenizer, context)] for rows in fitting]
    found.left_out[TOO_LONG] += sum(map(len, fitting)) - sum(map(len, kept))
    found.left_out = +found.left_out  # without zeros
    note_pairs(found)
    if not all(kept):
        raise PairsError(f"{pairs}: no pair with a prompt fits the context of {context} tokens: shorten the replies")
    config, trainer = TRAINERS[algorithm]
    return trainer(
        model=policy,
        processing_class=tokenizer,
        args=config(**arguments, max_length=context),
        train_dataset=Dataset.from_list(kept[0]),
        eval_dataset=Dataset.from_list(kept[1]),
        **parts,
    )


def measure_preference(trainer: Any) -> dict[str, float]:
    """Return how the policy at the end of training does on the test pairs.

    That is its loss and, where the trainer orders pairs, the share that its implicit reward (their equation 6) orders
    as they were preferred.
    """
    figures = trainer.evaluate()
    named = {"pair_accuracy": "eval_rewards/accuracies", "pair_loss": "eval_loss"}
    found = {name: round(float(figures[key]), 4) for name, key in named.items() if key in figures}
    return found | {"heldout_pairs": float(len(trainer.eval_dataset))}


def _sides(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("prompt", "chosen", "rejected")}
