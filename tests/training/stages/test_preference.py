"""DPO learns from the pairs it is given, and from nothing else."""

from pathlib import Path
from typing import Any

import pytest

from training.data.preferences import PairsError
from training.recipe import Recipe
from training.runs.checkpoint import CheckpointError
from training.stages.preference import make_dpo_trainer

NOTHING: Any = None


def test_dpo_without_pairs_is_refused_before_anything_is_made(recipe: Recipe) -> None:
    with pytest.raises(CheckpointError, match="pass --pairs with their folder"):
        make_dpo_trainer(recipe, NOTHING, NOTHING, None, {}, {})


def test_dpo_with_a_folder_without_pairs_names_the_file(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(PairsError, match=r"train\.jsonl is missing"):
        make_dpo_trainer(recipe, NOTHING, NOTHING, tmp_path, {}, {})
