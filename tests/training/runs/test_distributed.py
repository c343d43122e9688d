"""Several processes training together: the same checkpoints as one alone, written once."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.paths import ROOT
from training.__main__ import FAMILY
from training.recipe import Lora, Recipe
from training.runs import distributed as processes
from training.runs.arguments import lora_config, share_of_batch, whole_model
from training.runs.checkpoint import CheckpointError, Job, open_work, require_room


def launch(*words: object) -> "subprocess.CompletedProcess[str]":
    """Run ``python -m training`` in two processes, as accelerate launch does on two graphics cards."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "training"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        [*command, *map(str, words)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def losses(folder: Path) -> list[float]:
    rows = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    return [row["loss"] for row in rows if "loss" in row]


@pytest.mark.slow
def test_two_processes_train_the_family_that_one_does(
    tiny_family: Path, tiny_settings: list[str], tmp_path: Path
) -> None:
    done = launch("run", "nano", "--out", tmp_path / "two", *tiny_settings)
    assert done.returncode == 0, done.stderr[-3000:]
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == sorted(step.folder for step in FAMILY)
    assert losses(tmp_path / "two" / "base") == pytest.approx(losses(tiny_family / "base"), rel=1e-3)
    assert losses(tmp_path / "two" / "sft") == pytest.approx(losses(tiny_family / "sft"), rel=0.02)
    for step in FAMILY:  # each is told of once
        assert done.stderr.count(f" {step.stage} -> ") == 1
        assert done.stdout.count(f"{step.folder}: held out: ") == 1


def test_a_batch_that_does_not_part_among_the_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert share_of_batch(7) == 7
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert share_of_batch(8) == 4
    with pytest.raises(CheckpointError, match="7 rows at once do not part among 2 processes"):
        share_of_batch(7)


def test_adapters_are_refused_where_weights_are_sharded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert lora_config(None, "CAUSAL_LM") is None
    with pytest.raises(CheckpointError, match="launch without FSDP"):
        lora_config(Lora(), "CAUSAL_LM")


def test_one_process_waits_for_nobody_and_is_the_first() -> None:
    assert (processes.count(), processes.is_first()) == (1, True)
    processes.wait()
    assert processes.agree(True) is True
    assert processes.agree(False) is False


def test_the_second_process_writes_and_says_nothing(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = Job("base", tmp_path / "base", recipe)
    for rank, said in (("1", ""), ("0", "hello\n")):
        monkeypatch.setenv("RANK", rank)
        folder = open_work(job)
        processes.say("hello")
        assert capsys.readouterr().err == said
        assert folder.exists() == bool(said)


@pytest.mark.parametrize(("sharded", "is_refused"), [("false", True), ("true", False)])
def test_sharded_weights_need_a_part_of_the_memory(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, sharded: str, is_refused: bool
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", sharded)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2 * 2**30))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    job = Job("base", tmp_path / "base", recipe)
    with pytest.raises(CheckpointError, match=r"3\.0 GiB of memory and 2\.0 are free") if is_refused else nullcontext():
        require_room(job, parameters=3 * 2**26, batch_tokens=0, vocabulary=0)


def test_sharded_weights_are_gathered_before_they_are_measured(tmp_path: Path, make_model: Any) -> None:
    import torch

    trained, other = make_model(seed=1), make_model(seed=2)
    trainer: Any = SimpleNamespace(
        model=other,  # what one process holds
        accelerator=SimpleNamespace(unwrap_model=lambda model: model),
        args=SimpleNamespace(output_dir=str(tmp_path)),
        is_fsdp_enabled=True,
        save_model=trained.save_pretrained,  # as the Trainer does, from all of them
    )
    model = whole_model(trainer)
    assert type(model) is type(trained)
    for name, weights in model.state_dict().items():
        assert torch.equal(weights, trained.state_dict()[name])


def test_accelerate_reads_how_weights_are_sharded() -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(ROOT / "training" / "fsdp.yaml"))
    assert config.distributed_type == "FSDP"
    assert config.fsdp_config["fsdp_state_dict_type"] == "FULL_STATE_DICT"  # what the next stage loads
