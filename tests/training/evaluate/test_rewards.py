"""What a reward model's scores are worth, by hand and on a random model."""

import math
from typing import Any

import pytest
import torch

from training.evaluate import rewards
from training.evaluate.rewards import measure_pairs, score_conversations


def chat(prompt: str, reply: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]


def pairs_of(scores: list[tuple[float, float]]) -> list[dict[str, Any]]:
    """Return rows whose replies are their own scores."""
    return [
        {
            "prompt": [{"role": "user", "content": "Hello!"}],
            "chosen": [{"role": "assistant", "content": repr(chosen)}],
            "rejected": [{"role": "assistant", "content": repr(rejected)}],
        }
        for chosen, rejected in scores
    ]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return measure_pairs with a scorer that reads the score out of the reply."""

    def read_scores(model: Any, tokenizer: Any, conversations: list[list[dict[str, str]]]) -> list[float]:
        assert all([m["role"] for m in c] == ["user", "assistant"] for c in conversations)
        return [float(conversation[-1]["content"]) for conversation in conversations]

    monkeypatch.setattr(rewards, "score_conversations", read_scores)
    return lambda scores: measure_pairs(None, None, pairs_of(scores))


def test_accuracy_counts_right_pairs_and_half_of_equal_scores(measured: Any) -> None:
    assert measured([(2, 1), (1, 2), (3, 3), (5, 0)])["pair_accuracy"] == 0.625
    assert measured([(1, 1)] * 3)["pair_accuracy"] == 0.5
    assert measured([(1, 0)])["pair_accuracy"] == 1.0
    assert measured([(0, 1)])["pair_accuracy"] == 0.0


def test_the_number_of_pairs_is_reported(measured: Any) -> None:
    assert measured([(1, 0)] * 7)["heldout_pairs"] == 7


def test_broken_replies_and_near_misses_are_measured_apart_from_pairs_of_two_replies(measured: Any) -> None:
    rows = pairs_of([(1, 0), (0, 1), (1, 0), (1, 0), (0, 1), (1, 0)])
    made = [{"degenerate": True}, {"degenerate": True}, {"near_miss": True}]
    marks = [{"noise_free": True}, {"noise_free": True}, {"noise_free": False}, *made]
    marked = [row | mark | {"noise_free": mark.get("noise_free", True)} for row, mark in zip(rows, marks, strict=True)]
    figures = measure_pairs(None, None, marked)
    assert figures["pair_accuracy"] == pytest.approx(4 / 6, abs=1e-4)
    assert (figures["noise_free_accuracy"], figures["degenerate_accuracy"]) == (0.5, 0.5)
    assert figures["near_miss_accuracy"] == 1.0
    assert "noise_free_accuracy" not in measured([(1, 0)])


def test_the_likelihood_agrees_with_a_calculation_by_hand(measured: Any) -> None:
    by_hand = -(math.log(1 / (1 + math.exp(-2))) + math.log(1 / (1 + math.exp(0.5)))) / 2
    assert measured([(3, 1), (1, 1.5)])["negative_log_likelihood"] == pytest.approx(by_hand, abs=1e-4)
    assert measured([(4, 4)])["negative_log_likelihood"] == pytest.approx(math.log(2), abs=1e-4)


def test_huge_differences_neither_overflow_nor_vanish(measured: Any) -> None:
    assert measured([(1e5, -1e5)])["negative_log_likelihood"] == 0.0
    assert measured([(-1e5, 1e5)])["negative_log_likelihood"] == 2e5


def test_a_score_does_not_depend_on_its_neighbours_in_the_batch(
    judge: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chats = [chat("Hello!", "Hi."), chat("What does a cow say?", "A cow says moo. " * 4), chat("What?", "No.")]
    together = score_conversations(judge, tokenizer, chats)
    alone = [score for c in chats for score in score_conversations(judge, tokenizer, [c])]
    monkeypatch.setattr(rewards, "BATCH", 2)
    assert together == pytest.approx(alone, abs=1e-4)
    assert score_conversations(judge, tokenizer, chats) == pytest.approx(alone, abs=1e-4)
    assert len({round(score, 3) for score in alone}) == 3


def test_a_score_is_read_at_the_end_token_of_the_reply(judge: Any, tokenizer: Any) -> None:
    ids = tokenizer("<|user|>Hello!<|end|><|assistant|>Hi.<|end|>", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        states = judge.model(ids).last_hidden_state
        expected = judge.score(states)[0, -1, 0].item()
    assert score_conversations(judge, tokenizer, [chat("Hello!", "Hi.")]) == pytest.approx([expected], abs=1e-4)


def test_the_prompt_takes_part_in_the_score(judge: Any, tokenizer: Any) -> None:
    one, other = score_conversations(judge, tokenizer, [chat("Hello!", "Hi."), chat("Goodbye!", "Hi.")])
    assert one != pytest.approx(other, abs=1e-3)


def test_no_conversation_has_no_score(judge: Any, tokenizer: Any) -> None:
    assert score_conversations(judge, tokenizer, []) == []
