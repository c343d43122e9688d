"""Checkpoint folders: standard Hugging Face files plus stage.json, appearing whole or not at all.

A stage writes beside its destination and renames at the end, so a killed run leaves no half checkpoint where a good
one is expected, and a finished folder can be recognised by its stage.json alone (without importing torch).
"""

import datetime
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.weights import hash_weights
from training.runs.job import Job, Stage
from training.runs.provenance import count_parameters, describe_machine, library_versions, source_commit

RECORD = "stage.json"
HISTORY = "history.json"


class CheckpointError(ValueError):
    """A stage that cannot run, most often for a folder that is missing or in the way; the message says what to do."""


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return a finished checkpoint's stage.json, None where there is none.

    Raises:
        CheckpointError: there is a stage.json that is not the record of a stage.
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


def require_stage(folder: Path | None, stage: Stage | None) -> dict[str, Any]:
    """Return the record of a checkpoint that another stage builds on.

    Raises:
        CheckpointError: the folder holds no finished checkpoint, or one of another stage.
    """
    assert folder is not None
    assert stage is not None
    record = read_record(folder)
    if record is None:
        raise CheckpointError(
            f"{folder} holds no finished checkpoint: make it first (python -m training {stage.command})"
        )
    if record.get("stage") != stage.name:
        raise CheckpointError(
            f"{folder} is a {record.get('stage')!r} checkpoint, this stage starts from {stage.name!r}"
        )
    return record


def require_parent(job: Job, *others: Stage) -> dict[str, Any]:
    """Return the record of a job's parent, of the stage before it or, in a second round, of one of `others`.

    A parent from outside has none: nothing was measured.

    Raises:
        CheckpointError: the folder holds no finished checkpoint, or one of another stage.
    """
    assert job.parent is not None
    if job.outside:
        return {"stage": None, "heldout": {}}
    record = read_record(job.parent)
    again = record and next((stage for stage in others if stage.name == record["stage"]), None)
    if again and not job.is_second_round:
        raise CheckpointError(
            f"{job.parent} is a {again.name!r} checkpoint: pass --second-round to start from it, or give its parent"
        )
    return require_stage(job.parent, again or job.stage.parent)


def is_finished(job: Job, *, may_replace: bool = False) -> bool:
    """Say whether the job's checkpoint is already there, made by the same recipe from the same parent.

    Only the sections of the recipe that decide this stage are compared. With may_replace, a checkpoint that differs
    counts as missing.

    Raises:
        CheckpointError: the destination holds a checkpoint that differs, or something that is not a checkpoint; neither
            is ever replaced unless asked for.
    """
    _restore(job.out)
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
    if job.stage.decisive(record["recipe"]) != job.stage.decisive(job.recipe.model_dump(mode="json")):
        return "by another recipe"
    parent = describe_parent(job)
    if parent and parent["weights"] and record["parent"] and record["parent"].get("weights") != parent["weights"]:
        return "from another parent"
    return ""


def require_free(out: Path) -> None:
    """Refuse a destination that is neither new nor empty nor a checkpoint.

    Raises:
        CheckpointError: something else is there, or nothing can be written there.
    """
    if not out.name:
        raise CheckpointError(f"--out {str(out)!r} names no folder of its own: pass a new one")
    if out.exists() and not (out.is_dir() and ((out / RECORD).is_file() or not any(out.iterdir()))):
        raise CheckpointError(f"{out} exists and is not a checkpoint: pass another --out, or move it away")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{out} cannot be written: {error.strerror}: pass another --out") from None


def _restore(out: Path) -> None:
    """Bring back an earlier checkpoint that a killed process had moved away before its successor was in place."""
    replaced = out.with_name(out.name + ".replaced") if out.name else out
    if not out.exists() and replaced.exists():
        replaced.rename(out)


def write_stage(
    job: Job,
    save: Callable[[Path], None],
    *,
    fingerprint: str,
    tokens: int,
    heldout: dict[str, float],
    history: list[dict[str, float]] | None = None,
) -> dict[str, Any]:
    """Let save() fill a folder, add stage.json, and move it to its destination in one rename; return the record.

    fingerprint: of the data. tokens: how many the stage was trained on. heldout: its figures on held-out data. history:
    what its trainer logged, kept in history.json.
    """
    _restore(job.out)
    require_free(job.out)
    partial = job.out.with_name(job.out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save(partial)
    record = {
        "stage": job.stage.name,
        "parent": describe_parent(job),
        "recipe": job.recipe.model_dump(mode="json"),
        "overrides": list(job.overrides),
        "seed": job.recipe.seed,
        "data": fingerprint,
        "weights": hash_weights(partial),
        "versions": library_versions(),
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
    for folder in (job.work, job.adopted):
        shutil.rmtree(folder, ignore_errors=True)
    return record


def describe_parent(job: Job) -> dict[str, Any] | None:
    """Return what stage.json says of the parent: its name, stage and hash of weights; None where there is none.

    Of one from outside the name is as it was given, without a stage but with the Hub's revision where it is from there.
    """
    if job.parent is None:
        return None
    if job.outside:
        revision = {"revision": job.outside.revision} if job.outside.revision else {}
        return {"name": job.outside.name, "stage": None, "weights": job.outside.weights} | revision
    record = read_record(job.parent)
    return {"name": job.parent.name, "stage": record and record["stage"], "weights": record and record["weights"]}
