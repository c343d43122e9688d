"""Learning from preference pairs directly, without sampling and without a reward model's score on the way.

DPO: Rafailov et al. (2023), arXiv:2305.18290. Other losses over the same pairs belong here too.
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


def make_dpo_trainer(
    recipe: Recipe,
    policy: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    pairs: Path | None,
    arguments: dict[str, Any],
    parts: dict[str, Any],
) -> Any:
    """Return TRL's trainer for rl.algorithm dpo. arguments: of its config; parts: of the trainer itself.

    Raises:
        CheckpointError: no folder of pairs is given.
        PairsError: the folder's files cannot be used.
    """
    if pairs is None:
        raise CheckpointError("rl.algorithm dpo learns from preference pairs: pass --pairs with their folder")
    train, _ = read_pairs(pairs)
    rows = [{key: row[key] for key in ("prompt", "chosen", "rejected")} for row in train]
    return DPOTrainer(
        model=policy,
        processing_class=tokenizer,
        args=DPOConfig(**arguments, max_length=recipe.model.context),
        train_dataset=Dataset.from_list(rows),
        **parts,
    )
