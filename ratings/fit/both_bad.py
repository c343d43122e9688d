"""Both-bad votes as losses to the field, in formulas.

A voter who calls both replies bad compares neither model with the other. As a tie the vote
pulls the two together; dropped, it is as if it had not been cast. Here each of the two models loses
once to an opponent at the mean strength of the R rated models. With d_i = s_i - mean(s) and

    q_i = 1 / (1 + exp(-d_i)),    the chance that i beats the field,

a vote on i and j adds log(1 - q_i) + log(1 - q_j) to the log-likelihood, which does not change when
a constant is added to all strengths. With c_i = e_i - (1, ..., 1) / R, so that d_i = c_i^T s, and F_i
the both-bad votes on i,

    gradient            -sum_i F_i q_i c_i
    negative Hessian     sum_i F_i q_i (1 - q_i) c_i c_i^T
    squared scores       sum_ij B_ij (q_i c_i + q_j c_j) (q_i c_i + q_j c_j)^T    over the pairs i < j

and with C = I - J/R, the matrix of the c_i, each is C times a matrix of votes times C. The two losses
of one vote come together, so their cross terms q_i q_j stand in the squared scores.

The term is concave and can only bound the strengths, so Ford's condition on the wins and ties still
suffices for a fit to exist. It is not asked to rate a model by itself: who is rated is decided
without the both-bad votes, because the field is the mean of whoever is rated.
"""

import numpy as np
from numpy.typing import NDArray


def field_derivatives(
    losses: NDArray[np.float64], strengths: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (R,) gradient and the (R, R) negative Hessian of the log-likelihood."""
    wins_over_field = _beats_field(strengths)
    expected = losses * wins_over_field
    return expected.mean() - expected, centred(np.diag(expected * (1 - wins_over_field)))


def field_score_products(both_bad: NDArray[np.float64], strengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (R, R) sum of the outer products of the scores of (R, R) symmetric both-bad votes."""
    wins_over_field = _beats_field(strengths)
    alone = np.diag(both_bad.sum(axis=1) * wins_over_field**2)
    return centred(alone + both_bad * np.outer(wins_over_field, wins_over_field))


def centred(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return C matrix C for a symmetric (R, R) matrix, with C = I - J/R: its rows sum to zero."""
    rows = matrix.mean(axis=1)
    return np.asarray(matrix - rows[:, None] - rows[None, :] + rows.mean())


def _beats_field(strengths: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-np.logaddexp(0, strengths.mean() - strengths)))
