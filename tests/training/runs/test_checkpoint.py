"""Checkpoint folders appear whole or not at all, whatever interrupts them."""

import hashlib
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from common.weights import hash_weights
from tests.paths import ROOT
from training.recipe import Recipe, load_recipe
from training.runs.checkpoint import (
    CheckpointError,
    is_finished,
    read_record,
    require_stage,
    write_stage,
)
from training.runs.job import Job
from training.stages import BASE, SFT, TOKENIZER

# Replaces a checkpoint and is killed with a file half written.
KILLED = """
import os, signal, sys
from pathlib import Path
from training.recipe import load_recipe
from training.runs.checkpoint import write_stage
from training.runs.job import Job
from training.stages import BASE

def save(folder):
    with open(folder / "model.safetensors", "wb") as file:
        file.write(b"half")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)

job = Job(BASE, Path(sys.argv[1]), load_recipe("nano"))
write_stage(job, save, fingerprint="sha256:1", tokens=1, heldout={})
"""


def write(job: Job, weights: bytes = b"weights") -> dict[str, Any]:
    return write_stage(
        job,
        lambda folder: (folder / "model.safetensors").write_bytes(weights) and None,
        fingerprint="sha256:0",
        tokens=7,
        heldout={"loss": 1.5},
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_record_says_how_its_checkpoint_was_made(tmp_path: Path, make_checkpoint: Any) -> None:
    parent = make_checkpoint("tokenizer")
    recipe = load_recipe("nano", ["seed=5"])
    job = Job(BASE, tmp_path / "base", recipe, overrides=("seed=5",), parent=parent)
    record = write(job)
    assert record == read_record(job.out) == json.loads((job.out / "stage.json").read_text())
    assert record["stage"] == "base"
    assert record["parent"] == {"name": "tokenizer", "stage": "tokenizer", "weights": hash_weights(parent)}
    assert record["recipe"] == recipe.model_dump(mode="json")
    assert record["overrides"] == ["seed=5"]
    assert record["seed"] == 5
    assert record["data"] == "sha256:0"
    assert record["weights"] == "sha256:" + hashlib.sha256(b"weights").hexdigest()
    assert {"torch", "transformers", "trl"} <= set(record["versions"])
    assert record["tokens"] == 7
    assert record["heldout"] == {"loss": 1.5}
    assert all(math.isfinite(record[key]) and record[key] >= 0 for key in ("wall_seconds", "cpu_seconds"))


def test_a_finished_checkpoint_leaves_nothing_beside_it(tmp_path: Path, recipe: Recipe) -> None:
    job = Job(BASE, tmp_path / "base", recipe)
    write(job)
    write(job, b"newer")
    assert [path.name for path in tmp_path.iterdir()] == ["base"]
    assert (job.out / "model.safetensors").read_bytes() == b"newer"


def test_nothing_of_the_replaced_checkpoint_is_left_in_the_new_one(tmp_path: Path, make_checkpoint: Any) -> None:
    old = make_checkpoint("base", save=lambda folder: (folder / "old.bin").write_bytes(b"x") and None)
    assert (old / "old.bin").exists()
    assert set(contents(make_checkpoint("base"))) == {"model.safetensors", "stage.json"}


def test_a_save_that_fails_leaves_no_checkpoint(tmp_path: Path, recipe: Recipe) -> None:
    job = Job(BASE, tmp_path / "deep" / "base", recipe)

    def save(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_stage(job, save, fingerprint="", tokens=0, heldout={})
    assert not job.out.exists()
    assert not is_finished(job)


def test_a_save_that_fails_leaves_the_older_checkpoint_as_it_was(make_checkpoint: Any) -> None:
    folder = make_checkpoint("base")
    before = contents(folder)

    def save(partial: Path) -> None:
        (partial / "model.safetensors").write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        make_checkpoint("base", save=save)
    assert contents(folder) == before


@pytest.mark.parametrize("has_older", [False, True])
def test_a_kill_in_the_middle_of_saving_leaves_what_was_there_and_the_next_run_works(
    tmp_path: Path, has_older: bool
) -> None:
    job = Job(BASE, tmp_path / "base", load_recipe("nano"))
    if has_older:
        write(job)
    before = contents(job.out) if has_older else None
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(job.out)], cwd=ROOT, capture_output=True, check=False, timeout=60
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert (contents(job.out) if job.out.exists() else None) == before
    assert is_finished(job) == has_older
    write(job, b"newer")
    assert contents(job.out)["model.safetensors"] == b"newer"
    assert os.listdir(tmp_path) == ["base"]


@pytest.mark.parametrize("may_replace", [False, True])
def test_a_folder_that_is_no_checkpoint_is_never_replaced(tmp_path: Path, recipe: Recipe, may_replace: bool) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    assert read_record(folder) is None
    with pytest.raises(CheckpointError, match="mine exists and is not a checkpoint"):
        is_finished(Job(BASE, folder, recipe), may_replace=may_replace)
    with pytest.raises(CheckpointError, match="mine exists and is not a checkpoint"):
        write(Job(BASE, folder, recipe))
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_an_empty_folder_is_a_fine_destination(tmp_path: Path, recipe: Recipe) -> None:
    job = Job(BASE, tmp_path / "new", recipe)
    job.out.mkdir()
    assert not is_finished(job)
    write(job)
    assert is_finished(job)


def test_a_checkpoint_moved_aside_by_a_killed_process_comes_back(tmp_path: Path, recipe: Recipe) -> None:
    job = Job(BASE, tmp_path / "base", recipe)
    write(job)
    job.out.rename(tmp_path / "base.replaced")
    assert is_finished(job)
    assert not (tmp_path / "base.replaced").exists()


@pytest.mark.parametrize("out", [".", "file/x"])
def test_a_destination_that_cannot_be_written_is_said_before_the_work(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="pass"):
        is_finished(Job(BASE, Path(out), recipe))


def test_only_the_sections_that_decide_a_stage_are_compared(tmp_path: Path, recipe: Recipe) -> None:
    job = Job(BASE, tmp_path / "base", recipe)
    write(job)
    later = recipe.model_copy(update={"rl": recipe.rl.model_copy(update={"steps": 999})})
    assert is_finished(Job(BASE, job.out, later))
    earlier = recipe.model_copy(update={"seed": 5})
    with pytest.raises(CheckpointError, match="another recipe"):
        is_finished(Job(BASE, job.out, earlier))


def test_a_checkpoint_whose_recipe_names_tasks_by_their_older_spelling_is_kept(tmp_path: Path, recipe: Recipe) -> None:
    job = Job(BASE, tmp_path / "base", recipe)
    record = write(job)
    record["recipe"]["data"]["families"] = record["recipe"]["data"].pop("tasks")
    (job.out / "stage.json").write_text(json.dumps(record))
    assert is_finished(job)


def test_a_checkpoint_whose_parent_was_made_anew_is_not_kept(tmp_path: Path, recipe: Recipe) -> None:
    parent = Job(BASE, tmp_path / "base", recipe)
    child = Job(SFT, tmp_path / "sft", recipe, parent=parent.out)
    write(parent)
    write(child)
    assert is_finished(child)
    write(parent, weights=b"other weights")
    with pytest.raises(CheckpointError, match="another parent"):
        is_finished(child)


def test_a_checkpoint_by_the_same_recipe_is_finished_and_by_another_is_refused(
    make_checkpoint: Any, recipe: Recipe
) -> None:
    folder = make_checkpoint("base")
    assert is_finished(Job(BASE, folder, recipe))
    other = recipe.model_copy(update={"seed": 1})
    with pytest.raises(CheckpointError, match=r"base was made by another recipe .*--force"):
        is_finished(Job(BASE, folder, other))


def test_a_broken_record_is_named(make_checkpoint: Any) -> None:
    folder = make_checkpoint("base")
    (folder / "stage.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"base/stage\.json: not JSON"):
        read_record(folder)


def test_a_missing_parent_and_one_of_another_stage_are_named(tmp_path: Path, make_checkpoint: Any) -> None:
    with pytest.raises(CheckpointError, match="nowhere holds no finished checkpoint: make it first"):
        require_stage(tmp_path / "nowhere", SFT)
    folder = make_checkpoint("tokenizer")
    with pytest.raises(CheckpointError, match="tokenizer is a 'tokenizer' checkpoint, this stage starts from 'sft'"):
        require_stage(folder, SFT)
    assert require_stage(folder, TOKENIZER)["stage"] == "tokenizer"


def test_the_hash_changes_with_any_weight_and_with_nothing_else(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    weights = {"a": torch.zeros(3), "b": torch.ones(2, 2)}
    save_file(weights, tmp_path / "model.safetensors")
    before = hash_weights(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert hash_weights(tmp_path) == before
    weights["b"][1, 1] += 1e-6
    save_file(weights, tmp_path / "model.safetensors")
    assert hash_weights(tmp_path) != before


def test_a_model_in_several_files_is_hashed_in_the_order_of_their_names(tmp_path: Path) -> None:
    for number in (5, 2, 8, 1, 7, 4, 3, 6):
        (tmp_path / f"model-{number}.safetensors").write_bytes(str(number).encode())
    assert hash_weights(tmp_path) == "sha256:" + hashlib.sha256(b"12345678").hexdigest()


def test_a_folder_without_weights_has_no_hash(tmp_path: Path) -> None:
    assert hash_weights(tmp_path) is None
