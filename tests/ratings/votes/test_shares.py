"""What a vote of each outcome gives to either side."""

import numpy as np

from ratings.outcomes import OUTCOMES
from ratings.votes.shares import BAD, LOST, TIED, WON, shares


def test_shares_of_a_win_are_those_of_the_treatment() -> None:
    assert shares("tie").tolist() == [1.0, 0.0, 0.5, 0.5]
    for both_bad in ("drop", "loss-to-the-field"):
        assert np.array_equal(shares(both_bad), [1.0, 0.0, 0.5, np.nan], equal_nan=True)
    assert np.array_equal(shares("tie", "drop"), [1.0, 0.0, np.nan, np.nan], equal_nan=True)


def test_every_outcome_is_decided_a_tie_or_both_bad() -> None:
    assert np.array_equal(WON + LOST + TIED + BAD, np.ones(len(OUTCOMES)))
    flipped = [outcome.flip().code for outcome in OUTCOMES]
    assert np.array_equal(WON[flipped], LOST)
