"""Which snapshot of a policy stays."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from training.evaluate.policy import PolicyFigures
from training.runs.callbacks import snapshot_steps
from training.stages.rlhf import choose_snapshot

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
