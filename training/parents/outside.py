"""Find a model that was not made here, and tell by its files alone whether a stage can start from it.

A parent is a checkpoint of this project where it has a stage.json. Any other folder with a config.json is a model from
outside, and so is what the Hub has under a name such as ORG/NAME or ORG/NAME@REVISION; of that the weights, the
tokenizer and the chat template are downloaded once. torch is not needed for any of it.
"""

import json
import re
from pathlib import Path
from typing import Any

from common.weights import hash_weights
from training.recipe import Recipe, load_recipe, parse_recipe
from training.runs.checkpoint import CheckpointError, read_record
from training.runs.job import Outside, Stage

WRITERS = ("forcausallm", "lmheadmodel")
"""How the classes of models that write text end."""
HUB_NAME = re.compile(r"([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
FILES = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt")

_SHAPE = {
    "hidden_size": ("hidden_size", "n_embd"),
    "layers": ("num_hidden_layers", "n_layer"),
    "heads": ("num_attention_heads", "n_head"),
}
_POSITIONS = ("max_position_embeddings", "n_positions")


def find_outside(given: Path, stage: Stage) -> Outside | None:
    """Return the model at a folder or Hub name that was not made here; None for a checkpoint of this project.

    Raises:
        CheckpointError: there is neither, or the stage cannot start from it.
    """
    name, _, revision = str(given).partition("@")
    is_path = given.exists() or ("/" in name and given.parent.exists())
    if not is_path and HUB_NAME.fullmatch(str(given)):
        folder = _download(name, revision or None)
        commit: str | None = folder.name
    else:
        folder, commit = given, None
        if read_record(given) is not None:
            return None
    if (folder / "adapter_config.json").is_file():
        raise CheckpointError(
            f"{given} is an adapter: merge it into its base (merge_and_unload of peft), save that and give its folder"
        )
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"{given} holds no finished checkpoint and no model (stage.json or config.json): make it first "
            f"(python -m training {stage.parent.command if stage.parent else 'run'}), or give a Hugging Face folder"
        )
    require_writer(folder, str(given))
    weights = hash_weights(folder)
    assert weights is not None
    return Outside(str(given), folder, weights, commit)


def require_writer(folder: Path, name: str) -> None:
    """Refuse a folder whose model does not write text or whose weights are not all there.

    Raises:
        CheckpointError: says what it is instead.
    """
    config = _read(folder / "config.json", name)
    classes = config.get("architectures") or []
    if any("SequenceClassification" in kind or "RewardModel" in kind for kind in classes):
        raise CheckpointError(f"{name} is a reward model ({', '.join(classes)}): give one that writes text")
    if config.get("is_encoder_decoder") or (classes and not any(k.lower().endswith(WRITERS) for k in classes)):
        raise CheckpointError(
            f"{name} was saved as {', '.join(classes) or 'an encoder with a decoder'}, which does not continue text: "
            "give a causal language model"
        )
    if not list(folder.glob("*.safetensors")):
        raise CheckpointError(f"{name} holds no weights in safetensors: save it with save_pretrained of transformers")
    index = folder / "model.safetensors.index.json"
    shards = set(_read(index, name).get("weight_map", {}).values()) if index.is_file() else set()
    if missing := sorted(shard for shard in shards if not (folder / shard).is_file()):
        raise CheckpointError(f"{name}: {missing[0]} is missing, one of {len(shards)} parts: copy the folder again")


def outside_recipe(named: str | None, overrides: list[str], outside: Outside) -> Recipe:
    """Return the recipe that is named, else nano, with the model's own shape and a context that it has.

    Raises:
        RecipeError: the recipe or an override cannot be used, or does not fit into the model's context.
    """
    recipe = load_recipe(named or "nano", overrides).model_dump(mode="json")
    config = _read(outside.folder / "config.json", outside.name)
    shape = {key: _first(config, names) for key, names in _SHAPE.items()}
    positions = _first(config, _POSITIONS)
    context = min(recipe["model"]["context"], positions or recipe["model"]["context"])
    recipe["model"] |= {key: value for key, value in shape.items() if value} | {
        "start": outside.name,
        "context": context,
        "window": None,
    }
    return parse_recipe(recipe, f"{named or 'nano'} from {outside.name}")


def _first(config: dict[str, Any], names: tuple[str, ...]) -> int | None:
    return next((config[name] for name in names if isinstance(config.get(name), int)), None)


def _read(path: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise CheckpointError(f"{name}: its {path.name} is no JSON object: copy the folder again")
    return found


def _download(name: str, revision: str | None) -> Path:
    """Return the folder that holds a model of the Hub, downloaded where it is not there yet."""
    import huggingface_hub
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        return Path(huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=list(FILES)))
    except (OSError, ValueError, RuntimeError) as error:
        what = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(
            f"{name}: no such folder, and the Hub gave no model of that name ({what[0].rstrip(':.')}): correct the "
            "name, connect to the network, or give the folder of a model that was downloaded before"
        ) from None
