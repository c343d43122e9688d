"""Unfinished work: what a stage keeps beside its destination until it is done, so that a stopped run can continue."""

import json
import shutil
from pathlib import Path

from training.recipe import modernise
from training.runs import distributed
from training.runs.checkpoint import CheckpointError, describe_parent
from training.runs.job import Job


def open_work(job: Job) -> Path:
    """Return the folder of a stage's unfinished work, ``OUT.unfinished``: empty or, with job.resume, as it was left.

    Raises:
        CheckpointError: job.resume is set and the work was begun by another recipe or from another parent.
    """
    if distributed.is_first():
        _open(job)
    distributed.wait()
    return job.work


def _open(job: Job) -> None:
    begun = job.work / "begun.json"
    mine = {
        "stage": job.stage.name,
        "recipe": job.stage.decisive(job.recipe.model_dump(mode="json")),
        "parent": describe_parent(job),
    }
    if begun.is_file() and job.resume:
        before = json.loads(begun.read_text(encoding="utf-8"))
        if before | {"recipe": modernise(before["recipe"])} != mine:
            raise CheckpointError(
                f"{job.work} was begun by another recipe or from another parent: remove it, "
                "or continue with the one it was begun with"
            )
        return
    if job.work.exists():
        shutil.rmtree(job.work)
    job.work.mkdir(parents=True)
    begun.write_text(json.dumps(mine, indent=2) + "\n", encoding="utf-8")


def require_no_work(job: Job, *, may_replace: bool) -> None:
    """Refuse a job whose destination has unfinished work beside it.

    Raises:
        CheckpointError: a stopped run left work, and neither resuming nor replacing was asked for.
    """
    if job.work.exists() and not job.resume and not may_replace:
        raise CheckpointError(
            f"{job.work} holds the work of a run that was stopped: pass --resume to continue, or --force to begin anew"
        )
