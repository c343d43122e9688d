"""A run that was killed goes on where its last save was, and ends as if nothing had happened."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from common.weights import hash_weights
from tests.paths import ROOT
from training.__main__ import main
from training.runs.arguments import last_save

pytestmark = pytest.mark.slow


SMALL = ("data.examples=200", "tokenizer.vocab_size=320", "model.hidden_size=32", "model.heads=2", "model.layers=1")
SMALL += ("model.mlp_size=32", "model.context=64", "pretrain.tokens=400000", "pairs.max_reply_tokens=8")
SMALL += ("rl.max_reply_tokens=8",)
SETTINGS = [word for setting in SMALL for word in ("--set", setting)]

WILD = ("--set", "pretrain.learning_rate=1e30")

# Saves after every step, as a stage does by the clock.
PRETRAIN = """
import sys
from training.runs import callbacks
callbacks.Autosave.__init__.__defaults__ = (0.0,)
from training.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume") / "tokenizer"
    assert main(["tokenizer", "--out", str(folder), *SETTINGS]) == 0
    return folder


def start(tokenizer: Path, out: Path) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-c", PRETRAIN, "pretrain", "--model", str(tokenizer), "--out", str(out)]
    return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def kill_on_the_way(tokenizer: Path, out: Path) -> Path:
    """Start pretraining, kill -9 it after some saves, and return what it left."""
    work = out.with_name(out.name + ".unfinished")
    process = start(tokenizer, out)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        steps = [int(p.name.split("-")[1]) for p in work.glob("checkpoint-*") if (p / "trainer_state.json").is_file()]
        if steps and max(steps) >= 20:
            break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return work


def curve(folder: Path) -> list[tuple[float, float]]:
    rows = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    return [(row["step"], row["loss"]) for row in rows if "loss" in row]


def test_a_run_whose_loss_is_no_number_stops_before_it_saves_and_says_what_to_change(
    tokenizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "base"
    assert main(["pretrain", "--model", str(tokenizer), "--out", str(out), *WILD]) == 2
    [error] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert re.search(r"step \d+: (loss|grad_norm) is (nan|inf)", error)
    assert "learning_rate" in error
    assert not out.exists()


def test_training_leaves_attention_to_kernels_whose_gradients_are_numbers(tokenizer: Path, tmp_path: Path) -> None:
    torch.backends.cuda.enable_cudnn_sdp(True)
    main(["pretrain", "--model", str(tokenizer), "--out", str(tmp_path / "base"), *WILD])
    assert not torch.backends.cuda.cudnn_sdp_enabled()


def test_a_killed_run_resumes_to_the_curve_and_the_weights_of_an_uninterrupted_one(
    tokenizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    words = ["pretrain", "--model", str(tokenizer), "--out"]
    assert main([*words, str(whole)]) == 0
    work = kill_on_the_way(tokenizer, broken)
    assert list(work.glob("checkpoint-*"))
    assert not broken.exists()
    capsys.readouterr()
    assert main([*words, str(broken)]) == 2
    assert "pass --resume to continue, or --force to begin anew" in capsys.readouterr().err
    assert main([*words, str(broken), "--resume"]) == 0
    assert not work.exists()
    assert curve(broken) == curve(whole)
    assert hash_weights(broken) == hash_weights(whole)


def test_a_save_that_the_kill_fell_into_is_passed_over(tmp_path: Path) -> None:
    assert last_save(tmp_path) is None
    for step, state in ((5, "{}"), (10, "{}"), (15, '{"global'), (100, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert last_save(tmp_path) == tmp_path / "checkpoint-10"


def test_work_begun_by_another_recipe_is_not_gone_on_with(
    tokenizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = kill_on_the_way(tokenizer, tmp_path / "base")
    capsys.readouterr()
    words = ["pretrain", "--model", str(tokenizer), "--out", str(tmp_path / "base"), "--resume"]
    assert main([*words, "--set", "pretrain.learning_rate=0.1"]) == 2
    assert "was begun by another recipe" in capsys.readouterr().err
    assert work.exists()


def test_force_begins_anew(tokenizer: Path, tmp_path: Path) -> None:
    work = tmp_path / "base.unfinished"
    work.mkdir()
    (work / "checkpoint-7").mkdir()
    words = ["pretrain", "--model", str(tokenizer), "--out", str(tmp_path / "base"), "--force"]
    assert main([*words, "--set", "pretrain.tokens=4096"]) == 0
    assert not work.exists()
