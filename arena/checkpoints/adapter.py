"""Whether a folder holds a LoRA adapter of a checkpoint (Hu et al. 2021, arXiv:2106.09685), by headers alone.

An engine serves the base model without an error for an adapter whose tensors it finds no place for, and votes on it
would compare the base with itself. So each of its tensors must belong to a weight of the base that has such a shape.
Names are compared from their first numbered part on ("layers.0.self_attn.q_proj"), since what stands before it differs
between a model and the files it is saved in.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from arena.checkpoints.checkpoint import ADAPTER
from arena.checkpoints.weights import AGAIN, Unfit, find_weights, read_json, require_whole

TENSORS = "adapter_model.safetensors"
PART = re.compile(r"(?P<module>.+)\.lora_(?P<side>[AB])(?:\.\w+)?\.weight")
NUMBERED = re.compile(r"[^.]+\.\d+\..+")
FLOATS = ("F32", "F16", "BF16")  # packed integers have shapes of their own
Shape = tuple[int, ...] | None
TIED = "lm_head"  # may be saved as the embeddings alone


def read_adapter(folder: Path, base: Path) -> dict[str, Any]:
    """Return an adapter's adapter_config.json after checking that it fits a checkpoint's folder.

    Raises:
        Unfit: it is no LoRA adapter, broken, or one of another model.
    """
    try:
        config = _read_config(folder)
        if not (folder / TENSORS).is_file():
            raise Unfit(f"holds no {TENSORS}: save it with peft's save_pretrained")
        require_whole(folder / TENSORS)
        weights = {_place(name.removesuffix(".weight")): shape for name, shape in _read_weights(base)}
        _require_places(dict(_read_shapes(folder / TENSORS)), weights)
    except OSError as error:
        raise Unfit(f"cannot be read ({error.filename}: {error.strerror}): correct its permissions") from None
    return config


def read_rank(folder: Path) -> int:
    """Return the highest rank of an adapter's matrices.

    Raises:
        Unfit: it is no LoRA adapter.
    """
    config = _read_config(folder)
    others = config.get("rank_pattern")
    ranks: list[Any] = [config.get("r"), *(others.values() if isinstance(others, dict) else ())]
    if not all(isinstance(rank, int) and rank > 0 for rank in ranks):
        raise Unfit(f"has an {ADAPTER} without a rank r: {AGAIN}")
    return int(max(ranks))


def _read_config(folder: Path) -> dict[str, Any]:
    if not (folder / ADAPTER).is_file():
        raise Unfit(f"holds no {ADAPTER}, so it is no adapter: correct the path")
    config = read_json(folder / ADAPTER)
    if config.get("peft_type") != "LORA":
        raise Unfit(f"is an adapter of the kind {config.get('peft_type')!r}: only LORA can be served; merge it")
    return config


def _read_weights(base: Path) -> Iterator[tuple[str, Shape]]:
    for file in find_weights(base, read_json(base / "config.json")):
        yield from _read_shapes(file)


def _read_shapes(file: Path) -> Iterator[tuple[str, Shape]]:
    """Yield the name of each tensor and its shape, None if it is packed."""
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as tensors:
        for name in tensors.keys():  # noqa: SIM118  # it is no mapping
            part = tensors.get_slice(name)
            yield name, tuple(part.get_shape()) if part.get_dtype() in FLOATS else None


def _require_places(tensors: dict[str, Shape], weights: dict[str, Shape]) -> None:
    parts = {name: part for name in sorted(tensors) if (part := PART.fullmatch(name))}
    if not parts:
        raise Unfit(f"has a {TENSORS} without a matrix of LoRA: {AGAIN}")
    for name, part in parts.items():
        place = _place(part["module"])
        if place == TIED or ".experts" in place:  # tied, or fused in one of the two
            continue
        if place not in weights:
            raise Unfit(f"is an adapter of another model: the base has no weights for {name}")
        shape, own = weights[place], tensors[name]
        if shape is not None and own is not None and own[part["side"] == "A"] not in shape:
            raise Unfit(f"is an adapter of another model: {name} has the shape {own}, the base's weights {shape}")


def _place(name: str) -> str:
    """Return a module's name from its first numbered part on, else its last part."""
    numbered = NUMBERED.search(name)
    return numbered.group() if numbered else name.rpartition(".")[2]
