"""Where a checkpoint comes from: versions of libraries, the commit of this code, the machine, the size."""

import importlib.metadata
import math
import subprocess
from pathlib import Path

LIBRARIES = ("torch", "transformers", "trl", "tokenizers", "datasets", "accelerate", "numpy")


def library_versions() -> dict[str, str]:
    """Return the installed version of each library that decides what training gives."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def count_parameters(folder: Path) -> int:
    """Return the number of parameters in a folder's safetensors files, shared ones once, 0 where there are none."""
    from safetensors import SafetensorError, safe_open

    total = 0
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, "numpy") as tensors:
                total += sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
        except SafetensorError:
            return 0
    return total


def describe_machine() -> str:
    """Return what trained: the graphics cards where there are any, else the processor's threads."""
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"CPU, {torch.get_num_threads()} threads"


def source_commit() -> str:
    """Return the commit of the checkout this code runs from, with "+changes" where it was edited, or "unknown"."""
    here = Path(__file__).parents[1]
    try:
        commit = _git(here, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(here, "status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
