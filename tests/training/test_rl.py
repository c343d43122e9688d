"""Reinforcement learning's own parts: the penalty on replies that do not end, and the divergence from the parent."""

from typing import Any

import pytest
import torch

from training.rl import measure_kl, penalise_unfinished
from training.sampling import Sample


def test_only_a_reply_whose_last_token_is_no_end_is_penalised() -> None:
    penalise = penalise_unfinished({3, 0}, 1.5)
    replies = [[7, 8, 3], [7, 8], [0], [], [3, 8]]
    assert penalise(completion_ids=replies, prompts=["x"] * 5, completions=None) == [0.0, -1.5, 0.0, -1.5, -1.5]


def test_without_a_penalty_nothing_is_taken() -> None:
    assert penalise_unfinished({3}, 0.0)(completion_ids=[[7], [3]]) == [0.0, 0.0]


SAMPLES = [Sample("", True, [1, 20, 30, 3, 2], [40, 41, 42, 3]), Sample("", False, [1, 50, 3, 2], [60])]


def test_a_model_does_not_diverge_from_itself(make_model: Any) -> None:
    model = make_model(scale=3.0)
    assert measure_kl(model, model, SAMPLES) == pytest.approx(0.0, abs=1e-7)


def test_two_models_diverge_and_the_order_matters(make_model: Any) -> None:
    one, other = make_model(seed=1, scale=3.0), make_model(seed=2, scale=4.0)
    there, back = measure_kl(one, other, SAMPLES), measure_kl(other, one, SAMPLES)
    assert there > 0.01
    assert back > 0.01
    assert there != pytest.approx(back, rel=1e-3)


def test_the_divergence_is_the_mean_over_the_tokens_that_were_written(make_model: Any) -> None:
    policy, parent = make_model(seed=1, scale=3.0), make_model(seed=2, scale=3.0)
    by_hand = []
    with torch.no_grad():
        for sample in SAMPLES:
            for length in range(len(sample.reply_ids)):
                row = torch.tensor([sample.prompt_ids + sample.reply_ids[:length]])
                p, q = (torch.softmax(model(row).logits[0, -1], -1) for model in (policy, parent))
                by_hand.append((p * (p / q).log()).sum().item())
    assert measure_kl(policy, parent, SAMPLES) == pytest.approx(sum(by_hand) / 5, rel=1e-4)
