"""Whether a folder holds a LoRA adapter of a base, by its files alone: names and shapes in safetensors headers.

Adapters of one base share its memory and its batches, each row with its own (Hu et al. 2021, arXiv:2106.09685; peft's
mixed batches). What a row cannot have of its own (DoRA, biases, layers trained whole) is refused: merge it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from arena.checkpoints.weights import AGAIN, Unfit, find_weights, read_header, read_json, require_whole

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MERGE = (
    "merge it, with peft's AutoPeftModelForCausalLM.from_pretrained(FOLDER).merge_and_unload().save_pretrained(NEW), "
    "and copy the tokenizer"
)
# What peft can train beside A and B, or in their place; each is off unless its key says so.
EXTRAS = (
    "use_dora",
    "use_qalora",
    "lora_bias",
    "modules_to_save",
    "trainable_token_indices",
    "layer_replication",
    "target_parameters",
    "alora_invocation_tokens",
    "arrow_config",
    "megatron_config",
)
STARTS = (True, False, None, "gaussian", "orthogonal")  # ways to begin that leave the base's weights as they were
FACTOR = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")

Shape = tuple[int, ...]


class Adapter(NamedTuple):
    """A LoRA adapter. shapes: (out, in) of each module that it changes."""

    folder: Path
    shapes: dict[str, Shape]


def read_adapter(folder: Path) -> Adapter:
    """Read an adapter's config and the header of its weights.

    Raises:
        Unfit: it is none, damaged, or of a kind that cannot share a batch; with the reason and the remedy.
    """
    if not (folder / CONFIG).is_file():
        raise Unfit(f"holds no {CONFIG}, so it is not an adapter: correct the path")
    config = read_json(folder / CONFIG)
    _require_plain(config)
    if not (folder / WEIGHTS).is_file():
        raise Unfit(f"holds no {WEIGHTS}: save it as safetensors, with peft's save_pretrained(FOLDER)")
    require_whole(folder / WEIGHTS)
    factors: dict[str, dict[str, Shape]] = {}
    for name, shape in read_header(folder / WEIGHTS).items():
        found = FACTOR.fullmatch(name)
        if found is None or len(shape) != 2:
            raise Unfit(f"changes more than linear layers ({name}), which a row of a batch cannot have alone: {MERGE}")
        factors.setdefault(found["module"], {})[found["side"]] = shape
    for module, sides in factors.items():
        if sides.keys() != {"A", "B"} or sides["A"][0] != sides["B"][1]:
            raise Unfit(f"has factors of {module} that do not belong together: {AGAIN}")
    if not factors:
        raise Unfit("changes nothing: its weights hold no factors")
    ranks = {sides["A"][0] for sides in factors.values()}
    if not config.get("rank_pattern") and ranks != {config.get("r")}:
        raise Unfit(f"has the rank {config.get('r')!r} in its {CONFIG}, and {max(ranks)} in its weights: {AGAIN}")
    return Adapter(folder, {module: (sides["B"][0], sides["A"][1]) for module, sides in factors.items()})


def require_fit(adapter: Adapter, base: Mapping[str, Shape], *, is_complete: bool = True) -> None:
    """Require that an adapter belongs to a base, whose modules have these weights' shapes.

    is_complete: base holds every module under the names that adapters use.

    Raises:
        Unfit: a module is missing or has another shape.
    """
    for module, shape in adapter.shapes.items():
        found = base.get(module)
        if found is None and is_complete:
            raise Unfit(f"is an adapter of another base: it changes {module}, which the model does not have")
        if found is not None and sorted(found) != sorted(shape):
            raise Unfit(
                f"is an adapter of another base: it changes {module} as {_by(shape)}, and the model has {_by(found)}"
            )


def require_base(adapter: Adapter, folder: Path, config: Mapping[str, Any]) -> None:
    """Require that an adapter belongs to the base in a folder, as far as the headers of its weights tell.

    Files may name modules otherwise than the loaded model does; what they do not show is checked again after loading.

    Raises:
        Unfit: it belongs to another.
    """
    shapes = {
        name.removesuffix(".weight"): shape
        for file in find_weights(folder, config)
        for name, shape in read_header(file).items()
        if name.endswith(".weight") and len(shape) == 2
    }
    is_known = any(module in shapes for module in adapter.shapes)
    is_plain = "text_config" not in config and "quantization_config" not in config
    require_fit(adapter, shapes, is_complete=is_plain and (is_known or not _are_prefixed(adapter, shapes)))


def _are_prefixed(adapter: Adapter, shapes: Mapping[str, Shape]) -> bool:
    """Return whether the files name the modules without the class's prefix, as some old checkpoints do."""
    return any(module.partition(".")[2] in shapes for module in adapter.shapes)


def _require_plain(config: Mapping[str, Any]) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise Unfit(f"is an adapter of the type {kind!r}, and batches are shared by LoRA only: {MERGE}")
    extras = [key for key in EXTRAS if config.get(key)]
    if config.get("bias", "none") != "none":
        extras.append("bias")
    if extras:
        raise Unfit(f"is an adapter with {', '.join(extras)}, which a row of a batch cannot have alone: {MERGE}")
    if config.get("init_lora_weights", True) not in STARTS:
        raise Unfit(f"was begun by {config['init_lora_weights']!r}, which changes the base's own weights: {MERGE}")


def _by(shape: Shape) -> str:
    return " x ".join(map(str, shape))
