"""How far a policy is from its parent, and how often it is preferred."""

from typing import Any

import pytest
import torch

from training.evaluate.policy import measure_kl, win_share
from training.runs.generate import Sample

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


def test_a_reply_wins_with_more_points_and_equal_points_count_half() -> None:
    assert win_share([3.0, 1.0, 2.0, 2.0], [1.0, 3.0, 2.0, 1.0]) == 0.625
    assert win_share([1.0, 1.0], [2.0, 2.0]) == 0.0
