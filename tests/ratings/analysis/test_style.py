"""Style and position: planted effects, worked examples, an independent optimiser, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ratings.analysis.position import POSITION, fit_position
from ratings.analysis.style import ALIKE, NOT_MEASURED, fit_estimable, fit_style, normalised_differences, odds_of_double
from ratings.errors import NotConvergedError, SettingsError
from ratings.fit import covariates
from ratings.fit.covariates import CovariateFit
from ratings.fit.newton import filled
from ratings.outcomes import OUTCOMES, Outcome
from ratings.votes.counts import Counts, count
from ratings.votes.markdown import FEATURES
from ratings.votes.votes import Votes

Floats = NDArray[np.float64]

# Wins and losses at home (rows) in the American League of 1987, from Agresti, "Categorical Data
# Analysis", table 10.11: Milwaukee, Detroit, Toronto, New York, Boston, Cleveland, Baltimore.
HOME = [
    [(0, 0), (4, 3), (4, 2), (4, 3), (6, 1), (4, 2), (6, 0)],
    [(3, 3), (0, 0), (4, 2), (4, 3), (6, 0), (6, 1), (4, 3)],
    [(2, 5), (4, 3), (0, 0), (2, 4), (4, 3), (4, 2), (6, 0)],
    [(3, 3), (5, 1), (2, 5), (0, 0), (4, 3), (4, 2), (6, 1)],
    [(5, 1), (2, 5), (3, 3), (4, 2), (0, 0), (5, 2), (6, 0)],
    [(2, 5), (3, 3), (3, 4), (4, 3), (4, 2), (0, 0), (2, 4)],
    [(2, 5), (1, 5), (1, 6), (2, 4), (1, 6), (3, 4), (0, 0)],
]


def draw(
    seed: int, n: int, strengths: Floats, effects: Floats, side: float = 0.0, *, ties: float = 0.0
) -> tuple[Votes, Floats]:
    """Return n votes and their raw differences; effects are nats a standard deviation."""
    rng = np.random.default_rng(seed)
    size = len(strengths)
    a = rng.integers(0, size, n)
    b = (a + rng.integers(1, size, n)) % size
    # A model's verbosity goes with its strength, so that leaving style out would mislead.
    length = np.exp(rng.normal(6, 0.6, (2, n)) + 0.3 * strengths[np.stack([a, b])])
    other = rng.poisson(3, (2, n, len(effects) - 1))
    left, right = (np.column_stack([length[i], other[i]]) for i in (0, 1))
    raw = normalised_differences(left, right)
    ahead = strengths[a] - strengths[b] + raw / np.sqrt((raw**2).mean(axis=0)) @ effects + side
    p = 1 / (1 + np.exp(-ahead))
    first, second = rng.random((2, n)) < p
    # A voter who looks twice and disagrees says tie, so the expected share stays p.
    outcome = np.where((first != second) & (rng.random(n) < ties), 2, np.where(first, 0, 1))
    names = tuple(f"m{k:02d}" for k in range(size))
    return Votes(names, a, b, outcome.astype(np.int8), n), raw


def test_planted_effect_is_recovered_within_its_interval() -> None:
    """A quarter of a nat a standard deviation comes out as it went in, not shrunk to a sixth of it."""
    strengths = np.linspace(-1, 1, 10)
    votes, raw = draw(2, 40_000, strengths, np.array([0.25, -0.1]), 0.08)
    result = fit_style(votes, raw, ("length", "headers"), position=True)
    assert result.names == ("length", "headers", POSITION)
    for found, truth in zip(result.covariates(), (0.25, -0.1, 0.08), strict=True):
        assert found.lower < truth < found.upper
        assert found.upper - found.lower < 0.06
        assert (found.odds, found.odds_lower) == (pytest.approx(np.exp(found.coefficient)), np.exp(found.lower))
        assert found.win_share == pytest.approx(1 / (1 + np.exp(-found.coefficient)))
    spread = np.sqrt(np.diag(result.covariance))
    assert (np.abs(result.strengths - strengths) < 4 * spread).all()
    # Without style the wordy models, which are the strong ones here, gain by their length.
    assert np.ptp(result.without.strengths) > np.ptp(result.strengths) + 0.1
    assert result.joint.sum(axis=1)[:10] == pytest.approx(result.joint[:10, 10:].sum(axis=1), abs=1e-12)


def test_interval_holds_as_often_as_it_says() -> None:
    hits = []
    for seed in range(150):
        votes, raw = draw(seed, 600, np.array([0.5, 0.0, -0.5]), np.array([0.25, 0.0]))
        found = fit_style(votes, raw, ("length", "headers")).covariates(0.9)
        hits.append([found[0].lower < 0.25 < found[0].upper, found[1].lower < 0 < found[1].upper])
    # 150 draws know a share of 0.9 to about 0.025.
    assert np.mean(hits, axis=0) == pytest.approx(0.9, abs=0.06)


def test_sandwich_agrees_with_resampled_votes() -> None:
    votes, raw = draw(5, 1500, np.array([0.6, 0.0, -0.6]), np.array([0.3, 0.1]), ties=0.6)
    names = ("length", "headers")
    result = fit_style(votes, raw, names)
    rng = np.random.default_rng(6)
    drawn = []
    for _ in range(200):
        rows = rng.integers(0, votes.used, votes.used)
        resampled = Votes(votes.models, votes.a[rows], votes.b[rows], votes.outcome[rows], votes.used)
        found = fit_style(resampled, raw[rows], names)
        # In the units of the first fit: the unit is a choice and no estimate.
        drawn.append([*found.strengths, *(found.coefficients * result.sds / found.sds)])
    assert np.sqrt(np.diag(result.joint)) == pytest.approx(np.std(drawn, axis=0), rel=0.15)


def test_fit_agrees_with_an_independent_optimiser() -> None:
    from scipy.optimize import minimize

    votes, raw = draw(2, 400, np.array([0.4, 0.1, -0.5]), np.array([0.3, 0.2]), ties=0.5)
    result = fit_style(votes, raw, ("length", "headers"), position=True)
    x = np.column_stack([raw / result.sds[:2], np.ones(400)])
    share = np.array([1, 0, 0.5])[votes.outcome]

    def loss(theta: Floats) -> float:
        ahead = theta[votes.a] - theta[votes.b] + x @ theta[3:]
        return float((share * np.logaddexp(0, -ahead) + (1 - share) * np.logaddexp(0, ahead)).sum())

    found = minimize(
        lambda theta: loss(theta) + theta[:3].sum() ** 2, np.zeros(6), method="BFGS", options={"gtol": 1e-6}
    )
    theta = np.concatenate([result.strengths, result.coefficients])
    assert theta == pytest.approx(found.x, abs=1e-4)
    assert loss(theta) <= loss(found.x) + 1e-9
    steps = np.eye(6) * 1e-3
    curvature = [
        [(loss(theta + u + v) - loss(theta + u - v) - loss(theta - u + v) + loss(theta - u - v)) / 4e-6 for u in steps]
        for v in steps
    ]
    assert result.hessian == pytest.approx(np.array(curvature), rel=1e-4, abs=1e-2)


def home_counts() -> Counts:
    """Return the baseball table with the home team as side A."""
    pairs = [(i, j) for i in range(7) for j in range(7) if i != j]
    outcomes = np.array([[*HOME[i][j], 0, 0] for i, j in pairs], dtype=float)
    return Counts(tuple("abcdefg"), np.array(pairs), outcomes, round(outcomes.sum()))


def test_agrestis_home_advantage() -> None:
    """0.302 with a standard error of 0.131, (Agresti, 10.6); abilities as R's BradleyTerry2 gives them."""
    result = fit_position(home_counts())
    (side,) = result.covariates()
    assert side.coefficient == pytest.approx(0.302, abs=5e-4)
    whole = filled(result.hessian, np.append(np.ones(7), 0))
    assert np.sqrt(np.linalg.inv(whole)[7, 7]) == pytest.approx(0.131, abs=5e-4)
    assert side.win_share == pytest.approx(0.575, abs=5e-4)
    assert (side.lower > 0, side.win_share_lower > 0.5) == (True, True)
    relative = result.strengths - result.strengths[-1]
    assert relative == pytest.approx([1.6195, 1.4754, 1.3271, 1.2813, 1.1438, 0.7047, 0], abs=2e-4)
    plain = result.without.strengths - result.without.strengths[-1]
    assert plain == pytest.approx([1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0], abs=6e-3)


def test_position_from_counts_is_position_from_votes() -> None:
    votes, _ = draw(3, 500, np.array([0.4, 0.1, -0.5]), np.array([0.0]), 0.3, ties=0.5)
    alone, counted = fit_style(votes, np.zeros((500, 0)), (), position=True), fit_position(count(votes))
    assert alone.coefficients == pytest.approx(counted.coefficients, abs=1e-10)
    assert alone.joint == pytest.approx(counted.joint, abs=1e-10)
    assert alone.strengths == pytest.approx(counted.strengths, abs=1e-10)


def test_two_models_and_position_follow_their_log_odds() -> None:
    """Log odds of 30:10 with a as side A and 12:18 the other way: their half sum and half difference."""
    pairs, outcomes = np.array([[0, 1], [1, 0]]), np.array([[30.0, 10, 0, 0], [12, 18, 0, 0]])
    result = fit_position(Counts(("a", "b"), pairs, outcomes, 70))
    first, second = np.log(30 / 10), np.log(12 / 18)
    assert result.coefficients == pytest.approx([(first + second) / 2])
    assert np.ptp(result.strengths) == pytest.approx((first - second) / 2)
    assert result.joint[2, 2] == pytest.approx((1 / 30 + 1 / 10 + 1 / 12 + 1 / 18) / 4)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_swapping_sides_keeps_style_and_turns_position(seed: int) -> None:
    votes, raw = draw(seed, 300, np.array([0.3, 0.0, -0.3]), np.array([0.2, -0.2]), 0.1, ties=0.5)
    swap = np.random.default_rng(seed).random(300) < 0.5
    flipped = np.array([outcome.flip().code for outcome in OUTCOMES], dtype=np.int8)[votes.outcome]

    def swapped(where: NDArray[np.bool_], *, position: bool) -> CovariateFit:
        sides = (np.where(where, votes.b, votes.a), np.where(where, votes.a, votes.b))
        mirrored = Votes(votes.models, *sides, np.where(where, flipped, votes.outcome), 300)
        return fit_style(mirrored, np.where(where[:, None], -raw, raw), ("x", "y"), position=position)

    some, none, every = swap, np.zeros(300, dtype=bool), np.ones(300, dtype=bool)
    a, b = swapped(none, position=False), swapped(some, position=False)
    assert a.strengths == pytest.approx(b.strengths, abs=1e-9)
    assert a.coefficients == pytest.approx(b.coefficients, abs=1e-9)
    c, d = swapped(none, position=True), swapped(every, position=True)
    assert c.coefficients == pytest.approx(d.coefficients * [1, 1, -1], abs=1e-9)
    assert c.joint[:5, :5] == pytest.approx(d.joint[:5, :5], abs=1e-9)


def test_many_votes_start_from_some_and_end_at_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    votes, raw = draw(4, 6_000, np.linspace(-1, 1, 8), np.array([0.25, 0.1]))
    # One model with two votes, which every hundredth does not see.
    a, b = np.append(votes.a, [8, 8]), np.append(votes.b, [0, 1])
    outcome = np.append(votes.outcome, [0, 1]).astype(np.int8)
    wider = Votes((*votes.models, "m99"), a, b, outcome, 6_002)
    raw = np.vstack([raw, [[0.1, 0.2], [0.3, -0.4]]])
    plain = fit_style(wider, raw, ("length", "headers"))
    monkeypatch.setattr(covariates, "_MANY", 1_000)
    quick = fit_style(wider, raw, ("length", "headers"))
    assert quick.iterations < plain.iterations or quick.strengths != pytest.approx(plain.strengths, abs=0)
    assert quick.strengths == pytest.approx(plain.strengths, abs=1e-8)
    assert quick.joint == pytest.approx(plain.joint, abs=1e-8)
    assert max(quick.max_gradient, plain.max_gradient) <= 1e-9 * 6_002


def test_vote_without_a_style_is_left_out_under_its_reason() -> None:
    votes, raw = draw(7, 400, np.array([0.3, 0.0, -0.3]), np.array([0.2, 0.1]))
    raw[:50, 0] = np.nan
    result = fit_style(votes, raw, ("length", "headers"))
    assert result.left_out == {NOT_MEASURED: 50}
    assert result.without.used == 350
    rest = Votes(votes.models, votes.a[50:], votes.b[50:], votes.outcome[50:], 350)
    assert result.strengths == pytest.approx(fit_style(rest, raw[50:], ("length", "headers")).strengths)


def test_both_bad_counts_as_a_tie_or_is_dropped() -> None:
    votes, raw = draw(8, 400, np.array([0.3, 0.0, -0.3]), np.array([0.2, 0.1]), ties=1.0)
    bad = Votes(votes.models, votes.a, votes.b, np.where(votes.outcome == 2, 3, votes.outcome).astype(np.int8), 400)
    names = ("length", "headers")
    assert fit_style(bad, raw, names).coefficients == pytest.approx(fit_style(votes, raw, names).coefficients)
    decided = votes.outcome < 2
    dropped = fit_style(bad, raw, names, both_bad="drop")
    assert dropped.left_out == {"both bad, dropped": int((~decided).sum())}
    rest = Votes(votes.models, votes.a[decided], votes.b[decided], votes.outcome[decided], int(decided.sum()))
    again = fit_style(rest, raw[decided], names)
    assert dropped.strengths == pytest.approx(again.strengths)
    with pytest.raises(SettingsError, match="loss-to-the-field"):
        fit_style(bad, raw, names, both_bad="loss-to-the-field")


def test_covariates_that_cannot_be_told_apart_are_refused() -> None:
    votes, raw = draw(9, 300, np.array([0.3, 0.0, -0.3]), np.array([0.2, 0.1]))
    with pytest.raises(SettingsError, match="headers: both replies are alike"):
        fit_style(votes, raw * [1, 0], ("length", "headers"))
    with pytest.raises(SettingsError, match="length and twice cannot be separated"):
        fit_style(votes, np.column_stack([raw, 2 * raw[:, 0]]), ("length", "headers", "twice"))
    favourite = np.where(votes.a == 0, 1.0, np.where(votes.b == 0, -1.0, 0.0))[:, None]
    with pytest.raises(SettingsError, match="is the first model"):
        fit_style(votes, favourite, ("is the first model",))
    one_sided = Counts(("a", "b"), np.array([[0, 1]]), np.array([[5.0, 3, 0, 0]]), 8)
    with pytest.raises(SettingsError, match="side A"):
        fit_position(one_sided)
    with pytest.raises(SettingsError, match="shape"):
        fit_style(votes, raw[1:], ("length", "headers"))


def test_covariate_that_decides_every_vote_has_no_number() -> None:
    votes, raw = draw(10, 300, np.array([0.3, 0.0, -0.3]), np.array([0.2, 0.1]))
    decided = Votes(votes.models, votes.a, votes.b, (raw[:, 0] < 0).astype(np.int8), 300)
    with pytest.raises(NotConvergedError):
        fit_style(decided, raw, ("length", "headers"))


def test_lopsided_but_finite_fit_keeps_its_number() -> None:
    pairs, outcomes = np.array([[0, 1], [1, 0]]), np.array([[3e6, 1, 0, 0], [1, 2e6, 0, 0]])
    result = fit_position(Counts(("a", "b"), pairs, outcomes, 5_000_002))
    assert np.ptp(result.strengths) == pytest.approx((np.log(3e6) + np.log(2e6)) / 2, abs=1e-8)


def test_nothing_but_ties_has_no_interval() -> None:
    ties = Counts(("a", "b"), np.array([[0, 1], [1, 0]]), np.array([[0.0, 0, 5, 0], [0, 0, 5, 0]]), 10)
    with pytest.raises(SettingsError, match="no spread in side A"):
        fit_position(ties)
    nobody = Counts(("a", "b"), np.array([[0, 1]]), np.array([[5.0, 0, 0, 0]]), 5)
    with pytest.raises(SettingsError, match="no two models"):
        fit_position(nobody)


def test_normalised_difference_of_counts() -> None:
    left, right = np.array([2.0, 0, 3, np.nan]), np.array([1.0, 0, 0, 1])
    assert normalised_differences(left, right) == pytest.approx([1 / 3, 0, 1, np.nan], nan_ok=True)
    assert odds_of_double(0.3, 0.25) == pytest.approx(np.exp(0.3 / 0.25 * normalised_differences(left, right)[0]))
    with pytest.raises(SettingsError, match="negative"):
        normalised_differences(np.array([-1.0]), np.array([1.0]))


def rare_bold(n: int = 145) -> tuple[Votes, np.ndarray]:
    """Return n votes and their (n, 4) differences, in which bold occurs twice and wins."""
    rng = np.random.default_rng(5)
    a = rng.integers(0, 3, n)
    votes = Votes(("a", "b", "c"), a, (a + rng.integers(1, 3, n)) % 3, rng.integers(0, 3, n).astype(np.int8), n)
    differences = rng.normal(0, 0.3, (n, 4))
    differences[:, 2] = 0
    for place, code, side in ((10, Outcome.A_WINS.code, 1), (20, Outcome.B_WINS.code, -1)):
        votes.outcome[place] = code
        differences[place, 2] = side
    return votes, differences


def test_a_feature_that_separates_is_left_out_by_name_and_the_rest_is_fitted() -> None:
    votes, differences = rare_bold()
    with pytest.raises(NotConvergedError):
        fit_style(votes, differences)
    found = fit_estimable(votes, differences, FEATURES, position=True)
    assert list(found.left_out) == ["bold"]
    assert "differs in 2 of 145 votes, and no vote speaks against it" in found.left_out["bold"]
    rest = fit_style(votes, differences[:, [0, 1, 3]], ("length", "headers", "lists"), position=True)
    np.testing.assert_allclose(found.fit.coefficients, rest.coefficients)


def test_a_feature_that_repeats_another_or_never_differs_is_left_out_by_name() -> None:
    votes, differences = rare_bold()
    differences[:, 2] = 0
    differences[:, 3] = differences[:, 1] / 2
    found = fit_estimable(votes, differences, FEATURES)
    assert found.fit.names == ("length", "headers")
    assert found.left_out["bold"] == ALIKE
    assert "cannot be told from length and headers" in found.left_out["lists"]


def test_a_side_that_cannot_be_told_from_the_models_leaves_the_style() -> None:
    votes, differences = rare_bold()
    fixed = Votes(("a", "b"), np.zeros(145, dtype=int), np.ones(145, dtype=int), votes.outcome, 145)
    found = fit_estimable(fixed, differences[:, :2], ("length", "headers"), position=True)
    assert found.fit.names == ("length", "headers")
    assert list(found.left_out) == ["side A"]


def test_nothing_that_can_be_held_equal_is_an_error_with_every_reason() -> None:
    votes, differences = rare_bold()
    with pytest.raises(SettingsError, match="bold: it has no finite estimate"):
        fit_estimable(votes, differences[:, 2:3], ("bold",))


def test_one_covariate_is_not_told_from_each_other() -> None:
    pairs, outcomes = np.array([[0, 1]]), np.array([[5.0, 4, 0, 0]])
    with pytest.raises(SettingsError, match="side A cannot be separated from the models themselves in these votes"):
        fit_position(Counts(("a", "b"), pairs, outcomes, 9))
