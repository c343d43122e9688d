"""Several processes training together: the same checkpoints as one alone, written once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT
from training.recipe import Recipe
from training.runs import distributed
from training.runs.job import Job
from training.runs.work import open_work
from training.stages import BASE, STAGES


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
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == sorted(stage.name for stage in STAGES)
    assert losses(tmp_path / "two" / "base") == pytest.approx(losses(tiny_family / "base"), rel=1e-3)
    assert losses(tmp_path / "two" / "sft") == pytest.approx(losses(tiny_family / "sft"), rel=0.02)
    for stage in STAGES:  # each is announced once
        assert done.stderr.count(f" {stage.command} -> ") == 1
        assert done.stdout.count(f"{stage.name}: held out: ") == 1


def test_one_process_waits_for_nobody_and_is_the_first() -> None:
    assert (distributed.count(), distributed.is_first()) == (1, True)
    distributed.wait()
    assert distributed.agree(True) is True
    assert distributed.agree(False) is False


def test_the_second_process_writes_and_prints_nothing(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = Job(BASE, tmp_path / "base", recipe)
    for rank, printed in (("1", ""), ("0", "hello\n")):
        monkeypatch.setenv("RANK", rank)
        folder = open_work(job)
        distributed.announce("hello")
        assert capsys.readouterr().err == printed
        assert folder.exists() == bool(printed)


def test_accelerate_reads_how_weights_are_sharded() -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(ROOT / "training" / "fsdp.yaml"))
    assert config.distributed_type == "FSDP"
    assert config.fsdp_config["fsdp_state_dict_type"] == "FULL_STATE_DICT"  # what the next stage loads
