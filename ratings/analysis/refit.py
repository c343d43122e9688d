"""A fit without some of its votes: what fragility and influence rest on."""

import numpy as np
from numpy.typing import NDArray

from ratings.errors import SettingsError
from ratings.fit.bradley_terry import BradleyTerryFit, fit
from ratings.fit.protocol import Fit
from ratings.outcomes import OUTCOMES, Outcome
from ratings.votes.counts import Counts

Floats = NDArray[np.float64]


def check_plain(result: Fit) -> None:
    """Raise SettingsError for a fit that rests on more than wins and half ties of one vote each."""
    if result.log_nu is not None:
        raise SettingsError("only known for Bradley-Terry, not with Davidson's tie parameter")
    data = result.data
    is_weighted = (data.squared_wins != data.wins).any() or (data.squared_ties != data.ties).any()
    is_whole = (data.wins == np.rint(data.wins)).all()
    if result.prior is not None or data.field.any() or is_weighted or not is_whole:
        raise SettingsError(
            "votes can only be dropped one by one from a fit of plain wins and ties, "
            "without prior, weights or losses to the field"
        )


def refit(wins: Floats, ties: Floats, start: Floats) -> BradleyTerryFit:
    """Return the fit of (R, R) wins and symmetric ties, from (R,) strengths close to it; models are numbered from 0."""
    upper = np.triu(ties)
    pairs = np.argwhere(wins + upper > 0)
    outcomes = np.zeros((len(pairs), len(OUTCOMES)))
    outcomes[:, Outcome.A_WINS.code] = wins[tuple(pairs.T)]
    outcomes[:, Outcome.TIE.code] = upper[tuple(pairs.T)]
    names = tuple(str(k) for k in range(len(wins)))
    counts = Counts(names, pairs, outcomes, round(float(outcomes.sum())))
    return fit(counts, start=dict(zip(names, start.tolist(), strict=True)))
