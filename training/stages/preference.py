"""Learning from preference pairs directly, without samples and without the reward model's scores.

DPO: Rafailov et al. (2023), arXiv:2305.18290. A further trainer over the same pairs is a row of TRAINERS.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from trl import DPOConfig, DPOTrainer

from training.data.preferences import read_pairs
from training.recipe import Recipe
from training.runs.checkpoint import CheckpointError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


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
    train, _ = read_pairs(pairs)
    rows = [{key: row[key] for key in ("prompt", "chosen", "rejected")} for row in train]
    config, trainer = TRAINERS[algorithm]
    return trainer(
        model=policy,
        processing_class=tokenizer,
        args=config(**arguments, max_length=recipe.model.context),
        train_dataset=Dataset.from_list(rows),
        **parts,
    )
