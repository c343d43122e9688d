"""How rows go through a model: in which order, and how many at once in each process."""

from collections.abc import Callable
from random import Random
from typing import TypeVar

from training.runs import distributed
from training.runs.checkpoint import CheckpointError
from training.sections import Training

HEAP = 32  # batches that are sorted together

Row = TypeVar("Row")


def deal(rows: list[Row], batch: int, epochs: float, rng: Random, length: Callable[[Row], int]) -> list[Row]:
    """Return rows in the order of training: whole batches of rows of similar length, the batches in random order.

    Two thirds of a batch drawn at random are padding. Batches sorted by length over long stretches, as the Trainer's
    own group_by_length makes them, train long and short rows in turns, and what was seen last wins. Here HEAP batches
    at a time are sorted, cut and shuffled again, so that neighbouring batches differ and little is padded.
    """
    dealt: list[Row] = []
    wanted = max(1, int(epochs * len(rows) / batch)) * batch
    heap: list[Row] = []
    while len(dealt) < wanted:
        count = min(HEAP * batch, wanted - len(dealt))
        while len(heap) < count:
            heap += rng.sample(rows, len(rows))
        drawn, heap = heap[:count], heap[count:]
        drawn.sort(key=length)
        batches = [drawn[i : i + batch] for i in range(0, len(drawn), batch)]
        rng.shuffle(batches)
        dealt += [row for one in batches for row in one]
    return dealt


def rows_at_once(settings: Training) -> int:
    """Return how many rows of a step go through this process at once.

    Raises:
        CheckpointError: they do not divide evenly among the processes.
    """
    return share_of_batch(settings.batch // settings.accumulate)


def share_of_batch(rows: int) -> int:
    """Return this process's share of the rows that go through at once.

    Raises:
        CheckpointError: they do not divide evenly among the processes.
    """
    if rows % distributed.count():
        raise CheckpointError(
            f"{rows} rows at once do not divide among {distributed.count()} processes: change the batch or accumulate"
        )
    return rows // distributed.count()
