"""DPO learns from the pairs that it is given."""

from pathlib import Path
from typing import Any, get_args

import pytest

from training.data.preferences import PairsError
from training.recipe import Recipe, load_recipe
from training.runs.checkpoint import CheckpointError
from training.sections import Reinforce
from training.stages import preference, rl
from training.stages.preference import make_preference_trainer

NOTHING: Any = None


@pytest.fixture
def dpo() -> Recipe:
    return load_recipe("nano", ["rl.algorithm=dpo"])


def test_every_algorithm_of_a_recipe_has_one_trainer() -> None:
    algorithms = get_args(Reinforce.model_fields["algorithm"].annotation)
    assert sorted([*preference.TRAINERS, *rl.TRAINERS]) == sorted(algorithms)


def test_dpo_without_pairs_is_refused_before_anything_is_made(dpo: Recipe) -> None:
    with pytest.raises(CheckpointError, match="pass --pairs with their folder"):
        make_preference_trainer(dpo, NOTHING, NOTHING, None, {}, {})


def test_dpo_with_a_folder_without_pairs_names_the_file(dpo: Recipe, tmp_path: Path) -> None:
    with pytest.raises(PairsError, match=r"train\.jsonl is missing"):
        make_preference_trainer(dpo, NOTHING, NOTHING, tmp_path, {}, {})
