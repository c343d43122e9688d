"""The trainers' arguments, adapters, and the whole of a model that was trained in parts."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from training.recipe import Recipe
from training.runs.arguments import APART, VALIDATIONS, learning_arguments, lora_config, whole_model
from training.runs.checkpoint import CheckpointError
from training.sections import Lora


def test_adapters_are_refused_where_weights_are_sharded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert lora_config(None, "CAUSAL_LM") is None
    with pytest.raises(CheckpointError, match="launch without FSDP"):
        lora_config(Lora(), "CAUSAL_LM")


def test_sharded_weights_are_gathered_before_they_are_measured(tmp_path: Path, make_model: Any) -> None:
    import torch

    trained, other = make_model(seed=1), make_model(seed=2)
    trainer: Any = SimpleNamespace(
        model=other,  # what one process holds
        accelerator=SimpleNamespace(unwrap_model=lambda model: model),
        args=SimpleNamespace(output_dir=str(tmp_path)),
        is_fsdp_enabled=True,
        save_model=trained.save_pretrained,  # as the Trainer does, from all of them
    )
    model = whole_model(trainer)
    assert type(model) is type(trained)
    for name, weights in model.state_dict().items():
        assert torch.equal(weights, trained.state_dict()[name])


@pytest.mark.parametrize(
    ("steps", "times"), [(1, 1), (10, 1), (APART, 1), (5 * APART + 1, 5), (100 * APART, VALIDATIONS)]
)
def test_a_short_stage_is_measured_seldom_and_a_long_one_so_many_times(recipe: Recipe, steps: int, times: int) -> None:
    every = learning_arguments(recipe, recipe.sft, Path("work"), steps=steps)["eval_steps"]
    assert steps // every == times
