"""Whether a checkpoint's weights are complete, without reading them: by names, sizes and safetensors headers.

A safetensors file begins with the length of its header (8 bytes, little-endian) and the header, JSON with the position
of every tensor in the rest; the format is described at https://huggingface.co/docs/safetensors. The length is checked
against the file's size first, so that a damaged one does not reserve memory.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors library
LFS_MAGIC = b"version https://git-lfs.github.com/spec/"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
AGAIN = "copy or download it again"


class Unfit(ValueError):
    """A folder without a usable checkpoint; the text continues the folder's name with the reason and the remedy."""


def read_json(file: Path) -> dict[str, Any]:
    """Read a small JSON file that must hold a mapping.

    Raises:
        Unfit: it is a Git LFS pointer, not JSON, or not a mapping.
    """
    require_no_pointer(file)
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise Unfit(f"has a {file.name} that is not JSON: {AGAIN}") from None
    if not isinstance(tree, dict):
        raise Unfit(f"has a {file.name} that holds a {type(tree).__name__} instead of a mapping: {AGAIN}")
    return tree


def require_no_pointer(file: Path) -> None:
    """Require that a file is not a Git LFS pointer.

    Raises:
        Unfit: it is one.
    """
    with file.open("rb") as stream:
        if stream.read(len(LFS_MAGIC)) == LFS_MAGIC:
            raise Unfit(f"has a Git LFS pointer in place of {file.name}: run git lfs pull")


def require_weights(folder: Path, config: Mapping[str, Any]) -> None:
    """Require that all weights are there, each file as long as its header says.

    Raises:
        Unfit: there are no weights, or in another format, or a part is missing or cut off.
    """
    for file in find_weights(folder, config):
        require_whole(file)


def find_weights(folder: Path, config: Mapping[str, Any]) -> list[Path]:
    """Return the safetensors files that transformers would load.

    Raises:
        Unfit: there are none, or files named in the index are missing.
    """
    name = config.get("transformers_weights") or WEIGHTS  # a checkpoint may choose the file's name
    if isinstance(name, str) and name.endswith(".safetensors") and (folder / name).is_file():
        return [folder / name]
    if not (folder / INDEX).is_file():
        raise Unfit(_explain_absence(folder))
    places = read_json(folder / INDEX).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(shard, str) for shard in places.values()):
        raise Unfit(f"has a {INDEX} without a weight_map: {AGAIN}")
    shards = sorted(set(places.values()))
    missing = [shard for shard in shards if not (folder / shard).is_file()]
    if missing:
        raise Unfit(f"lacks {len(missing)} of {len(shards)} parts of its weights ({missing[0]}): copy or download them")
    return [folder / shard for shard in shards]


def require_whole(file: Path) -> None:
    """Require that a safetensors file is as long as its header says.

    Raises:
        Unfit: it is a Git LFS pointer, damaged or cut off.
    """
    length, tree = _parse_header(file)
    try:
        end = max(int(entry["data_offsets"][1]) for name, entry in tree.items() if name != "__metadata__")
    except (ValueError, AttributeError, TypeError, LookupError):
        raise Unfit(f"has a damaged {file.name} (its header names no tensors): {AGAIN}") from None
    size = file.stat().st_size
    if size != 8 + length + end:
        raise Unfit(f"has a damaged {file.name} ({size} of {8 + length + end} bytes are there): {AGAIN}")


def read_header(file: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor in a safetensors file.

    Raises:
        Unfit: it is a Git LFS pointer or damaged.
    """
    _, tree = _parse_header(file)
    try:
        return {name: tuple(map(int, entry["shape"])) for name, entry in tree.items() if name != "__metadata__"}
    except (ValueError, AttributeError, TypeError, LookupError):
        raise Unfit(f"has a damaged {file.name} (its header gives no shapes): {AGAIN}") from None


def _parse_header(file: Path) -> tuple[int, dict[str, Any]]:
    """Return the length of a safetensors file's header, and the header."""
    require_no_pointer(file)
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > min(MAX_HEADER, size - 8):
            raise Unfit(f"has a damaged {file.name} ({size} bytes, cut off within its header): {AGAIN}")
        header = stream.read(length)
    try:
        tree = json.loads(header)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise Unfit(f"has a damaged {file.name} (its header names no tensors): {AGAIN}")
    return length, tree


def _explain_absence(folder: Path) -> str:
    pickles = sorted(file.name for pattern in PICKLES for file in folder.glob(pattern) if file.stem != "training_args")
    if pickles:
        return (
            f"holds its weights as {pickles[0]} only, a format that may carry code: write safetensors, with "
            "transformers' AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(FOLDER)"
        )
    others = sorted(file.name for file in folder.glob("*.safetensors"))
    if others:
        return f"holds no {WEIGHTS} (but {others[0]}): give its weights the name that transformers looks for"
    return f"holds no weights ({WEIGHTS}): copy or download them"
