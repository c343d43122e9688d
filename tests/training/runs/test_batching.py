"""The order in which finetuning and reward modelling see their rows, and how many of them go through at once."""

import itertools
from collections import Counter
from random import Random

import pytest

from training.data.world.examples import Example
from training.runs.batching import deal, share_of_batch
from training.runs.checkpoint import CheckpointError

EXAMPLES = [Example("x", "p" * (i % 200), str(i)) for i in range(6400)]


def len_of(example: Example) -> int:
    return len(example.prompt)


def test_every_example_is_seen_once_an_epoch() -> None:
    assert Counter(deal(EXAMPLES, 32, 1, Random(0), len_of)) == Counter(EXAMPLES)
    assert set(Counter(deal(EXAMPLES, 32, 2, Random(0), len_of)).values()) == {2}
    assert len(deal(EXAMPLES, 32, 0.5, Random(0), len_of)) == 3200


def test_a_batch_is_of_similar_length_and_its_neighbour_of_another() -> None:
    dealt = [len(e.prompt) for e in deal(EXAMPLES, 32, 1, Random(0), len_of)]
    batches = [dealt[i : i + 32] for i in range(0, len(dealt), 32)]
    spreads = sorted(max(batch) - min(batch) for batch in batches)
    jumps = sorted(abs(sum(a) - sum(b)) / 32 for a, b in itertools.pairwise(batches))
    assert spreads[len(spreads) // 2] < 15
    assert jumps[len(jumps) // 2] > 30


def test_fewer_examples_than_a_batch_are_seen_again_to_fill_one() -> None:
    assert len(deal(EXAMPLES[:5], 8, 1, Random(0), len_of)) == 8


def test_a_batch_that_does_not_part_among_the_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert share_of_batch(7) == 7
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert share_of_batch(8) == 4
    with pytest.raises(CheckpointError, match="7 rows at once do not divide among 2 processes"):
        share_of_batch(7)
