"""Counts of votes by hand, and drawn from Davidson's model."""

import numpy as np
from numpy.typing import NDArray

from ratings.fit.davidson import outcome_chances
from ratings.votes.counts import Counts


def counts_of(wins: list[list[int]], ties: list[list[int]] | None = None) -> Counts:
    """Return counts with wins[i][j] wins of model i over j, and ties[i][j] ties, shown as i against j."""
    size = len(wins)
    pairs = [(i, j) for i in range(size) for j in range(size) if i != j]
    rows = [[wins[i][j], 0, ties[i][j] if ties else 0, 0] for i, j in pairs]
    outcomes = np.array(rows, dtype=float)
    return Counts(tuple("abcdefghij"[:size]), np.array(pairs), outcomes, round(outcomes.sum()))


FIVE = counts_of(
    [[0, 90, 60, 80, 0], [70, 0, 75, 0, 90], [30, 50, 0, 60, 70], [20, 0, 50, 0, 45], [0, 20, 25, 40, 0]],
    ties=[[0, 60, 40, 0, 0], [0, 0, 45, 0, 30], [0, 0, 0, 50, 20], [0, 0, 0, 0, 60], [0, 0, 0, 0, 0]],
)


def simulated(strengths: NDArray[np.float64], log_nu: float, votes: int, rng: np.random.Generator) -> Counts:
    """Return counts of votes drawn from Davidson's model, every pair equally often."""
    size = len(strengths)
    pairs = np.array([(i, j) for i in range(size) for j in range(i)])
    won, tied, _ = outcome_chances(strengths, log_nu)
    i, j = pairs.T
    chances = np.stack([won[i, j], won[j, i], tied[i, j], 0 * tied[i, j]], axis=1)
    outcomes = rng.multinomial(votes // len(pairs), chances).astype(float)
    return Counts(tuple("abcdefghijklmnopqrst"[:size]), pairs, outcomes, int(outcomes.sum()))
