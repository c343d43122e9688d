"""How little it would take to change the first place.

How many votes would have to be dropped for another model to lead? Trying all sets of votes is out of
the question, so the most influential set is approximated (AMIP: Broderick, Giordano and Meager 2020,
arXiv:2011.14999; on arenas Huang, Shen, Wei and Broderick 2025, arXiv:2508.11847). To first order,
dropping a vote of share y on models i and j moves the lead s_first - s_k by

    -(y - P_ij) (u_i - u_j),    u = H+ (e_first - e_k),

and the effects of several votes add. So for each challenger k the votes with the largest effects are
taken, one after another, until their sum reaches the lead; all votes of a cell (i beats j, or a tie)
have the same effect, so counts are enough. The challenger that needs the fewest is named.

The sum is an approximation, so that answer is checked: the votes are left out, the strengths are fitted
again, and the number is moved along the same order to the smallest one that does change the first
place. It is what some adversary could do, an upper bound on the least number; few votes mean that a
lead rests on few voters, not that it is wrong.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratings.analysis.refit import check_plain, refit
from ratings.errors import SettingsError, TooFewModelsError
from ratings.fit.bradley_terry import win_probability
from ratings.fit.protocol import Fit
from ratings.scale import POINTS_PER_NAT

METHOD = "approximate maximum influence, checked by fitting again"

Floats = NDArray[np.float64]

# A tie between equals has no effect but for rounding; the effect of a vote that has one is over 1 / votes.
_ROUNDING = 1e-14
# A lead of less than this in nats is a shared first place, but for rounding.
_SHARED = 1e-9


@dataclass(frozen=True)
class Dropped:
    """Votes of one kind that were left out."""

    winner: str
    """For a tie, one of the two."""
    loser: str
    is_tie: bool
    votes: int


@dataclass(frozen=True)
class Fragility:
    """The votes that hold up the first place."""

    first: str
    challenger: str
    """The model that needs the fewest votes dropped to lead."""
    lead: float
    """Elo points between the two."""
    votes: int
    """Votes that entered the fit."""
    predicted: int | None
    """Votes to drop by the approximation; None where not even all that help are enough."""
    needed: int | None
    """Votes whose dropping changes the first place; None where none were."""
    lead_after: float | None
    """Elo points of the first over the challenger without these votes; below zero."""
    dropped: tuple[Dropped, ...]
    """The needed votes by kind, the most influential first."""

    @property
    def share(self) -> float:
        """Return the needed votes as a share of all; NaN where there are none."""
        return math.nan if self.needed is None else self.needed / self.votes


def fragility(result: Fit, *, challengers: int = 5) -> Fragility:
    """Return how few votes hold up the first place, among the `challengers` nearest to it.

    Raises TooFewModelsError where no two models are rated, and SettingsError for a fit with a prior,
    weights or losses to the field, where dropping a vote is not a matter of counts.
    """
    order = np.argsort(-result.strengths, kind="stable")
    if len(order) < 2:
        raise TooFewModelsError("no two models are rated together, so there is no first place to lose")
    if challengers < 1:
        raise SettingsError(f"challengers is {challengers}; give how many of the models below the first to try")
    check_plain(result)
    first = int(order[0])
    cells, inverse = _cells(result), result.inverse
    attacks = [_plan(result, cells, inverse, first, int(k)) for k in order[1 : challengers + 1]]
    attacks.sort(key=lambda attack: (attack.predicted is None, attack.predicted or 0))
    # The others are only fitted again where the first of them comes to nothing.
    for attack in attacks:
        found = _carry_out(result, attack)
        if found.needed is not None:
            return found
    return _carry_out(result, attacks[0])


@dataclass(frozen=True)
class _Cells:
    """Votes of one kind each: i beat j, or i and j tied with i < j."""

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    is_tie: NDArray[np.bool_]
    votes: NDArray[np.int64]
    residual: Floats
    """What the winner, or i, took beyond what was expected of it."""

    def __getitem__(self, some: NDArray[np.int64]) -> "_Cells":
        return _Cells(self.i[some], self.j[some], self.is_tie[some], self.votes[some], self.residual[some])


@dataclass(frozen=True)
class _Attack:
    """The votes that add to the lead of one model over another, the most influential first."""

    first: int
    challenger: int
    cells: _Cells
    predicted: int | None


def _plan(result: Fit, cells: _Cells, inverse: Floats, first: int, challenger: int) -> _Attack:
    u = inverse[:, first] - inverse[:, challenger]
    effects = cells.residual * (u[cells.i] - u[cells.j])
    helpful = np.flatnonzero(effects > _ROUNDING)
    order = helpful[np.argsort(-effects[helpful], kind="stable")]
    cells, effects = cells[order], effects[order]
    lead = float(result.strengths[first] - result.strengths[challenger])
    return _Attack(first, challenger, cells, _predict(effects, cells.votes, lead))


def _carry_out(result: Fit, attack: _Attack) -> Fragility:
    """Return how few votes let the challenger past the first, fitted without them."""
    needed, after = _least(result, attack)
    cells, names = attack.cells, [result.models[k] for k in result.rated]
    taken = _taken(cells.votes, needed or 0)
    return Fragility(
        first=names[attack.first],
        challenger=names[attack.challenger],
        lead=float(result.strengths[attack.first] - result.strengths[attack.challenger]) * POINTS_PER_NAT,
        votes=result.data.used,
        predicted=attack.predicted,
        needed=needed,
        lead_after=None if after is None else after * POINTS_PER_NAT,
        dropped=tuple(
            Dropped(names[cells.i[c]], names[cells.j[c]], bool(cells.is_tie[c]), int(taken[c]))
            for c in np.flatnonzero(taken)
        ),
    )


def _cells(result: Fit) -> _Cells:
    """Return all votes of the fit by kind."""
    won, tied = np.argwhere(result.data.wins > 0), np.argwhere(np.triu(result.data.ties) > 0)
    i, j = np.concatenate([won, tied]).T
    is_tie = np.arange(len(i)) >= len(won)
    votes = np.rint(np.where(is_tie, result.data.ties[i, j], result.data.wins[i, j])).astype(np.int64)
    probability = win_probability(result.strengths)
    # 1 - P_ij = P_ji, which keeps its digits where P_ij is nearly 1.
    return _Cells(i, j, is_tie, votes, np.where(is_tie, 0.5 - probability[i, j], probability[j, i]))


def _predict(effects: Floats, votes: NDArray[np.int64], lead: float) -> int | None:
    """Return how many votes from the front have effects beyond the lead; None where all do not."""
    reached = np.cumsum(effects * votes)
    last = int(np.searchsorted(reached, lead, side="right"))
    if last == len(reached):
        return None
    before = reached[last] - effects[last] * votes[last]
    # Beyond the lead and not up to it: the first place must change and not be shared.
    return int(votes[:last].sum() + min(np.floor((lead - before) / effects[last]) + 1, votes[last]))


def _least(result: Fit, attack: _Attack) -> tuple[int | None, float | None]:
    """Return the least number of votes from the front that does change the first place, and the lead then.

    The lead falls nearly in a line, so each guess lies where the line through the two closest known leads
    crosses zero; every other guess is halfway, for where it does not.
    """
    most = int(attack.cells.votes.sum())
    low, high = 0, attack.predicted or most  # the first leads without `low`; more than `high` need not be tried
    above, below = float(result.strengths[attack.first] - result.strengths[attack.challenger]), math.nan
    number, is_bracketed, is_halfway = high, False, False
    found: tuple[int | None, float | None] = (None, None)
    while high > low:
        lead = _lead_without(result, attack, _taken(attack.cells.votes, number))
        if lead is not None and lead > -_SHARED:
            if number == most:
                break
            low, above = number, lead
            high = high if is_bracketed else min(2 * number, most)
        else:
            # No lead: some model could not be rated any more, so too many votes were taken.
            high, is_bracketed = number, True
            below = math.nan if lead is None else lead
            found = found if lead is None else (number, lead)
        if is_bracketed and high - low <= 1:
            break
        number = _guess(low, high, above, math.nan if is_halfway else below) if is_bracketed else high
        is_halfway = not is_halfway
    return found


def _guess(low: int, high: int, above: float, below: float) -> int:
    """Return a number between two, where a line through their leads crosses zero, or halfway without both leads."""
    if math.isnan(below):
        return (low + high) // 2
    crossing = low + (high - low) * above / (above - below)
    return min(max(math.ceil(crossing), low + 1), high - 1)


def _taken(votes: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Return how many votes of each cell are among the first `number`."""
    before = np.cumsum(votes) - votes
    return np.asarray(np.clip(number - before, 0, votes))


def _lead_without(result: Fit, attack: _Attack, taken: NDArray[np.int64]) -> float | None:
    """Return the lead in nats without the votes taken; None where a model cannot be rated without them."""
    cells = attack.cells
    wins, ties = result.data.wins.copy(), result.data.ties.copy()
    won = ~cells.is_tie
    wins[cells.i[won], cells.j[won]] -= taken[won]
    ties[cells.i[~won], cells.j[~won]] -= taken[~won]
    ties[cells.j[~won], cells.i[~won]] -= taken[~won]
    again = refit(wins, ties, result.strengths)
    if len(again.rated) < len(wins):
        return None
    return float(again.strengths[attack.first] - again.strengths[attack.challenger])
