"""What a vote is worth against a refit, and that spending votes by it narrows the ranks."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ratings.analysis.next_battle import closeness, pair_chances, vote_worth
from ratings.errors import SettingsError, TooFewModelsError
from ratings.fit.bradley_terry import fit, laplacian, win_probability
from ratings.fit.newton import pseudo_inverse
from ratings.intervals.ranks import simultaneous_ranks
from ratings.intervals.sandwich import covariance, difference_variance
from ratings.scale import quantile
from ratings.votes.counts import Counts

STRENGTHS = np.array([0.9, 0.5, 0.35, -0.25, -1.5])


def information(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    p = win_probability(STRENGTHS)
    return laplacian(votes * p * p.T)


def told_apart(joint: NDArray[np.float64]) -> float:
    """Return the pairs told apart, those under way in part."""
    z = quantile(1 - 0.05 / 10)
    variance = difference_variance(joint) + np.eye(5)
    squared = (STRENGTHS[:, None] - STRENGTHS[None, :]) ** 2 / variance
    return float(np.minimum(squared / z**2, 1.0).sum() / 2)


def test_worth_is_what_one_more_vote_adds_to_the_pairs_told_apart() -> None:
    votes = np.full((5, 5), 60.0) - 60 * np.eye(5)
    joint = pseudo_inverse(information(votes))
    worth = vote_worth(STRENGTHS, joint)
    for i, j in ((0, 1), (1, 2), (0, 4), (2, 3)):
        more = votes.copy()
        more[i, j] += 0.01
        more[j, i] += 0.01
        gained = (told_apart(pseudo_inverse(information(more))) - told_apart(joint)) / 0.01
        assert worth[i, j] == pytest.approx(gained, rel=0.02)  # a whole vote is a little less than a hundred hundredths
    assert worth == pytest.approx(worth.T)
    assert (np.diag(worth) == 0).all()
    assert (worth >= 0).all()


def test_pairs_already_told_apart_and_equal_ones_ask_for_nothing() -> None:
    joint = np.eye(3) * 0.01
    close = closeness(np.array([0.0, 0.0, 9.0]), joint, 0.95)
    assert (close == 0).all()
    assert closeness(np.array([0.0, 0.3, 9.0]), joint, 0.95)[0, 1] > 0


def test_rarely_met_close_pair_is_worth_more_than_often_met_one() -> None:
    strengths = np.array([0.2, 0.0, -0.2])
    joint = np.diag([0.01, 0.01, 0.09])
    worth = vote_worth(strengths, joint)
    assert worth[1, 2] > worth[0, 1]


def test_chances_sum_to_one_and_keep_their_floor() -> None:
    worth = vote_worth(STRENGTHS, np.diag([0.01, 0.02, 0.01, 0.01, 0.05]))
    chances = pair_chances(worth, exploration=0.3)
    upper = chances[np.triu_indices(5, 1)]
    assert upper.sum() == pytest.approx(1)
    assert chances == pytest.approx(chances.T)
    assert (np.diag(chances) == 0).all()
    assert upper.min() >= 0.3 / 10 - 1e-12
    assert upper.argmax() == worth[np.triu_indices(5, 1)].argmax()
    assert pair_chances(worth, exploration=1)[0, 1] == pytest.approx(0.1)


def test_newcomer_is_worth_as_much_as_the_best_pair() -> None:
    worth = vote_worth(STRENGTHS[:3], np.diag([0.01, 0.02, 0.01]))
    chances = pair_chances(worth, rated=np.array([0, 1, 3]), models=4)
    assert chances[2, [0, 1, 3]] == pytest.approx(np.full(3, chances.max()))


def test_nothing_left_to_learn_is_drawn_uniformly() -> None:
    chances = pair_chances(np.zeros((4, 4)))
    assert chances[np.triu_indices(4, 1)] == pytest.approx(np.full(6, 1 / 6))
    assert pair_chances(np.zeros((0, 0)), rated=np.zeros(0, np.int64), models=2)[0, 1] == pytest.approx(1)


def test_settings_out_of_range_are_refused() -> None:
    for exploration in (0.0, -0.1, 1.1, float("nan")):
        with pytest.raises(SettingsError, match="exploration"):
            pair_chances(np.zeros((3, 3)), exploration=exploration)
    for sharpness in (0.0, float("inf"), float("nan")):
        with pytest.raises(SettingsError, match="sharpness"):
            pair_chances(np.zeros((3, 3)), sharpness=sharpness)
    with pytest.raises(TooFewModelsError):
        pair_chances(np.zeros((1, 1)))
    with pytest.raises(SettingsError, match="confidence"):
        vote_worth(STRENGTHS, np.eye(5), confidence=2)


def play(rng: np.random.Generator, is_uniform: bool) -> float:
    """Return the average number of ranks in an interval after 15 batches of 600 votes on 15 models."""
    size, batch = 15, 600
    strengths = rng.normal(0, 0.5, size)
    i, j = np.triu_indices(size, 1)
    p = 1 / (1 + np.exp(strengths[j] - strengths[i]))
    ties = p * (1 - p)
    outcomes = np.zeros((len(i), 4))
    chances = np.full(len(i), 1 / len(i))
    for _ in range(15):
        drawn = rng.multinomial(batch, chances)
        outcomes[:, :3] += rng.multinomial(drawn, np.stack([p - ties / 2, 1 - p - ties / 2, ties], axis=1))
        result = fit(Counts(tuple("abcdefghijklmno"), np.stack([i, j], axis=1), outcomes, 1))
        joint = covariance(result)
        if not is_uniform:
            worth = vote_worth(result.strengths, joint)
            chances = pair_chances(worth, rated=result.rated, models=size)[i, j]
    ranks = simultaneous_ranks(result.strengths, joint, 0.95, rng=rng, draws=1000)
    return float((ranks.worst - ranks.best + 1).mean())


def test_votes_by_worth_narrow_the_rank_intervals_more_than_uniform_ones() -> None:
    saved = [play(np.random.default_rng(k), True) - play(np.random.default_rng(k), False) for k in range(30)]
    error = np.std(saved) / np.sqrt(len(saved))
    assert np.mean(saved) > 2.5 * error
