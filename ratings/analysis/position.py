"""The advantage of standing on side A, as one more coefficient beside the strengths.

Some voters prefer the reply they read first. With sides drawn by a coin the ratings are hardly moved
by it, but the bias itself is worth knowing, and where a model stood on one side more often the
ratings need the correction. It is the home advantage of sports (Agresti 2002, "Categorical Data
Analysis", 10.6), a covariate that is 1 for every vote, so counts are enough to fit it.
"""

from dataclasses import replace

import numpy as np

from ratings.fit.bradley_terry import fit
from ratings.fit.covariate_data import CovariateData
from ratings.fit.covariates import CovariateFit, fit_covariates, places, shares_for_either
from ratings.fit.protocol import Fit
from ratings.outcomes import OUTCOMES, BothBad
from ratings.votes.counts import Counts

POSITION = "side A"


def fit_position(counts: Counts, *, both_bad: BothBad = "tie", without: Fit | None = None) -> CovariateFit:
    """Return strengths with the side held equal, and side A's advantage as the only covariate.

    The cost depends on the number of pairs and not of votes, each of which weighs the same, also where
    the counts carry weights. `without` is the fit without the side, where it was made already: by half a
    win for a tie, without prior or weights. Raises SettingsError where the side cannot be separated from the
    models, as where each of two models always kept its own, and NotConvergedError where the estimate
    does not exist.
    """
    share = np.tile(shares_for_either(both_bad), len(counts.pairs))
    if without is None:
        without = fit(replace(counts, weights=None, squared_weights=None), both_bad=both_bad)
    a, b = np.repeat(places(without)[counts.pairs], len(OUTCOMES), axis=0).T
    times = counts.outcomes.ravel()
    kept = (a >= 0) & (b >= 0) & (times > 0) & np.isfinite(share)
    size = len(without.rated)
    rows = CovariateData(size, (a * size + b)[kept], share[kept], np.ones((1, int(kept.sum()))), times[kept])
    return fit_covariates(rows, (POSITION,), np.ones(1), without, without.left_out)
