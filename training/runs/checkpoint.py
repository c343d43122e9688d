"""Checkpoint folders: standard Hugging Face files plus stage.json, appearing whole or not at all.

A stage writes beside its destination and renames at the end, so a killed run leaves no half checkpoint where a good
one is expected, and a finished folder can be recognised by its stage.json alone (without importing torch).
"""

import datetime
import hashlib
import importlib.metadata
import json
import math
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.recipe import Recipe
from training.runs import distributed as processes

RECORD = "stage.json"
HISTORY = "history.json"

# What of a recipe decides a stage's result: its own section and those of all stages before it.
SECTIONS = {
    "tokenizer": ("seed", "data", "tokenizer", "model", "precision"),
    "base": ("pretrain",),
    "sft": ("sft",),
    "pairs": ("pairs",),
    "reward": ("reward",),
    "rlhf": ("rl",),
}
COMMANDS = {"base": "pretrain", "rlhf": "rl"}  # the command that makes a stage, where the names differ
LIBRARIES = ("torch", "transformers", "trl", "tokenizers", "datasets", "accelerate", "numpy")


class CheckpointError(ValueError):
    """A folder that cannot serve as parent or as destination: says which one and what to do."""


@dataclass(frozen=True)
class Job:
    """One stage about to run: where it writes, by which recipe, since when (wall and CPU seconds)."""

    stage: str
    out: Path
    recipe: Recipe
    overrides: tuple[str, ...] = ()
    parent: Path | None = None
    resume: bool = False
    started: float = field(default_factory=time.time)
    started_cpu: float = field(default_factory=time.process_time)


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return a finished checkpoint's stage.json, or None where there is none.

    Raises:
        CheckpointError: stage.json is there but is no record of a stage.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise CheckpointError(f"{path}: not JSON; remove {folder} and make it again") from None
    if not isinstance(record, dict) or not {"stage", "recipe", "weights", "parent"} <= record.keys():
        raise CheckpointError(f"{path}: not the record of a stage; remove {folder} and make it again")
    return record


def require_parent(folder: Path, stages: tuple[str, ...]) -> dict[str, Any]:
    """Return the record of a parent checkpoint.

    Raises:
        CheckpointError: the folder holds no finished checkpoint, or one of another stage.
    """
    record = read_record(folder)
    if record is None:
        command = COMMANDS.get(stages[0], stages[0])
        raise CheckpointError(f"{folder} holds no finished checkpoint: make it first (python -m training {command})")
    if record.get("stage") not in stages:
        raise CheckpointError(f"{folder} is a {record.get('stage')!r} checkpoint, this stage starts from {stages[0]!r}")
    return record


def is_finished(job: Job, *, may_replace: bool = False) -> bool:
    """Say whether the job's checkpoint is already there, made by the same recipe from the same parent.

    Only the sections of the recipe that decide this stage are compared. With may_replace a checkpoint that differs
    counts as not there.

    Raises:
        CheckpointError: a checkpoint is there that differs, or something that is no checkpoint; neither is ever
            replaced unasked.
    """
    restore(job.out)
    require_free(job.out)
    record = read_record(job.out)
    if record is None:
        return False
    difference = _difference(job, record)
    if difference and not may_replace:
        raise CheckpointError(
            f"{job.out} was made {difference} (see its {RECORD}): pass --force to replace it, or another --out"
        )
    return not difference


def _difference(job: Job, record: dict[str, Any]) -> str:
    wanted = job.recipe.model_dump(mode="json")
    if _decisive(job, record["recipe"]) != _decisive(job, wanted):
        return "by another recipe"
    parent = read_record(job.parent) if job.parent else None
    if parent and record["parent"] and record["parent"].get("weights") != parent["weights"]:
        return "from another parent"
    return ""


def _decisive(job: Job, recipe: dict[str, Any]) -> dict[str, Any]:
    stages = list(SECTIONS)
    before = stages[: stages.index(job.stage) + 1]
    return {key: recipe.get(key) for stage in before for key in SECTIONS[stage]}


def require_free(out: Path) -> None:
    """Let a destination through that is new, empty, or a checkpoint.

    Raises:
        CheckpointError: something else is there, or nothing can be written there.
    """
    if not out.name:
        raise CheckpointError(f"--out {str(out)!r} names no folder of its own: pass a new one")
    if out.exists() and not (out.is_dir() and ((out / RECORD).is_file() or not any(out.iterdir()))):
        raise CheckpointError(f"{out} is there and holds no checkpoint: pass another --out, or move it away")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{out} cannot be written: {error.strerror}: pass another --out") from None


def restore(out: Path) -> None:
    """Bring back the earlier checkpoint where a process was killed between moving it away and its successor in."""
    replaced = out.with_name(out.name + ".replaced") if out.name else out
    if not out.exists() and replaced.exists():
        replaced.rename(out)


def open_work(job: Job) -> Path:
    """Return the folder of what a stage has done so far, ``OUT.unfinished``, new or, with job.resume, as it was left.

    Raises:
        CheckpointError: unfinished work is there and job.resume is not set, or it was begun by another recipe.
    """
    folder = job.out.with_name(job.out.name + ".unfinished")
    if processes.is_first():
        _open(job, folder)
    processes.wait()
    return folder


def _open(job: Job, folder: Path) -> None:
    begun = folder / "begun.json"
    mine = {
        "stage": job.stage,
        "recipe": _decisive(job, job.recipe.model_dump(mode="json")),
        "parent": _describe_parent(job),
    }
    if begun.is_file() and job.resume:
        if json.loads(begun.read_text(encoding="utf-8")) != mine:
            raise CheckpointError(
                f"{folder} was begun by another recipe or from another parent: remove it, "
                "or go on by the one it was begun with"
            )
        return
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    begun.write_text(json.dumps(mine, indent=2) + "\n", encoding="utf-8")


def require_no_work(job: Job, *, may_replace: bool) -> None:
    """Let a job through that nothing unfinished stands in the way of.

    Raises:
        CheckpointError: a killed run left work, and neither resuming nor replacing was asked for.
    """
    folder = job.out.with_name(job.out.name + ".unfinished")
    if folder.exists() and not job.resume and not may_replace:
        raise CheckpointError(
            f"{folder} holds the work of a run that was stopped: pass --resume to go on, or --force to begin anew"
        )


def close_work(job: Job) -> None:
    """Remove what a finished stage kept on its way."""
    shutil.rmtree(job.out.with_name(job.out.name + ".unfinished"), ignore_errors=True)


def require_room(job: Job, *, parameters: int, batch_tokens: int, vocabulary: int, copies: int = 2) -> None:
    """Refuse a stage early when disk or memory will not do.

    Memory is that of one process: weights, gradients and two moments of AdamW (16 bytes a parameter, of its own part
    where they are sharded), the logits of the rows that it takes at once and their activations; on disk, so many copies
    of weights with optimizer state (12 bytes a parameter) and the checkpoint.

    Raises:
        CheckpointError: says how much is needed, how much there is, and what to change.
    """
    import psutil
    import torch

    shape = job.recipe.model
    activations = batch_tokens * max(shape.layers, 1) * max(shape.hidden_size, 64) * 34 * 2
    held = parameters // processes.count() if processes.is_sharded() else parameters
    memory = 16 * held + 10 * batch_tokens * vocabulary + activations
    free = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available
    if memory > free:
        raise CheckpointError(
            f"{job.stage} needs about {memory / 2**30:.1f} GiB of memory and {free / 2**30:.1f} are free: "
            "lower batch, raise accumulate, or make the model smaller"
        )
    disk = (12 * copies + 4) * parameters + 2 * batch_tokens
    free = shutil.disk_usage(next(p for p in (job.out, *job.out.absolute().parents) if p.exists())).free
    if disk > free:
        raise CheckpointError(
            f"{job.stage} needs about {disk / 2**30:.1f} GiB on the disk of {job.out} and {free / 2**30:.1f} are free: "
            "make room, or pass another --out"
        )


def write_stage(
    job: Job,
    save: Callable[[Path], None],
    *,
    fingerprint: str,
    tokens: int,
    heldout: dict[str, float],
    history: list[dict[str, float]] | None = None,
) -> dict[str, Any]:
    """Let save() fill a folder, add stage.json, and move it to its destination in one rename.

    tokens: tokens seen in training by this stage. heldout: the stage's figures on what it never saw. history: what
    its trainer logged, kept in history.json.
    """
    restore(job.out)
    require_free(job.out)
    partial = job.out.with_name(job.out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save(partial)
    record = {
        "stage": job.stage,
        "parent": _describe_parent(job),
        "recipe": job.recipe.model_dump(mode="json"),
        "overrides": list(job.overrides),
        "seed": job.recipe.seed,
        "data": fingerprint,
        "weights": hash_weights(partial),
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "source": source_commit(),
        "tokens": tokens,
        "wall_seconds": round(time.time() - job.started, 1),
        "cpu_seconds": round(time.process_time() - job.started_cpu, 1),
        "heldout": heldout,
        "parameters": count_parameters(partial),
        "machine": describe_machine(),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    if history:
        rows = ",\n".join(json.dumps(row) for row in history)
        (partial / HISTORY).write_text(f"[\n{rows}\n]\n", encoding="utf-8")
    (partial / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    replaced = job.out.with_name(job.out.name + ".replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if job.out.exists():
        job.out.rename(replaced)
    partial.rename(job.out)
    shutil.rmtree(replaced, ignore_errors=True)
    close_work(job)
    return record


def hash_weights(folder: Path) -> str | None:
    """Return the SHA-256 of a folder's safetensors files in the order of their names, None where there are none."""
    files = sorted(folder.glob("*.safetensors"))
    return hash_files(files) if files else None


def hash_files(files: list[Path]) -> str:
    """Return the SHA-256 of files' contents, one after the other."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return "sha256:" + digest.hexdigest()


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
    here = Path(__file__).parent
    try:
        commit = _git(here, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(here, "status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def _describe_parent(job: Job) -> dict[str, Any] | None:
    if job.parent is None:
        return None
    record = read_record(job.parent)
    return {"name": job.parent.name, "stage": record and record["stage"], "weights": record and record["weights"]}
