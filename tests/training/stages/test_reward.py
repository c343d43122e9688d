"""The order in which the reward model sees its pairs, and the temperature of its scores."""

import copy
import math
import random
from collections import Counter
from typing import Any

import pytest

from training.evaluate.rewards import score_gaps
from training.sections import Reward
from training.stages.reward import calibrate, fit_temperature, order_pairs, split_calibration


def settings(finish: float = 0.0) -> Reward:
    return Reward(batch=4, learning_rate=1e-3, epochs=1.0, centre=0.0, finish=finish)


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


def test_near_misses_are_learnt_first_and_then_all_pairs_again() -> None:
    rows = pairs_of([(float(i), 0.0) for i in range(40)])
    marked = [row | ({"near_miss": True} if i % 2 else {}) for i, row in enumerate(rows)]
    near = [row for row in marked if "near_miss" in row]
    ordered = order_pairs(marked, settings(), random.Random(0))
    first, then = ordered[:20], ordered[20:]
    assert sorted(map(repr, first)) == sorted(map(repr, near))
    assert sorted(map(repr, then)) == sorted(map(repr, marked))
    assert any("near_miss" not in row for row in then[:20])


def test_pairs_without_near_misses_are_dealt_once_an_epoch() -> None:
    rows = pairs_of([(float(i), 0.0) for i in range(40)])
    for finish in (0.0, 2.0):
        ordered = order_pairs(rows, settings(finish), random.Random(0))
        assert sorted(map(repr, ordered)) == sorted(map(repr, rows))


def test_two_sampled_replies_come_again_at_the_end_beside_half_as_many_made_by_rule() -> None:
    rows = pairs_of([(float(i), 0.0) for i in range(40)])
    marked = [row | ({"degenerate": True} if i % 2 else {}) for i, row in enumerate(rows)]
    ordered = order_pairs(marked, settings(finish=2.0), random.Random(0))
    assert sorted(map(repr, ordered[:40])) == sorted(map(repr, marked))
    last = Counter(map(repr, ordered[40:]))
    again = [last[repr(row)] for row in marked]
    assert again[::2] == [2] * 20
    assert sum(again[1::2]) == 20


@pytest.mark.parametrize("temperature", [0.25, 1.0, 4.0])
def test_the_temperature_that_votes_were_cast_at_is_found_again(temperature: float) -> None:
    rng = random.Random(0)
    gaps = []
    for _ in range(20_000):
        gap = rng.uniform(0, 5)
        gaps.append(gap if rng.random() < 1 / (1 + math.exp(-gap / temperature)) else -gap)
    assert fit_temperature(gaps) == pytest.approx(temperature, rel=0.1)


def test_scores_are_divided_by_the_temperature_that_fits_them(judge: Any, tokenizer: Any) -> None:
    model = copy.deepcopy(judge)
    rows = pairs_of([(float(i), float(i + 1)) for i in range(40)])
    before = score_gaps(model, tokenizer, rows)
    temperature = calibrate(model, tokenizer, rows)
    assert temperature == pytest.approx(fit_temperature(before))
    assert temperature != pytest.approx(1.0, rel=0.01)
    assert score_gaps(model, tokenizer, rows) == pytest.approx(
        [gap / temperature for gap in before], rel=1e-3, abs=1e-4
    )
    assert calibrate(model, tokenizer, []) == 1.0


def test_scores_are_calibrated_on_prompts_that_are_not_trained_on() -> None:
    rows = [{"prompt": [{"role": "user", "content": f"Prompt {i % 800}"}]} for i in range(1600)]
    trained, kept = split_calibration(rows)
    assert len(trained) + len(kept) == 1600
    assert 100 <= len(kept) <= 240
    prompts = [{row["prompt"][0]["content"] for row in part} for part in (trained, kept)]
    assert not prompts[0] & prompts[1]


def test_too_few_pairs_are_all_trained_on() -> None:
    rows = [{"prompt": [{"role": "user", "content": f"Prompt {i}"}]} for i in range(500)]
    assert split_calibration(rows) == (rows, [])
