"""Load a checkpoint for writing replies, completely or not at all.

transformers fills missing tensors with random numbers and only logs a table of them; here they are an error that names
them, as are tensors of another shape and adapters that would be left out. Code in a checkpoint is never run, and only
safetensors are read.
"""

import hashlib
import importlib.metadata
import logging
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena.backends.base import BackendError
from arena.backends.local.dtypes import choose_dtype
from arena.backends.local.quantization import quantized, require_works
from arena.checkpoints.checkpoint import read_chat_template
from common.weights import hash_files, hash_weights

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

NAMED = 3  # tensors that an error names; the others are counted

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """What is known of a checkpoint before its weights are read."""

    tokenizer: "PreTrainedTokenizerFast"
    config: "PreTrainedConfig"


@dataclass(frozen=True)
class Loaded:
    """A checkpoint in memory. identity: its part of a recipe, namely weights hash, template hash and versions."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerFast"
    identity: dict[str, Any]


def prepare_checkpoint(path: Path) -> Prepared:
    """Load the tokenizer and the config of a folder or a GGUF file; errors are those of transformers."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    folder, source = _locate(path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **source)
    if path.is_dir():
        tokenizer.chat_template = read_chat_template(path)  # also where transformers does not look
    return Prepared(tokenizer, transformers.AutoConfig.from_pretrained(folder, **source))


def load_checkpoint(path: Path, prepared: Prepared, *, dtype: str = "auto", quantization: str | None = None) -> Loaded:
    """Load the weights of a folder or a GGUF file, onto the GPU if there is one.

    Raises:
        BackendError: tensors are missing or have another shape, or the weights cannot be quantized. Other errors are
            those of transformers.
    """
    import torch
    import transformers

    folder, source = _locate(path)
    tokenizer = prepared.tokenizer
    device = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = choose_dtype(prepared.config, dtype, device)
    with _without_tables():
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            **source,
            use_safetensors=True,
            dtype=chosen,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that they can be named
            **quantized(quantization, chosen),
        )
    require_every_tensor(report, path)
    model = model.eval() if quantization else model.to(device).eval()
    if quantization:
        require_works(model, quantization)
    libraries = ["transformers", "torch", *(["bitsandbytes"] if quantization else [])]
    identity = {
        "backend": "transformers",
        "weights": hash_weights(path) if path.is_dir() else hash_files([path]),
        "template": hash_text(tokenizer.chat_template or ""),
        "dtype": str(chosen).removeprefix("torch."),
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
        **({"quantization": quantization} if quantization else {}),
        "versions": {name: importlib.metadata.version(name) for name in libraries},
    }
    return Loaded(model, tokenizer, identity)


def _locate(path: Path) -> tuple[Path, dict[str, Any]]:
    """Return the folder that transformers loads from, and how: nothing is fetched, and no code is run."""
    source: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    return (path, source) if path.is_dir() else (path.parent, source | {"gguf_file": path.name})


@contextmanager
def _without_tables() -> Iterator[None]:
    """Keep transformers from logging a table of missing tensors: here they are an error."""
    import transformers

    verbosity = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers.utils.logging.set_verbosity(verbosity)


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
