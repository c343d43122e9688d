"""What a recipe may choose: adapters, other algorithms, a start of somebody else's, and other text."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from common.weights import hash_weights
from training.__main__ import main
from training.runs.checkpoint import read_record

pytestmark = pytest.mark.slow


def run(*words: object) -> int:
    return main([str(word) for word in words])


def figures(folder: Path) -> dict[str, Any]:
    record = read_record(folder)
    assert record is not None
    found: dict[str, Any] = record["heldout"]
    return found


@pytest.mark.parametrize(("stage", "parent"), [("sft", "base"), ("reward", "sft"), ("rl", "sft")])
def test_adapters_are_merged_into_a_plain_checkpoint_that_has_moved(
    tiny_family: Path, tmp_path: Path, stage: str, parent: str
) -> None:
    out = tmp_path / stage
    section = "rl" if stage == "rl" else stage
    words = [stage, "--model", tiny_family / parent, "--out", out, "--set", f"{section}.lora.rank=4"]
    words += ["--pairs", tiny_family / "pairs"] if stage == "reward" else []
    words += ["--reward", tiny_family / "reward"] if stage == "rl" else []
    assert run(*words) == 0
    assert not list(out.glob("adapter*"))
    record = read_record(out)
    assert record is not None
    assert record["recipe"][section]["lora"] == {"rank": 4, "alpha": 16, "dropout": 0.0}
    assert (
        record["parameters"]
        == (read_record(tiny_family / (parent if stage != "reward" else "reward")) or {})["parameters"]
    )
    assert hash_weights(out) != hash_weights(tiny_family / parent)


@pytest.mark.parametrize("algorithm", ["rloo", "dpo"])
def test_other_algorithms_move_the_policy_and_are_measured_alike(
    tiny_family: Path, tmp_path: Path, algorithm: str
) -> None:
    words = ["rl", "--model", tiny_family / "sft", "--reward", tiny_family / "reward", "--out", tmp_path / algorithm]
    words += ["--pairs", tiny_family / "pairs", "--set", f"rl.algorithm={algorithm}", "--set", "rl.steps=3"]
    assert run(*words) == 0
    found = figures(tmp_path / algorithm)
    assert found["kl_per_token"] > 0
    by_pairs = {"pair_accuracy", "pair_loss", "heldout_pairs"} if algorithm == "dpo" else set()
    assert set(found) == set(figures(tiny_family / "rlhf")) | by_pairs
    assert all(0 <= found[name] <= 1 for name in by_pairs & {"pair_accuracy"})
    assert hash_weights(tmp_path / algorithm) != hash_weights(tiny_family / "sft")


def test_dpo_without_pairs_is_refused(tiny_family: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["rl", "--model", tiny_family / "sft", "--reward", tiny_family / "reward", "--out", tmp_path / "dpo"]
    assert run(*words, "--set", "rl.algorithm=dpo") == 2
    assert "pass --pairs with their folder" in capsys.readouterr().err
    assert not (tmp_path / "dpo").exists()


def test_of_several_snapshots_one_stays_and_all_are_told(tiny_family: Path, tmp_path: Path) -> None:
    out = tmp_path / "rlhf"
    words = ["rl", "--model", tiny_family / "sft", "--reward", tiny_family / "reward", "--out", out]
    assert run(*words, "--set", "rl.steps=4", "--set", "rl.snapshots=2") == 0
    rows = json.loads((out / "snapshots.json").read_text(encoding="utf-8"))
    assert [row["step"] for row in rows] == [2, 4]
    assert figures(out)["step"] in (2, 4)


def test_a_start_brings_its_shape_and_its_weights_and_other_text_can_be_read(tiny_family: Path, tmp_path: Path) -> None:
    texts, chats = tmp_path / "texts.jsonl", tmp_path / "chats.jsonl"
    texts.write_text("".join(json.dumps({"text": f"Number {i} is here. " * 9}) + "\n" for i in range(60)))
    turns = [{"role": "user", "content": "Which number?"}, {"role": "assistant", "content": "Number 7."}]
    chats.write_text("".join(json.dumps({"messages": turns}) + "\n" for _ in range(40)))
    settings = {
        "model.start": tiny_family / "base",
        "data.text.path": texts,
        "data.chats.path": chats,
        "pretrain.tokens": 8192,
        "pretrain.learning_rate": 0.001,
    }
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    tokenizer = ["--recipe", "nano", "--out", tmp_path / "tokenizer", "--set", "model.context=128"]
    assert (
        run("tokenizer", *tokenizer, *words, "--set", "pairs.max_reply_tokens=24", "--set", "rl.max_reply_tokens=24")
        == 0
    )
    assert run("pretrain", "--model", tmp_path / "tokenizer", "--out", tmp_path / "base") == 0
    assert run("sft", "--model", tmp_path / "base", "--out", tmp_path / "sft") == 0
    start, base = (AutoModelForCausalLM.from_pretrained(f / "base") for f in (tiny_family, tmp_path))
    assert base.config.hidden_size == start.config.hidden_size
    before, after = (model.get_input_embeddings().weight for model in (start, base))
    moved = torch.linalg.norm(after - before) / torch.linalg.norm(before)
    assert 0 < moved < 0.5  # a fresh model would lie some 1.4 away
    assert AutoTokenizer.from_pretrained(tmp_path / "sft").chat_template


def test_a_start_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "tokenizer",
        "--recipe",
        "nano",
        "--out",
        tmp_path / "tokenizer",
        "--set",
        f"model.start={tmp_path / 'none'}",
    ]
    assert run(*words) == 2
    assert "model.start" in capsys.readouterr().err
