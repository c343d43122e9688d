"""An adapter of another model is known by its tensors' names and shapes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arena.checkpoints.adapter import WEIGHTS, read_adapter, require_base
from arena.checkpoints.weights import Unfit, read_json

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
        tensors = load_file(tmp_path / WEIGHTS)
        save_file(dict(change(name, tensor) for name, tensor in tensors.items()), tmp_path / WEIGHTS)
        file = tmp_path / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | config), encoding="utf-8")
        return tmp_path

    return save


def require(adapter: Path, base: Path) -> None:
    require_base(read_adapter(adapter), base, read_json(base / "config.json"))


def test_an_adapter_of_the_checkpoint_fits(make: Make, checkpoint: Path) -> None:
    adapter = make()
    assert sorted(read_adapter(adapter).shapes.values())[-1] == (64, 32)
    require(adapter, checkpoint)


@pytest.mark.parametrize(
    ("old", "new"),
    [("self_attn.q_proj", "attention.q_proj"), ("layers.1", "layers.2"), ("q_proj", "query_key_value")],
)
def test_an_adapter_with_other_names_is_one_of_another_base(make: Make, checkpoint: Path, old: str, new: str) -> None:
    adapter = make(lambda name, tensor: (name.replace(old, new), tensor))
    with pytest.raises(Unfit, match=f"another base: it changes .*{new}.*, which the model does not have"):
        require(adapter, checkpoint)


@pytest.mark.parametrize("side", ["lora_A", "lora_B"])
def test_an_adapter_of_another_size_is_one_of_another_base(make: Make, checkpoint: Path, side: str) -> None:
    def widen(name: str, tensor: Any) -> tuple[str, Any]:
        import torch

        return name, torch.cat([tensor, tensor], dim=1 if side == "lora_A" else 0) if side in name else tensor

    with pytest.raises(Unfit, match=r"another base: it changes .* as \d+ x \d+, and the model has \d+ x \d+"):
        require(make(widen), checkpoint)


def test_what_is_no_lora_adapter_is_refused(make: Make, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="holds no adapter_config"):
        read_adapter(checkpoint)
    with pytest.raises(Unfit, match="is an adapter of the type 'IA3'"):
        read_adapter(make(peft_type="IA3"))
    with pytest.raises(Unfit, match="is an adapter with use_dora"):
        read_adapter(make(use_dora=True))
    with pytest.raises(Unfit, match=r"the rank 8 in its adapter_config\.json, and 4 in its weights"):
        read_adapter(make(r=8))
    with pytest.raises(Unfit, match="more than linear layers"):
        read_adapter(make(lambda name, tensor: (f"{name}.bias", tensor)))
    make()
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:-100])
    with pytest.raises(Unfit, match="damaged"):
        read_adapter(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(Unfit, match=f"holds no {WEIGHTS}"):
        read_adapter(tmp_path)
