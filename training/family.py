"""Run the stages of a family: all that are missing, one after the other, or one of them alone."""

import time
from dataclasses import replace
from pathlib import Path

from training.recipe import Recipe, load_recipe, override, parse_recipe
from training.runs import distributed
from training.runs.checkpoint import RECORD, CheckpointError, is_finished, read_record
from training.runs.job import Job
from training.runs.libraries import prepare_libraries
from training.runs.work import require_no_work
from training.stages import PAIRS, REWARD, STAGES


def run_family(
    recipe: Recipe, out: Path, *, overrides: tuple[str, ...] = (), may_replace: bool = False, resume: bool = False
) -> None:
    """Run the stages that are missing, one after the other, each into its folder below out.

    Raises:
        CheckpointError: a checkpoint that differs or unfinished work is in the way; nothing has been run then.
    """
    began = time.monotonic()
    jobs = [
        Job(
            stage,
            out / stage.name,
            recipe,
            overrides=overrides,
            parent=out / stage.parent.name if stage.parent else None,
            pairs=out / PAIRS.name,
            reward=out / REWARD.name,
            resume=resume,
        )
        for stage in STAGES
    ]
    missing = [not is_finished(job, may_replace=may_replace) for job in jobs]
    for job in jobs:
        require_no_work(job, may_replace=may_replace)
    if not any(missing):
        distributed.announce(f"{out}: all stages are there")
        return
    start = missing.index(True)
    for job in jobs[:start]:
        distributed.announce(f"{job.out}: kept")
    done, todo = 0.0, sum(stage.time_share for stage in STAGES[start:])
    for number, job in enumerate(jobs[start:], start=start + 1):
        left = f", about {_minutes((time.monotonic() - began) * (todo - done) / done)} left" if done else ""
        distributed.announce(f"[{number}/{len(STAGES)}] {job.stage.command} -> {job.out}{left}")
        run_job(job)
        done += job.stage.time_share
    distributed.announce(f"{out}: done in {_minutes(time.monotonic() - began)}")


def run_alone(job: Job, *, may_replace: bool) -> None:
    """Run a single stage.

    Raises:
        CheckpointError: a checkpoint or unfinished work is in the way at the destination.
    """
    require_no_work(job, may_replace=may_replace)
    if is_finished(job, may_replace=may_replace) and not may_replace:
        raise CheckpointError(f"{job.out} is finished already: pass --force to replace it, or another --out")
    run_job(job)


def choose_recipe(named: str | None, parent: Path | None, overrides: list[str]) -> Recipe:
    """Return the recipe that is named, else the one that the parent was made by, else nano; with overrides.

    Raises:
        CheckpointError: no recipe is named and the parent is no finished checkpoint.
        RecipeError: the recipe or an override cannot be used.
    """
    if named or parent is None:
        return load_recipe(named or "nano", overrides)
    record = read_record(parent)
    if record is None:
        raise CheckpointError(f"{parent} holds no finished checkpoint: give --model another folder")
    return parse_recipe(override(record["recipe"], overrides), str(parent / RECORD))


def run_job(job: Job) -> None:
    """Run one job and print its held-out figures. torch is imported here, so that errors before it are instant."""
    data = job.recipe.data
    prepare_libraries(is_offline=job.recipe.model.start is None and data.text is data.chats is None)
    import transformers

    run = job.stage.load()
    # The same stage gives the same result alone and inside a run.
    transformers.set_seed(job.recipe.seed)
    job = replace(job, started=time.time(), started_cpu=time.process_time())
    distributed.wait()  # no process writes before every process has seen what is there
    if job.outside:
        from training.parents.adopt import adopt

        job = adopt(job)
    figures = run(job) if job.stage.has_weights or distributed.is_first() else {}
    distributed.wait()
    if distributed.is_first():
        print(f"{job.out}: held out: " + ", ".join(f"{key} {value:g}" for key, value in figures.items()), flush=True)


def find_checkpoints(folders: list[Path]) -> list[Path]:
    """Return the finished checkpoints with weights that the folders are or hold: language models, then reward models.

    Raises:
        CheckpointError: a folder that neither is nor holds one.
    """
    found = []
    kinds = ("language model", "reward model")
    order = [stage.name for kind in kinds for stage in STAGES if stage.makes == kind]
    for folder in folders:
        stages = {here: (read_record(here) or {}).get("stage") for here in (folder, *sorted(folder.glob("*/")))}
        kept = [here for name in order for here, stage in stages.items() if stage == name]
        if not kept:
            raise CheckpointError(
                f"{folder} is no checkpoint and holds none: python -m training run demo makes a family"
            )
        found += kept
    return found


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.0f} s"
