"""Every degenerate copy of a reply is worse than the reply."""

import random

import pytest

from training.data.degenerate import BROKEN_WEIGHTS, broken_copies
from training.data.rubric import Rubric, split_words
from training.data.tasks.tasks import read_tasks
from training.data.world.examples import Example

RIGHT = "A cow says moo."


COW = Example("sound", "What does a cow say?", "A cow says moo.", "full", ("moo",), {"word": "cow", "answer": "moo"})


@pytest.fixture(scope="module")
def rubric() -> Rubric:
    return Rubric(read_tasks(), frozenset(split_words("a cow dog says moo woof and again")))


def test_every_broken_copy_scores_below_the_reply_it_was_made_from(rubric: Rubric) -> None:
    best = rubric.mark(COW, RIGHT, is_finished=True).points
    for broken in broken_copies(RIGHT, random.Random(1)):
        if split_words(broken) != split_words(RIGHT):
            assert rubric.mark(COW, broken, is_finished=True).points < best, broken


def test_every_way_to_break_a_reply_has_a_weight() -> None:
    assert len(broken_copies("A cow says moo.", random.Random(0))) == len(BROKEN_WEIGHTS)
