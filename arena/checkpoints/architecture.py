"""Which checkpoints write text, by config.json and transformers' own list of causal language models.

transformers would load a reward model as a causal language model and fill missing tensors with random numbers, so the
class that the checkpoint was saved with decides. The list is read from transformers' source without importing it, since
that would import torch and delay an error message by seconds.
"""

import ast
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LIST = "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"
CAUSAL_ENDINGS = ("forcausallm", "lmheadmodel", "modelwithlmhead")


def read_causal_classes() -> dict[str, str] | None:
    """Return transformers' class for each model type, or None if its source has no such list."""
    spec = importlib.util.find_spec("transformers")
    if spec is None or spec.origin is None:
        return None
    try:
        source = (Path(spec.origin).parent / "models" / "auto" / "modeling_auto.py").read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            if (
                isinstance(node, ast.Assign)
                and LIST in ast.unparse(node.targets[0])
                and isinstance(node.value, ast.Call)
            ):
                return dict(ast.literal_eval(node.value.args[0]))
    except (OSError, ValueError, SyntaxError, IndexError):
        return None
    return None


def find_unfitness(config: Mapping[str, Any], causal: Mapping[str, str] | None) -> str | None:
    """Return why a checkpoint with this config.json writes no text, with the remedy, or None if it does.

    Without the list (causal is None) only the class named in config.json is checked; the rest fails when it is loaded.
    """
    model_type, classes = config.get("model_type"), config.get("architectures")
    if not isinstance(model_type, str) or not model_type:
        return "has a config.json without a model_type: copy it again from where the checkpoint was made"
    if causal is not None and model_type not in causal:
        if config.get("auto_map"):
            return f"brings code of its own (auto_map, model type {model_type!r}), which is not run here: take another"
        return f"is of the type {model_type!r}, for which transformers has no causal language model: take another"
    if classes is None or classes == []:
        if config.get("is_encoder_decoder") is True:
            return "is an encoder with a decoder, which does not continue a prompt: take a causal language model"
        return None
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        return f"has a config.json with {classes!r} as architectures: name a list of classes"
    if any(_writes_text(name, config, (causal or {}).get(model_type, "")) for name in classes):
        return None
    wanted = (causal or {}).get(model_type, "...ForCausalLM")
    return f"was saved as {', '.join(classes)}, which writes no text: take a causal language model ({wanted})"


def _writes_text(name: str, config: Mapping[str, Any], known: str) -> bool:
    folded = name.casefold()
    if folded == known.casefold() or folded.endswith(CAUSAL_ENDINGS):
        return True
    # A model that also takes images can be loaded as a text model, but not one with an encoder.
    is_composite = "text_config" in config and config.get("is_encoder_decoder") is not True
    return is_composite and folded.endswith("forconditionalgeneration")
