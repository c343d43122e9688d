"""Unfinished work: opened anew, continued when asked, and never mixed with another recipe's."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from training.recipe import Recipe
from training.runs.checkpoint import CheckpointError
from training.runs.job import Job
from training.runs.work import open_work, require_no_work
from training.stages import BASE


@pytest.fixture
def job(tmp_path: Path, recipe: Recipe) -> Job:
    return Job(BASE, tmp_path / "base", recipe)


def test_work_is_begun_anew_unless_it_is_resumed(job: Job) -> None:
    folder = open_work(job)
    assert folder == job.out.with_name("base.unfinished")
    (folder / "rows.npy").write_bytes(b"rows")
    assert (open_work(replace(job, resume=True)) / "rows.npy").exists()
    assert not (open_work(job) / "rows.npy").exists()


def test_work_of_another_recipe_is_not_continued(job: Job, recipe: Recipe) -> None:
    open_work(job)
    other = replace(job, recipe=recipe.model_copy(update={"seed": 9}), resume=True)
    with pytest.raises(CheckpointError, match="was begun by another recipe"):
        open_work(other)


def test_work_whose_recipe_names_tasks_by_their_older_spelling_is_continued(job: Job) -> None:
    begun = open_work(job) / "begun.json"
    record = json.loads(begun.read_text())
    record["recipe"]["data"]["families"] = record["recipe"]["data"].pop("tasks")
    begun.write_text(json.dumps(record))
    assert open_work(replace(job, resume=True)) == job.work


def test_work_in_the_way_is_refused_unless_it_may_be_continued_or_dropped(job: Job) -> None:
    require_no_work(job, may_replace=False)
    open_work(job)
    with pytest.raises(CheckpointError, match="pass --resume to continue, or --force to begin anew"):
        require_no_work(job, may_replace=False)
    require_no_work(job, may_replace=True)
    require_no_work(replace(job, resume=True), may_replace=False)
