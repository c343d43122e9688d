"""An adapter is checked against its base before anything is loaded, and refused by name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arena.checkpoints.adapter import CONFIG, WEIGHTS, read_adapter, require_base
from arena.checkpoints.weights import Unfit, read_json
from tests.arena.backends.asked import copy_checkpoint
from tests.arena.helpers.adapters import make_adapter


@pytest.fixture(scope="module")
def made(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(tmp_path_factory.mktemp("adapters") / "one", checkpoint)


@pytest.fixture
def adapter(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "adapter"))


def configure(folder: Path, **keys: Any) -> None:
    (folder / CONFIG).write_text(json.dumps(read_json(folder / CONFIG) | keys), encoding="utf-8")


def change(folder: Path, rename: Callable[[str], str]) -> None:
    from safetensors.torch import load_file, save_file

    tensors = {rename(name): tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}
    save_file(tensors, folder / WEIGHTS)


def test_an_adapter_of_its_base_fits(adapter: Path, checkpoint: Path) -> None:
    read = read_adapter(adapter)
    assert read.shapes["model.layers.1.mlp.down_proj"] == (32, 64)
    assert len(read.shapes) == 4
    require_base(read, checkpoint, read_json(checkpoint / "config.json"))


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"peft_type": "LOHA"}, "type 'LOHA'"),
        ({"peft_type": None}, "type None"),
        ({"use_dora": True}, "with use_dora"),
        ({"bias": "all"}, "with bias"),
        ({"modules_to_save": ["lm_head"]}, "with modules_to_save"),
        ({"init_lora_weights": "pissa"}, "begun by 'pissa'"),
        ({"r": 8}, "rank 8 in its adapter_config.json, and 4"),
    ],
)
def test_kinds_that_cannot_share_a_batch_are_refused(adapter: Path, keys: dict[str, Any], reason: str) -> None:
    configure(adapter, **keys)
    with pytest.raises(Unfit, match=reason):
        read_adapter(adapter)


def test_a_pickle_is_not_read(adapter: Path) -> None:
    (adapter / WEIGHTS).rename(adapter / "adapter_model.bin")
    with pytest.raises(Unfit, match=f"no {WEIGHTS}: save it as safetensors"):
        read_adapter(adapter)


def test_what_is_no_adapter_or_is_cut_off_is_refused(adapter: Path, checkpoint: Path) -> None:
    with pytest.raises(Unfit, match="not an adapter"):
        read_adapter(checkpoint)
    (adapter / WEIGHTS).write_bytes((adapter / WEIGHTS).read_bytes()[:-1])
    with pytest.raises(Unfit, match=f"damaged {WEIGHTS}"):
        read_adapter(adapter)


def test_trained_layers_beside_the_factors_are_refused(adapter: Path) -> None:
    change(adapter, lambda name: name.replace("lora_A.weight", "weight"))
    with pytest.raises(Unfit, match="more than linear layers"):
        read_adapter(adapter)


def test_an_adapter_of_a_wider_base_is_refused(adapter: Path, checkpoint: Path, tmp_path: Path) -> None:
    from tests.arena.backends.asked import change_weights

    other = copy_checkpoint(checkpoint, tmp_path / "other")
    change_weights(
        other, lambda tensors: tensors.update({n: t.repeat(2, 2) for n, t in tensors.items() if t.ndim == 2})
    )
    with pytest.raises(Unfit, match=r"another base: it changes \S+ as 32 x \d+, and the model has 64 x \d+"):
        require_base(read_adapter(adapter), other, {})


def test_an_adapter_of_a_deeper_base_or_of_another_family_is_refused(adapter: Path, checkpoint: Path) -> None:
    for old, new in (("layers.1", "layers.9"), ("model.layers", "transformer.h")):
        change(adapter, lambda name, old=old, new=new: name.replace(old, new))  # type: ignore[misc]
        with pytest.raises(Unfit, match=f"another base: it changes .*{new}.*does not have"):
            require_base(read_adapter(adapter), checkpoint, {})
        change(adapter, lambda name, old=old, new=new: name.replace(new, old))  # type: ignore[misc]
