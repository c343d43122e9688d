"""Reinforcement learning's own parts: the penalty on replies that do not end, and the divergence from the parent."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from training.runs.generate import Sample
from training.stages.rl import (
    PolicyFigures,
    choose_snapshot,
    measure_kl,
    penalise_unfinished,
    snapshot_steps,
    win_share,
)


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


SFT = PolicyFigures(exact=0.5, rubric=60.0, reward=0.0, cut_off=0.0, distinct_2=0.8, kl_per_token=0.0)


class Judged:
    """A bench that knows the figures of its snapshots."""

    parent, choosing = "sft", ()

    def __init__(self, *snapshots: PolicyFigures) -> None:
        steps = snapshot_steps(10 * len(snapshots), len(snapshots))
        self.figures = {f"checkpoint-{step}": found for step, found in zip(steps, snapshots, strict=True)}

    def load(self, folder: Path) -> str:
        return folder.name

    def measure(self, model: str, asked: object) -> tuple[PolicyFigures, list[float]]:
        return self.figures.get(model, SFT), []


def chosen(*snapshots: PolicyFigures) -> int:
    bench: Any = Judged(*snapshots)
    step, judged = choose_snapshot(bench, Path("work"), 10 * len(snapshots), len(snapshots))
    assert list(judged.values()) == list(snapshots)
    return step // 10


def test_the_snapshot_that_voters_would_like_best_stays_whatever_its_reward() -> None:
    assert chosen(replace(SFT, rubric=70.0), replace(SFT, rubric=75.0), replace(SFT, rubric=72.0, reward=9.0)) == 2


@pytest.mark.parametrize("fault", [{"kl_per_token": 0.4}, {"distinct_2": 0.4}, {"exact": 0.4}])
def test_a_snapshot_that_strayed_repeats_itself_or_errs_more_is_passed_over(fault: dict[str, float]) -> None:
    assert chosen(replace(SFT, rubric=70.0), replace(SFT, rubric=99.0, **fault)) == 1


def test_where_every_snapshot_has_a_fault_the_best_liked_one_stays() -> None:
    far = replace(SFT, kl_per_token=1.0)
    assert chosen(replace(far, rubric=70.0), replace(far, rubric=80.0)) == 2


def test_one_snapshot_alone_stays_without_being_judged() -> None:
    bench: Any = None
    assert choose_snapshot(bench, Path("work"), 10, 1) == (10, {})


def test_a_reply_wins_with_more_points_and_equal_points_count_half() -> None:
    assert win_share([3.0, 1.0, 2.0, 2.0], [1.0, 3.0, 2.0, 1.0]) == 0.625
    assert win_share([1.0, 1.0], [2.0, 2.0]) == 0.0


@pytest.mark.parametrize(
    ("steps", "count", "kept"), [(60, 3, [20, 40, 60]), (24, 1, [24]), (2, 4, [1, 2]), (7, 2, [4, 7])]
)
def test_snapshots_are_spread_over_the_steps_and_the_last_is_one(steps: int, count: int, kept: list[int]) -> None:
    assert snapshot_steps(steps, count) == kept
