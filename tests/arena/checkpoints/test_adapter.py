"""An adapter of another model is known by its tensors' names and shapes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arena.checkpoints.adapter import TENSORS, read_adapter, read_rank
from arena.checkpoints.weights import Unfit

Make = Callable[..., Path]


@pytest.fixture
def make(checkpoint: Path, tmp_path: Path) -> Make:
    """Return a function that saves an adapter of the tiny checkpoint, with its tensors renamed or changed."""

    def save(
        change: Callable[[str, Any], tuple[str, Any]] = lambda name, tensor: (name, tensor), **config: Any
    ) -> Path:
        from peft import LoraConfig, get_peft_model
        from safetensors.torch import load_file, save_file
        from transformers import AutoModelForCausalLM

        settings = LoraConfig(r=4, target_modules=["q_proj", "up_proj"], init_lora_weights=False)
        get_peft_model(AutoModelForCausalLM.from_pretrained(checkpoint), settings).save_pretrained(tmp_path)
        tensors = load_file(tmp_path / TENSORS)
        save_file(dict(change(name, tensor) for name, tensor in tensors.items()), tmp_path / TENSORS)
        file = tmp_path / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | config), encoding="utf-8")
        return tmp_path

    return save


def test_an_adapter_of_the_checkpoint_is_read(make: Make, checkpoint: Path) -> None:
    adapter = make()
    assert read_adapter(adapter, checkpoint)["r"] == 4
    assert read_rank(adapter) == 4


def test_the_rank_is_the_highest_of_all(make: Make) -> None:
    assert read_rank(make(rank_pattern={"layers.0.q_proj": 24})) == 24


def test_what_stands_before_the_numbered_part_does_not_matter(make: Make, checkpoint: Path) -> None:
    def rename(name: str, tensor: Any) -> tuple[str, Any]:
        return name.replace("model.layers", "language_model.model.layers"), tensor

    assert read_adapter(make(rename), checkpoint)


@pytest.mark.parametrize(
    ("old", "new"),
    [("self_attn.q_proj", "attention.q_proj"), ("layers.1", "layers.2"), ("q_proj", "query_key_value")],
)
def test_an_adapter_with_other_names_is_one_of_another_model(make: Make, checkpoint: Path, old: str, new: str) -> None:
    adapter = make(lambda name, tensor: (name.replace(old, new), tensor))
    with pytest.raises(Unfit, match=f"is an adapter of another model: the base has no weights for .*{new}"):
        read_adapter(adapter, checkpoint)


@pytest.mark.parametrize("side", ["lora_A", "lora_B"])
def test_an_adapter_of_another_size_is_one_of_another_model(make: Make, checkpoint: Path, side: str) -> None:
    def widen(name: str, tensor: Any) -> tuple[str, Any]:
        import torch

        return name, torch.cat([tensor, tensor], dim=1 if side == "lora_A" else 0) if side in name else tensor

    with pytest.raises(Unfit, match=r"another model: .* has the shape \(\d+, \d+\), the base's weights \(\d+, \d+\)"):
        read_adapter(make(widen), checkpoint)


def test_what_is_no_lora_adapter_is_refused(make: Make, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="holds no adapter_config"):
        read_adapter(checkpoint, checkpoint)
    with pytest.raises(Unfit, match="is an adapter of the kind 'IA3'"):
        read_adapter(make(peft_type="IA3"), checkpoint)
    with pytest.raises(Unfit, match="without a rank"):
        read_rank(make(r="many"))
    with pytest.raises(Unfit, match="without a matrix of LoRA"):
        read_adapter(make(lambda name, tensor: (f"{name}.bias", tensor)), checkpoint)
    make()
    (tmp_path / TENSORS).write_bytes((tmp_path / TENSORS).read_bytes()[:-100])
    with pytest.raises(Unfit, match="damaged"):
        read_adapter(tmp_path, checkpoint)
    (tmp_path / TENSORS).unlink()
    with pytest.raises(Unfit, match=f"holds no {TENSORS}"):
        read_adapter(tmp_path, checkpoint)
