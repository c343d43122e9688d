"""Who can be rated, and the plain reason for everyone else."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ratings.fit.existence import (
    ABOVE,
    APART,
    BELOW,
    NEVER_LOST,
    NEVER_WON,
    NO_CHAIN,
    NO_VOTES,
    RATED,
    components,
    rated_models,
    reachable,
    statuses,
)


def judge(size: int, beats: Sequence[tuple[int, int]]) -> list[str]:
    """Return the statuses of models 0 ... size - 1, given who beat whom once."""
    wins = np.zeros((size, size))
    for winner, loser in beats:
        wins[winner, loser] += 1
    reach = reachable(wins)
    return statuses(wins, reach, rated_models(wins, reach))


CYCLE = [(0, 1), (1, 2), (2, 0)]


@pytest.mark.parametrize(
    ("beats", "status"),
    [
        ([], NO_VOTES),
        ([(3, 0)], NEVER_LOST),
        ([(0, 3), (1, 3)], NEVER_WON),
        ([(3, 0), (4, 3)], ABOVE),
        ([(0, 3), (3, 4)], BELOW),
        ([(3, 4), (4, 3)], APART),
        ([(3, 0), (1, 3)], RATED),
    ],
)
def test_model_beside_a_rated_cycle_gets_its_reason(beats: list[tuple[int, int]], status: str) -> None:
    found = judge(5, CYCLE + beats)
    assert found[:3] == [RATED] * 3
    assert found[3] == status


def test_nobody_is_rated_where_every_win_points_down() -> None:
    assert judge(3, [(0, 1), (1, 2)]) == [NEVER_LOST, NO_CHAIN, NEVER_WON]


def test_group_with_most_votes_is_rated_then_the_larger_then_the_first() -> None:
    pair = [(0, 1), (1, 0)]
    assert judge(5, [*pair, *pair, (2, 3), (3, 4), (4, 2)]) == [RATED, RATED, APART, APART, APART]
    assert judge(5, [*pair, (0, 1), (2, 3), (3, 4), (4, 2)]) == [APART, APART, RATED, RATED, RATED]
    assert judge(4, [*pair, (2, 3), (3, 2), (3, 2)]) == [APART, APART, RATED, RATED]
    assert judge(4, [*pair, (2, 3), (3, 2)]) == [RATED, RATED, APART, APART]


def test_components_come_with_most_votes_first() -> None:
    wins = np.zeros((7, 7))
    for winner, loser in [(0, 1), (1, 0), (2, 3), (3, 4), (4, 2), (5, 6), (0, 2)]:
        wins[winner, loser] = 1
    assert [members.tolist() for members in components(wins, reachable(wins))] == [[2, 3, 4], [0, 1]]


@given(st.integers(2, 7).flatmap(lambda k: st.lists(st.booleans(), min_size=k * k, max_size=k * k)))
def test_rated_group_is_a_largest_strong_component_by_scipy(edges: list[bool]) -> None:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    size = round(len(edges) ** 0.5)
    wins: NDArray[np.float64] = np.array(edges, dtype=float).reshape(size, size) * (1 - np.eye(size))
    _, label = connected_components(csr_matrix(wins), connection="strong")
    rated = rated_models(wins, reachable(wins))
    largest = np.bincount(label).max()
    assert len(rated) == (largest if largest > 1 else 0)
    assert len(set(label[rated])) <= 1
