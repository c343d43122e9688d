"""A series agrees with separate fits of the same votes, period by period."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ratings.analysis.over_time import Series, series
from ratings.errors import NotConvergedError, NoVotesError, SettingsError
from ratings.fit import newton
from ratings.fit.bradley_terry import fit
from ratings.intervals.ranks import marginal_ranks
from ratings.intervals.sandwich import centre_on, covariance, has_spread, intervals
from ratings.scale import to_points
from ratings.votes.counts import count
from ratings.votes.votes import Votes
from tests.ratings.helpers.strategies import VOTES

DAY = 86_400.0
START = datetime(2030, 1, 2, tzinfo=UTC).timestamp()  # a Wednesday


def draw(n: int, size: int, days: int) -> tuple[Votes, NDArray[np.float64]]:
    """Return n votes over the days, in no order of time."""
    rng = np.random.default_rng(3)
    strengths = np.linspace(0.8, -0.8, size)
    a = rng.integers(0, size, n)
    b = (a + rng.integers(1, size, n)) % size
    wins = rng.random(n) < 1 / (1 + np.exp(strengths[b] - strengths[a]))
    outcome = np.where(rng.random(n) < 0.2, rng.integers(2, 4, n), np.where(wins, 0, 1))
    return Votes(tuple("abcdefghij"[:size]), a, b, outcome.astype(np.int8), n), START + rng.random(n) * days * DAY


def part(votes: Votes, kept: NDArray[np.bool_]) -> Votes:
    return Votes(votes.models, votes.a[kept], votes.b[kept], votes.outcome[kept], int(kept.sum()))


def assert_is_board_of(found: Series, t: int, votes: Votes, both_bad: str = "tie") -> None:
    """Check one period against the board that bradley_terry and intervals make of the same votes."""
    result = fit(count(votes), both_bad=both_bad)  # type: ignore[arg-type]
    shown = has_spread(result)
    strengths, joint = centre_on(shown, result.strengths, covariance(result))
    models = result.rated[shown]
    assert np.flatnonzero(np.isfinite(found.ratings[t])).tolist() == models.tolist()
    assert found.ratings[t, models] == pytest.approx(to_points(strengths), abs=1e-5)
    lower, upper = intervals(strengths, np.diag(joint), 0.95)
    assert found.lower[t, models] == pytest.approx(to_points(lower), abs=1e-5)
    assert found.upper[t, models] == pytest.approx(to_points(upper), abs=1e-5)
    assert found.ranks[t, models].tolist() == marginal_ranks(strengths, joint, 0.95).tolist()
    assert found.ranks[t].sum() == found.ranks[t, models].sum()
    assert found.used[t] == result.used


@pytest.mark.parametrize("cumulative", [True, False])
@pytest.mark.parametrize("both_bad", ["tie", "drop"])
def test_every_day_is_the_board_of_its_votes(cumulative: bool, both_bad: str) -> None:
    votes, times = draw(4_000, 6, 20)
    found = series(votes, times, cumulative=cumulative, both_bad=both_bad)  # type: ignore[arg-type]
    assert len(found.periods) == 20
    assert (found.periods[0], found.periods[-1]) == ("2030-01-02", "2030-01-21")
    day = np.floor((times - START) / DAY)
    for t in range(20):
        kept = day <= t if cumulative else day == t
        assert_is_board_of(found, t, part(votes, kept), both_bad)


@settings(max_examples=50)
@given(VOTES, st.data())
def test_models_are_rated_from_the_day_they_can_be(votes: Votes, data: st.DataObject) -> None:
    days = np.array(data.draw(st.lists(st.integers(0, 4), min_size=votes.used, max_size=votes.used)))
    assume(votes.used > 0)
    found = series(votes, START + days * DAY)
    assert len(found.periods) == len(set(days.tolist()))
    for t, day in enumerate(sorted(set(days.tolist()))):
        assert_is_board_of(found, t, part(votes, days <= day))


def test_weeks_open_on_monday_and_midnight_belongs_to_the_new_day() -> None:
    votes, _ = draw(60, 3, 1)
    sunday, monday = START + 5 * DAY - 1, START + 5 * DAY
    times = np.where(np.arange(60) < 30, sunday, monday)
    assert series(votes, times, by="week").periods == ("2029-12-31", "2030-01-07")
    assert series(votes, times).periods == ("2030-01-06", "2030-01-07")


def test_days_without_a_vote_have_no_entry_and_times_before_1970_are_days_too() -> None:
    votes, _ = draw(60, 3, 1)
    times = np.where(np.arange(60) < 30, -1.0, 40 * DAY)
    assert series(votes, times).periods == ("1969-12-31", "1970-02-10")


def test_votes_without_a_time_are_counted_and_in_no_period() -> None:
    votes, times = draw(600, 4, 3)
    times[::3] = np.nan
    found = series(votes, times)
    assert (found.untimed, int(found.used[-1])) == (200, 400)
    assert_is_board_of(found, 2, part(votes, np.isfinite(times)))
    with pytest.raises(NoVotesError, match="no vote with a time"):
        series(votes, np.full(600, np.nan))


def test_settings_and_times_that_are_no_seconds_are_errors() -> None:
    votes, times = draw(60, 3, 2)
    for wrong in (times * 1000, np.where(np.arange(60) == 0, 0, times * 4)):
        with pytest.raises(SettingsError, match="seconds since 1970"):
            series(votes, wrong)
    with pytest.raises(SettingsError, match="'month'"):
        series(votes, times, by="month")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="shape"):
        series(votes, times[1:])
    with pytest.raises(SettingsError, match="loss-to-the-field"):
        series(votes, times, both_bad="loss-to-the-field")
    with pytest.raises(SettingsError, match="confidence"):
        series(votes, times, confidence=95)


def test_fit_that_runs_out_of_iterations_gives_no_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newton, "MAX_ITERATIONS", 1)
    with pytest.raises(NotConvergedError, match="stopped after 1 iterations"):
        series(*draw(600, 4, 3))


def test_json_is_strict_and_has_nulls_for_models_without_a_number() -> None:
    votes, times = draw(60, 3, 2)
    wider = Votes((*votes.models, "z"), votes.a, votes.b, votes.outcome, 60)
    told = json.loads(json.dumps(series(wider, times).to_json_dict(), allow_nan=False))
    assert told["models"]["z"] == {key: [None, None] for key in ("rating", "lower", "upper", "rank")}
    one = told["models"]["a"]
    assert one["lower"][1] < one["rating"][1] < one["upper"][1]
    assert told["periods"] == ["2030-01-02", "2030-01-03"]
