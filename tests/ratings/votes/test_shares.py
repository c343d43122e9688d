"""What a vote of each outcome gives to either side."""

import numpy as np

from ratings.outcomes import OUTCOMES
from ratings.votes.shares import BAD, LOST, TIED, WON, shares, total


def test_shares_of_a_win_are_those_of_the_treatment() -> None:
    assert shares("tie").tolist() == [1.0, 0.0, 0.5, 0.5]
    for both_bad in ("drop", "loss-to-the-field"):
        assert np.array_equal(shares(both_bad), [1.0, 0.0, 0.5, np.nan], equal_nan=True)
    assert np.array_equal(shares("tie", "drop"), [1.0, 0.0, np.nan, np.nan], equal_nan=True)


def test_every_outcome_is_decided_a_tie_or_both_bad() -> None:
    assert np.array_equal(WON + LOST + TIED + BAD, np.ones(len(OUTCOMES)))
    flipped = [outcome.flip().code for outcome in OUTCOMES]
    assert np.array_equal(WON[flipped], LOST)


def test_total_is_the_product_with_the_kind() -> None:
    cells = np.arange(24.0).reshape(2, 3, len(OUTCOMES))
    for kind in (WON, LOST, TIED, BAD, TIED + BAD, shares("tie")):
        assert np.array_equal(total(cells, kind), cells @ kind)
