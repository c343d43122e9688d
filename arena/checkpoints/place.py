"""What a `path` of models.yaml is: a folder, a GGUF file, or with a `revision` a name on the Hugging Face Hub.

A revision is required for names on the Hub and refused for the others, so that a mistyped folder is never looked for in
the network, and so that a contestant stays the model it was. What the Hub's local cache holds is taken from there.
"""

import importlib.util
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arena.checkpoints.adapter import read_adapter, require_base
from arena.checkpoints.checkpoint import read_checkpoint
from arena.checkpoints.gguf import read_gguf
from arena.checkpoints.weights import Unfit, read_json, require_weights

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
# Never pickles and never code; no subfolders, where other formats are kept.
WANTED = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model")
log = logging.getLogger(__name__)


def place(path: str, base: Path, revision: str | None = None) -> Path:
    """Return the absolute folder or GGUF file that a path names, relative ones from base on; the Hub's are fetched.

    Raises:
        Unfit: there is none; with the reason and the remedy.
    """
    here = (base / path).resolve()
    if revision is None:
        if here.is_dir() or here.is_file():
            return here
        hub = "; a model of the Hub needs its revision too (a commit, or main)" if HUB_NAME.fullmatch(path) else ""
        raise Unfit(
            f"is not a folder or a GGUF file: correct the path, or make a family first "
            f"(python -m training run nano --out checkpoints/nano){hub}"
        )
    if here.exists():
        raise Unfit(f"is here, so it has no revision {revision!r}: take the revision out")
    if not HUB_NAME.fullmatch(path):
        raise Unfit(
            "has a revision, but is no name on the Hub, such as HuggingFaceTB/SmolLM2-135M-Instruct: correct it"
        )
    return _find_cached(path, revision) or _fetch(path, revision)


def read_weights(placed: Path, causal: Mapping[str, str] | None, *, is_chat: bool) -> dict[str, Any]:
    """Return the config of a folder or a GGUF file after checking everything that a contestant needs.

    Raises:
        Unfit: it cannot write replies; with the reason and the remedy.
    """
    read = read_checkpoint if placed.is_dir() else read_gguf
    return read(placed, causal, is_chat=is_chat)


def require_adapter(adapter: Path, placed: Path, config: Mapping[str, Any]) -> None:
    """Require that a folder holds a LoRA adapter of these weights.

    Raises:
        Unfit: it does not; with the reason and the remedy.
    """
    read = read_adapter(adapter)
    if placed.is_dir():  # a GGUF file has names of its own: its adapters are checked when it is loaded
        require_base(read, placed, config)


def require_quantizable(placed: Path, config: Mapping[str, Any], quantization: str | None) -> None:
    """Require that weights may be quantized while they are loaded.

    Raises:
        Unfit: they are quantized already, or the library for it is missing.
    """
    if quantization is None:
        return
    if placed.is_file() or config.get("quantization_config"):
        raise Unfit(f"is quantized already, so it cannot become {quantization}: take quantization out, or full weights")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise Unfit(f"needs bitsandbytes to become {quantization}: pip install -r requirements-quantization.txt")


def _find_cached(name: str, revision: str) -> Path | None:
    """Return the folder of a model in the Hub's local cache, None if it is not there or not whole."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
        require_weights(folder, read_json(folder / "config.json"))
    except (OSError, ValueError):  # the library's LocalEntryNotFoundError and Unfit among them
        return None
    return folder


def _fetch(name: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    log.info("%s at %s is not in the Hub's local cache: fetching it", name, revision)
    try:
        folder = snapshot_download(name, revision=revision, allow_patterns=list(WANTED), ignore_patterns=["*/*"])
    except RevisionNotFoundError:
        raise Unfit(f"has no revision {revision!r} on the Hub: correct it") from None
    except GatedRepoError:
        raise Unfit(
            "is given on the Hub to those who accept its terms: accept them there, then hf auth login"
        ) from None
    except RepositoryNotFoundError:
        raise Unfit("is not on the Hub, or private: correct the name, or hf auth login") from None
    except Exception as error:  # the library's, the HTTP client's and the disk's; their texts may hold addresses
        raise Unfit(
            f"is not in the Hub's local cache, and fetching it failed ({type(error).__name__}): connect to the network "
            f"for the first start, or fetch it elsewhere (hf download {name} --revision {revision}) and give the folder"
        ) from None
    try:
        require_weights(Path(folder), read_json(Path(folder) / "config.json"))
    except (OSError, Unfit) as error:  # without a network the library returns what there is of it
        reason = str(error) if isinstance(error, Unfit) else "has no config.json"
        raise Unfit(
            f"is not whole in the Hub's local cache: it {reason}. Connect to the network, or take one with safetensors"
        ) from None
    return Path(folder)
