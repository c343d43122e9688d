"""Poisson bootstrap on counts: intervals by resampled votes, a cross-check of the sandwich.

Each replicate casts every vote Poisson(1) times (Oza and Russell 2001; Chamandy et al. 2012,
"Estimating Uncertainty for Massive Data Streams"). Equal votes fall together, so a cell of n votes
becomes one draw of Poisson(n) and the cost depends on the models alone, not on the votes. Each
replicate is fitted by Newton's method from the strengths of all votes, where two or three steps do, on
many replicates at a time. Where votes weigh differently, a cell of total weight W and squares S becomes
S / W Poisson(W^2 / S), which has the mean W and the variance S of its votes drawn one by one.

In a replicate a rare model may lose its only win. Then its strength does not exist (existence.py) and
the replicate falls apart: it is left out and counted, and where more than MAX_LOST of them are lost
there is no interval, because the ones left are those where all went well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ratings.errors import NotConvergedError, SettingsError, TooFewModelsError
from ratings.fit.bradley_terry import BradleyTerryFit
from ratings.fit.existence import reachable
from ratings.intervals.sandwich import intervals
from ratings.scale import quantile

Kind = Literal["percentile", "normal"]

REPLICATES = 500
MAX_LOST = 0.05
"""Share of replicates without strengths above which there is no interval."""

MAX_STEPS = 50
_BATCH_BYTES = 2**24  # of one (batch, R, R) array
_LONGEST_STEP = 1.0  # nats; full Newton steps may overshoot in sparse replicates
_CLOSE_ENOUGH = 1e-8  # squared distance to the maximum in standard errors, after which one more step is exact


@dataclass(frozen=True)
class Bootstrap:
    """Strengths of the R rated models in each replicate that has them."""

    estimate: NDArray[np.float64]
    """(R,) nats, the strengths of all votes."""
    strengths: NDArray[np.float64]
    """(B, R) nats, each row summing to zero; the lost replicates are not among them."""
    drawn: int
    """Replicates drawn: B plus the lost ones."""
    fell_apart: int
    """Replicates in which some strength does not exist."""
    not_converged: int
    """Replicates in which Newton's method did not arrive."""

    def covariance(self) -> NDArray[np.float64]:
        """Return the (R, R) covariance of the replicates; raise NotConvergedError where too many are lost."""
        self._check()
        centred = self.strengths - self.strengths.mean(axis=0)
        return np.asarray(centred.T @ centred / (len(centred) - 1))

    def intervals(
        self, confidence: float, kind: Kind = "percentile"
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (R,) lower and upper bounds in nats, each for its model alone.

        "percentile" takes quantiles of the replicates, "normal" their spread around the estimate.
        Raises NotConvergedError where too many replicates are lost or too few are left for the
        quantiles, and SettingsError for an unknown kind or a confidence outside (0, 1).
        """
        quantile(confidence)  # refuses what is no confidence
        if kind not in get_args(Kind):
            raise SettingsError(f"bootstrap interval is {kind!r}; choose one of {', '.join(get_args(Kind))}")
        if kind == "normal":
            return intervals(self.estimate, np.diag(self.covariance()), confidence)
        self._check()
        tail = (1 - confidence) / 2
        if tail * len(self.strengths) < 1:
            raise NotConvergedError(
                f"{len(self.strengths)} replicates do not reach into a tail of {tail:.3g}; "
                f"draw at least {int(np.ceil(1 / tail))} or ask for normal intervals"
            )
        lower, upper = np.quantile(self.strengths, [tail, 1 - tail], axis=0)
        return lower, upper

    def _check(self) -> None:
        lost = self.drawn - len(self.strengths)
        if lost > MAX_LOST * self.drawn or len(self.strengths) < 2:
            raise NotConvergedError(
                f"{lost} of {self.drawn} bootstrap replicates have no strengths ({self.fell_apart} fell apart), too "
                "many for an interval; collect more votes on the rare models or ask for the sandwich"
            )


def bootstrap(
    fit: BradleyTerryFit,
    *,
    rng: np.random.Generator,
    replicates: int = REPLICATES,
    progress: Callable[[int], None] | None = None,
) -> Bootstrap:
    """Return the strengths of `replicates` resamplings of the votes that entered `fit`.

    `progress` is called with the number of replicates done since its last call. Raises SettingsError for
    fewer than two replicates or a fit with losses to the field or a prior, and TooFewModelsError where
    no models are rated.
    """
    if replicates < 2:
        raise SettingsError(f"replicates is {replicates}; a spread needs at least 2")
    if fit.data.field.any() or fit.prior is not None:
        raise SettingsError(
            "the bootstrap resamples wins and ties alone; ask for the sandwich with losses to the field or a prior"
        )
    if len(fit.strengths) == 0:
        raise TooFewModelsError("no two models can be rated together, so there is nothing to resample")
    batch = max(1, min(replicates, _BATCH_BYTES // (8 * len(fit.strengths) ** 2)))
    found, fell_apart, not_converged = [], 0, 0
    for start in range(0, replicates, batch):
        n = min(batch, replicates - start)
        wins, ties = _resample(fit, rng, n)
        together = _holds_together(wins + ties, fit.wins + fit.ties)
        strengths, converged = newton(wins[together] + ties[together] / 2, fit.strengths)
        found.append(strengths[converged])
        fell_apart += int((~together).sum())
        not_converged += int((~converged).sum())
        if progress:
            progress(n)
    return Bootstrap(fit.strengths, np.concatenate(found), replicates, fell_apart, not_converged)


def newton(shares: NDArray[np.float64], start: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return (B, R) strengths that maximise the likelihoods of (B, R, R) shares, and (B,) whether each converged.

    `start` is (R,), near them all. The step is that of bradley_terry.py without its line search.
    """
    strengths = np.repeat(start[None, :], len(shares), axis=0)
    converged = np.zeros(len(shares), dtype=bool)
    active = np.arange(len(shares))
    for _ in range(MAX_STEPS):
        if len(active) == 0:
            break
        step, distance = _step(shares[active], strengths[active])
        longest = np.abs(step).max(axis=1, keepdims=True)
        strengths[active] += step * np.minimum(1, _LONGEST_STEP / np.maximum(longest, 1e-300))
        done = distance < _CLOSE_ENOUGH
        converged[active[done]] = True
        active = active[~done]
    return strengths - strengths.mean(axis=1, keepdims=True), converged


def _resample(
    fit: BradleyTerryFit, rng: np.random.Generator, n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (n, R, R) wins and symmetric ties, each vote cast Poisson(1) times."""
    data = fit.data
    wins = _cast(data.wins, data.squared_wins, rng, n)
    ties = _cast(np.triu(data.ties), np.triu(data.squared_ties), rng, n)
    return wins, ties + ties.transpose(0, 2, 1)


def _cast(
    weights: NDArray[np.float64], squares: NDArray[np.float64], rng: np.random.Generator, n: int
) -> NDArray[np.float64]:
    some = np.where(weights > 0, weights, 1.0)
    return np.asarray(
        rng.poisson(weights * some / np.where(weights > 0, squares, 1.0), (n, *weights.shape)) * (squares / some)
    )


def _holds_together(beats: NDArray[np.float64], all_votes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (n,) whether the strengths of each replicate exist; (n, R, R) and (R, R) wins plus ties."""
    together = ((beats > 0) == (all_votes > 0)).all(axis=(1, 2))  # nothing lost of what held all votes together
    for i in np.flatnonzero(~together):
        together[i] = reachable(beats[i]).all()
    return np.asarray(together)


def _step(
    shares: NDArray[np.float64], strengths: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (B, R) Newton steps and (B,) squared distances to the maximum in standard errors."""
    size = shares.shape[1]
    ahead = strengths[:, :, None] - strengths[:, None, :]
    probability = 1 / (1 + np.exp(-np.clip(ahead, -500, 500)))
    other = probability.transpose(0, 2, 1)
    gradient = (shares * other - shares.transpose(0, 2, 1) * probability).sum(axis=2)
    hessian = -(shares + shares.transpose(0, 2, 1)) * probability * other
    diagonal = -hessian.sum(axis=2)
    place = np.arange(size)
    hessian[:, place, place] = diagonal
    hessian += (diagonal.sum(axis=1) / size**2)[:, None, None]  # fills the direction that no vote informs
    step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
    return step, (gradient * step).sum(axis=1)
