"""What happens on the way of a training."""

import pytest

from training.runs.callbacks import snapshot_steps


@pytest.mark.parametrize(
    ("steps", "count", "kept"), [(60, 3, [20, 40, 60]), (24, 1, [24]), (2, 4, [1, 2]), (7, 2, [4, 7])]
)
def test_snapshots_are_spread_over_the_steps_and_the_last_is_one(steps: int, count: int, kept: list[int]) -> None:
    assert snapshot_steps(steps, count) == kept
