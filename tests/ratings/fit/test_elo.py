"""Online Elo by hand, and the ticker as the same arithmetic one vote at a time."""

from collections.abc import Callable

import pytest
from hypothesis import given

from ratings.errors import SettingsError
from ratings.fit.elo import Ticker, elo, expected
from ratings.outcomes import OUTCOMES, Outcome
from ratings.votes.votes import Votes
from tests.ratings.helpers.strategies import VOTES


def test_worked_example_by_hand(make_votes: Callable[..., Votes]) -> None:
    """Equal players expect 1/2: +2. Then E = 1 / (1 + 10^(-4/400)) = 0.505756 and a tie costs the leader."""
    first = [("a", "b", Outcome.A_WINS)]
    assert elo(make_votes(first)).tolist() == [1002.0, 998.0]
    both = elo(make_votes([*first, ("b", "a", Outcome.TIE)]))
    assert both == pytest.approx([1002 - 4 * 0.0057563, 998 + 4 * 0.0057563], abs=1e-6)


def test_400_points_ahead_expects_ten_wins_in_eleven() -> None:
    assert expected(1400, 1000) == pytest.approx(10 / 11)
    assert Ticker({"a": 1400.0}).update("a", "b", Outcome.B_WINS) == pytest.approx(-4 * 10 / 11)


def test_tie_between_equals_moves_nobody() -> None:
    ticker = Ticker()
    assert ticker.update("a", "b", Outcome.TIE) == 0
    assert ticker.ratings == {"a": 1000, "b": 1000}


@pytest.mark.parametrize("both_bad", ["tie", "drop"])
@given(votes=VOTES)
def test_ticker_ends_where_the_whole_run_ends(votes: Votes, both_bad: str) -> None:
    ticker = Ticker(k=16, both_bad=both_bad)  # type: ignore[arg-type]
    for a, b, code in zip(votes.a, votes.b, votes.outcome, strict=True):
        ticker.update(votes.models[a], votes.models[b], OUTCOMES[code])
    final = elo(votes, k=16, both_bad=both_bad)  # type: ignore[arg-type]
    assert ticker.ratings == pytest.approx(dict(zip(votes.models, final, strict=True)))
    assert sum(final) == pytest.approx(1000 * len(votes.models))


def test_swapped_sides_move_the_same_points() -> None:
    start = {"a": 1030.0, "b": 990.0}
    one, other = Ticker(start), Ticker(start)
    for outcome in OUTCOMES:
        assert one.update("a", "b", outcome) == pytest.approx(-other.update("b", "a", outcome.flip()))
    assert one.ratings == pytest.approx(other.ratings)


def test_both_bad_pulls_towards_each_other_or_moves_nobody() -> None:
    start = {"a": 1100.0, "b": 900.0}
    assert Ticker(start).update("a", "b", Outcome.BOTH_BAD) < 0
    dropping = Ticker(start, both_bad="drop")
    assert dropping.update("a", "b", Outcome.BOTH_BAD) == 0
    assert dropping.ratings == start


def test_both_bad_vote_lost_to_the_field_has_no_winner_to_take_the_points(make_votes: Callable[..., Votes]) -> None:
    with pytest.raises(SettingsError, match="lost to the field has no winner"):
        Ticker(both_bad="loss-to-the-field")
    with pytest.raises(SettingsError, match="lost to the field has no winner"):
        elo(make_votes([("a", "b", Outcome.TIE)]), both_bad="loss-to-the-field")


def test_ticker_does_not_touch_the_ratings_it_was_given() -> None:
    start = {"a": 1000.0}
    Ticker(start).update("a", "b", Outcome.A_WINS)
    assert start == {"a": 1000.0}


def test_settings_that_make_no_sense_are_errors() -> None:
    with pytest.raises(SettingsError, match="cannot play itself"):
        Ticker().update("a", "a", Outcome.TIE)
    for k in (0, -4, float("nan"), float("inf")):
        with pytest.raises(SettingsError, match="k is"):
            Ticker(k=k)
