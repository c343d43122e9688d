"""The command line: one line on bad input, and a finished family is recognised at once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.paths import ROOT
from training.__main__ import main
from training.recipe import load_recipe
from training.runs.checkpoint import write_stage
from training.runs.job import Job
from training.stages import STAGES

SMALL = ("--set", "data.examples=60", "--set", "tokenizer.vocab_size=320")

# Runs the command line in a fresh interpreter and says what it imported.
WITHOUT_TORCH = """
import sys
from training.__main__ import main
code = main(sys.argv[1:])
heavy = {"torch", "transformers", "trl", "datasets"} & set(sys.modules)
assert not heavy, heavy
sys.exit(code)
"""


def refuse(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run a command that must fail; return its only line on stderr, without "error: "."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert captured.out == ""
    assert lines[0].startswith("error: ")
    return lines[0].removeprefix("error: ")


@pytest.fixture
def finished_family(tmp_path: Path) -> Path:
    """A family whose stages are all finished, without any weights."""
    for stage in STAGES:
        job = Job(stage, tmp_path / "family" / stage.name, load_recipe("nano"))
        write_stage(job, lambda folder: None, fingerprint="", tokens=0, heldout={})
    return tmp_path / "family"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("rl.step=3", "unknown key 'rl.step'"),
        ("rl.steps", "override 'rl.steps' is not of the form"),
        ("rl.steps=few", "rl.steps: "),
        ("model.heads=5", "hidden_size 128 is not a multiple of heads 5"),
    ],
)
def test_nonsense_in_set_is_refused(
    tmp_path: Path, setting: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refuse(capsys, "run", "nano", "--out", tmp_path / "x", "--set", setting)
    assert message in refuse(capsys, "tokenizer", "--out", tmp_path / "x", "--set", setting)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_recipe_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no recipe 'giga'" in refuse(capsys, "run", "giga", "--out", tmp_path / "x")
    assert "no recipe 'giga'" in refuse(capsys, "tokenizer", "--recipe", "giga", "--out", tmp_path / "x")


@pytest.mark.parametrize("command", ["pretrain", "sft", "pairs", "reward", "rl"])
@pytest.mark.parametrize("recipe", [(), ("--recipe", "nano")])
def test_a_missing_parent_is_refused(
    tmp_path: Path, command: str, recipe: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    more = {"reward": ("--pairs", tmp_path), "rl": ("--reward", tmp_path)}.get(command, ())
    message = refuse(capsys, command, "--model", tmp_path / "none", "--out", tmp_path / "x", *more, *recipe)
    assert f"{tmp_path / 'none'} holds no finished checkpoint" in message
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("command", "parent", "needed"),
    [
        ("pretrain", "base", "tokenizer"),
        ("sft", "tokenizer", "base"),
        ("sft", "rlhf", "base"),
        ("pairs", "base", "sft"),
        ("reward", "base", "sft"),
        ("reward", "reward", "sft"),
        ("rl", "base", "sft"),
    ],
)
def test_a_parent_of_the_wrong_stage_is_refused(
    tmp_path: Path, make_checkpoint: Any, command: str, parent: str, needed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_checkpoint(parent)
    more = {"reward": ("--pairs", tmp_path), "rl": ("--reward", tmp_path)}.get(command, ())
    message = refuse(capsys, command, "--model", folder, "--out", tmp_path / "x", *more)
    assert f"{folder} is a '{parent}' checkpoint, this stage starts from '{needed}'" in message
    assert not (tmp_path / "x").exists()


def test_a_reward_model_of_the_wrong_stage_is_refused(
    tmp_path: Path, make_checkpoint: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    sft, base = make_checkpoint("sft"), make_checkpoint("base")
    message = refuse(capsys, "rl", "--model", sft, "--reward", base, "--out", tmp_path / "x")
    assert f"{base} is a 'base' checkpoint, this stage starts from 'reward'" in message


def test_missing_pairs_are_refused(tmp_path: Path, make_checkpoint: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sft = make_checkpoint("sft")
    message = refuse(capsys, "reward", "--model", sft, "--pairs", tmp_path / "none", "--out", tmp_path / "x")
    assert f"{tmp_path / 'none' / 'train.jsonl'} is missing" in message


def test_a_parent_with_a_broken_record_is_refused(
    tmp_path: Path, make_checkpoint: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make_checkpoint("base")
    (base / "stage.json").write_text("not json")
    assert "not JSON" in refuse(capsys, "sft", "--model", base, "--out", tmp_path / "x")


def test_a_finished_destination_is_refused_and_left_as_it_was(
    tmp_path: Path, make_checkpoint: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    base, sft = make_checkpoint("base"), make_checkpoint("sft")
    before = (sft / "stage.json").read_bytes()
    message = refuse(capsys, "sft", "--model", base, "--out", sft)
    assert f"{sft} is finished already: pass --force" in message
    assert (sft / "stage.json").read_bytes() == before


def test_a_run_over_a_family_of_another_recipe_is_refused(
    finished_family: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refuse(capsys, "run", "nano", "--out", finished_family, "--set", "seed=9")
    assert f"{finished_family / 'tokenizer'} was made by another recipe" in message


def test_a_reward_model_of_another_vocabulary_is_refused(
    tmp_path: Path,
    make_checkpoint: Any,
    make_model: Any,
    tokenizer: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from transformers import LlamaConfig, LlamaForSequenceClassification

    def save_sft(folder: Path) -> None:
        make_model().save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    def save_reward(folder: Path) -> None:
        shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
        config = LlamaConfig(vocab_size=333, num_labels=1, pad_token_id=4, **shape)
        LlamaForSequenceClassification(config).save_pretrained(folder)

    sft, reward = make_checkpoint("sft", save=save_sft), make_checkpoint("reward", save=save_reward)
    message = refuse(capsys, "rl", "--model", sft, "--reward", reward, "--out", tmp_path / "x")
    assert f"{reward} reads another vocabulary than {sft} writes" in message
    assert not (tmp_path / "x").exists()


def test_one_stage_alone_records_its_overrides_and_needs_force_to_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tokenizer"
    assert main(["tokenizer", "--out", str(out), *SMALL]) == 0
    assert f"{out}: held out: bytes_per_token " in capsys.readouterr().out
    record = json.loads((out / "stage.json").read_text())
    assert record["overrides"] == ["data.examples=60", "tokenizer.vocab_size=320"]
    assert record["recipe"]["tokenizer"]["vocab_size"] == 320
    assert record["recipe"] == load_recipe("nano", record["overrides"]).model_dump(mode="json")
    assert record["parent"] is None
    assert record["heldout"]["bytes_per_token"] > 1.5
    assert "finished already" in refuse(capsys, "tokenizer", "--out", out, *SMALL)
    assert "another recipe" in refuse(capsys, "tokenizer", "--out", out)
    first = (out / "tokenizer.json").read_bytes()
    assert main(["tokenizer", "--out", str(out), "--force", *SMALL]) == 0
    assert (out / "tokenizer.json").read_bytes() == first


def run_without_torch(*words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_TORCH, *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_finished_family_is_recognised_without_importing_torch(finished_family: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished_family.rglob("*")}
    run = run_without_torch("run", "nano", "--out", finished_family)
    assert run.returncode == 0, run.stderr
    assert run.stderr == f"{finished_family}: all stages are there\n"
    assert {path: path.stat().st_mtime_ns for path in finished_family.rglob("*")} == before


def test_bad_input_is_answered_before_torch_is_imported(tmp_path: Path) -> None:
    run = run_without_torch("run", "nano", "--out", tmp_path / "x", "--set", "rl.beta=much")
    assert run.returncode == 2, run.stderr
    assert run.stderr.startswith("error: ")
    assert run.stderr.count("\n") == 1


def test_the_module_runs_as_a_program_and_passes_its_code_on(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "training", "run", "giga", "--out", str(tmp_path / "x")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 2
    assert run.stderr.startswith("error: no recipe 'giga'")
    assert "Traceback" not in run.stderr
