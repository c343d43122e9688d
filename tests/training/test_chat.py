"""Talking to a checkpoint in the terminal."""

from pathlib import Path

import pytest

from training.chat import run_chat
from training.runs.checkpoint import CheckpointError

pytestmark = pytest.mark.slow


def test_a_chat_answers_each_line_until_an_empty_one(tiny_family: Path) -> None:
    said: list[str] = []
    lines = iter(["Hello!", "What is the opposite of hot?", "", "never read"])
    run_chat(tiny_family / "sft", lines, said.append, temperature=0.0, max_tokens=5, seed=0)
    assert "".join(said).count("\n") >= 2
    assert next(lines) == "never read"


def test_a_chat_says_when_a_line_is_too_long(tiny_family: Path) -> None:
    said: list[str] = []
    run_chat(tiny_family / "sft", ["moo " * 900], said.append, temperature=0.0, max_tokens=5)
    assert "longer than the model's context of 128 tokens" in "".join(said)


def test_a_reward_model_does_not_chat(tiny_family: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no checkpoint that writes text"):
        run_chat(tiny_family / "reward", ["Hello!"], print, temperature=0.0, max_tokens=5)
