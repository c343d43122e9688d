"""Sets of models that can be compared, where no chain of votes joins them all.

Strengths are known up to a constant in each strong component of the graph of wins and ties (Ford 1957;
existence.py), and no vote tells how the constants of two components differ. So each component needs a
fit of its own, centred on its own mean, and ratings of two components must not be compared.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.fit.data import gather
from ratings.fit.existence import components, reachable
from ratings.outcomes import BothBad, Ties
from ratings.votes.counts import Counts


class Component(NamedTuple):
    """Models that can be rated together."""

    members: NDArray[np.int64]
    """(R,) indices into the models of all counts."""
    counts: Counts
    """The votes among them, whose models they are."""


def component_counts(counts: Counts, *, ties: Ties = "half", both_bad: BothBad = "tie") -> tuple[Component, ...]:
    """Return each component of two models or more, most votes first; none where there is none.

    The first is the one that a fit to all counts rates. Votes between components are in none of them.
    """
    data = gather(counts, ties=ties, both_bad=both_bad)
    beats = data.beats
    groups = components(beats, reachable(beats), data.votes)
    return tuple(Component(members, counts_among(counts, members)) for members in groups)


def counts_beside(counts: Counts, models: Collection[str], *, both_bad: BothBad = "tie") -> Counts:
    """Return the counts of the component that holds all these models; all counts where they are in none or the first.

    A fit to all counts rates the first component alone.
    """
    for place, (members, inside) in enumerate(component_counts(counts, both_bad=both_bad)):
        if {counts.models[k] for k in members} >= set(models):
            return counts if place == 0 else inside
    return counts


def counts_among(counts: Counts, members: NDArray[np.int64]) -> Counts:
    """Return the counts of the votes whose models are both among the members, (R,) indices in order."""
    place = np.full(len(counts.models), -1, dtype=np.int64)
    place[members] = np.arange(len(members))
    pairs = place[counts.pairs]
    inside = (pairs >= 0).all(axis=1)
    outcomes = counts.outcomes[inside]
    return replace(
        counts,
        models=tuple(counts.models[i] for i in members),
        pairs=pairs[inside],
        outcomes=outcomes,
        read=round(float(outcomes.sum())),
        left_out={},
        simulated=0,  # who cast the votes of a part is not known
        weights=None if counts.weights is None else counts.weights[inside],
        squared_weights=None if counts.squared_weights is None else counts.squared_weights[inside],
    )
