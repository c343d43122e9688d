"""Load a checkpoint for writing replies, completely or not at all.

transformers fills missing tensors with random numbers and only logs a table of them; here they are an error that names
them, as are tensors of another shape and adapters that would be left out. Code in a checkpoint is never run, and only
safetensors are read.
"""

import hashlib
import importlib.metadata
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena.backends.base import BackendError
from arena.checkpoints.checkpoint import read_chat_template
from common.weights import hash_weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

NAMED = 3  # tensors that an error names; the others are counted

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """A checkpoint in memory. identity: its part of a recipe, namely weights hash, template hash and versions."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerFast"
    identity: dict[str, Any]


def load_checkpoint(path: Path) -> Loaded:
    """Load model and tokenizer from a folder, onto the GPU if there is one.

    Raises:
        BackendError: tensors are missing or have another shape. Other errors are those of transformers.
    """
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    tokenizer.chat_template = read_chat_template(path)  # also where transformers does not look
    verbosity = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()  # its table of missing tensors: here they are an error
    try:
        # Weights are often published in bfloat16, which is slow on a CPU and makes replies depend on the batch.
        on_gpu = torch.cuda.is_available()
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            path,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype="auto" if on_gpu else torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that they can be named
        )
    finally:
        transformers.utils.logging.set_verbosity(verbosity)
    require_every_tensor(report, path)
    identity = {
        "backend": "transformers",
        "weights": hash_weights(path),
        "template": hash_text(tokenizer.chat_template or ""),
        "versions": {name: importlib.metadata.version(name) for name in ("transformers", "torch")},
    }
    return Loaded(model.to("cuda" if on_gpu else "cpu").eval(), tokenizer, identity)


def require_every_tensor(report: dict[str, Any], path: Path) -> None:
    """Check transformers' loading report: every tensor is there, in its shape, and no adapter is left out.

    Raises:
        BackendError: names the tensors.
    """
    missing = sorted(report["missing_keys"])
    mismatched = sorted(str(entry[0]) for entry in report["mismatched_keys"])
    unexpected = sorted(report["unexpected_keys"])
    adapters = [key for key in unexpected if "lora_" in key]
    if missing:
        raise BackendError(f"its weights lack {_name(missing)}: take complete weights of this architecture")
    if mismatched:
        raise BackendError(
            f"its config.json gives another shape to {_name(mismatched)}: take weights and config together"
        )
    if adapters:
        raise BackendError(f"its weights contain an adapter that would be left out ({_name(adapters)}): merge it")
    if unexpected:
        log.warning("%s: %s in its weights are not part of the model and are left out", path, _name(unexpected))


def hash_text(text: str) -> str:
    """Return a text's hash."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _name(keys: list[str]) -> str:
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(keys[:NAMED]) + more
