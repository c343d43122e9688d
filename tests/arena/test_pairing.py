"""Pairing: uniform over pairs and over sides, with the probability that is stored."""

import random
from collections import Counter
from itertools import permutations

import pytest
from scipy.stats import chisquare

from arena.pairing import draw_pair

NAMES = ["ash", "beech", "cedar", "dogwood", "elm"]


def test_every_pair_on_every_side_has_the_same_chance() -> None:
    rng = random.Random(20260101)
    seen = Counter((draw.a, draw.b) for draw in (draw_pair(NAMES, rng) for _ in range(20_000)))
    expected = list(permutations(NAMES, 2))
    assert set(seen) == set(expected)
    assert chisquare([seen[pair] for pair in expected]).pvalue > 0.001


@pytest.mark.parametrize("n", range(2, 8))
def test_the_probability_is_that_of_the_unordered_pair(n: int) -> None:
    names = [f"m{i}" for i in range(n)]
    assert draw_pair(names, random.Random(n)).probability == pytest.approx(1 / (n * (n - 1) / 2))


def test_nobody_meets_itself() -> None:
    rng = random.Random(3)
    assert all(draw.a != draw.b for draw in (draw_pair(NAMES[:2], rng) for _ in range(500)))


def test_the_same_rng_draws_the_same_pairs() -> None:
    first, second = random.Random(8), random.Random(8)
    assert [draw_pair(NAMES, first) for _ in range(50)] == [draw_pair(NAMES, second) for _ in range(50)]


@pytest.mark.parametrize("names", [[], ["alone"]])
def test_fewer_than_two_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match=f"needs two contestants, got {len(names)}"):
        draw_pair(names, random.Random(0))
