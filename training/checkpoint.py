"""Checkpoint folders: standard Hugging Face files plus stage.json, appearing whole or not at all.

A stage writes beside its destination and renames at the end, so a killed run leaves no half checkpoint where a good
one is expected, and a finished folder can be recognised by its stage.json alone (without importing torch).
"""

import datetime
import hashlib
import importlib.metadata
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.recipe import Recipe

RECORD = "stage.json"
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
    started: float = field(default_factory=time.time)
    started_cpu: float = field(default_factory=time.process_time)


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return a finished checkpoint's stage.json, or None where there is none.

    Raises:
        CheckpointError: stage.json is there but is not JSON.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise CheckpointError(f"{path}: not JSON; remove {folder} and make it again") from None
    return record


def require_parent(folder: Path, stages: tuple[str, ...]) -> dict[str, Any]:
    """Return the record of a parent checkpoint.

    Raises:
        CheckpointError: the folder holds no finished checkpoint, or one of another stage.
    """
    record = read_record(folder)
    if record is None:
        raise CheckpointError(f"{folder} holds no finished checkpoint: make it first (python -m training {stages[0]})")
    if record.get("stage") not in stages:
        raise CheckpointError(f"{folder} is a {record.get('stage')!r} checkpoint, this stage starts from {stages[0]!r}")
    return record


def is_finished(job: Job) -> bool:
    """Say whether the job's checkpoint is already there, made by the same recipe.

    Raises:
        CheckpointError: a checkpoint is there, but by another recipe; it is never replaced unasked.
    """
    record = read_record(job.out)
    if record is None:
        return False
    if record["recipe"] != job.recipe.model_dump():
        raise CheckpointError(
            f"{job.out} was made by another recipe (see its {RECORD}): pass --force to replace it, or another --out"
        )
    return True


def write_stage(
    job: Job,
    save: Callable[[Path], None],
    *,
    fingerprint: str,
    tokens: int,
    heldout: dict[str, float],
) -> dict[str, Any]:
    """Let save() fill a folder, add stage.json, and move it to its destination in one rename.

    tokens: tokens seen in training by this stage. heldout: the stage's figures on what it never saw.
    """
    partial = job.out.with_name(job.out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save(partial)
    record = {
        "stage": job.stage,
        "parent": _describe_parent(job),
        "recipe": job.recipe.model_dump(),
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
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    (partial / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    replaced = job.out.with_name(job.out.name + ".replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if job.out.exists():
        job.out.rename(replaced)
    partial.rename(job.out)
    shutil.rmtree(replaced, ignore_errors=True)
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
