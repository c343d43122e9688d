"""Votes to counts of (side a, side b, outcome), and sums of such counts.

Everything that rates models works on these counts, so its cost depends on the number of models and
not of votes. Votes in memory are counted by `count`. Groups of equal votes, as a ledger hands them
over, are added up by `count_groups`, which leaves out what cannot be used under the same reasons as
`votes.select`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.outcomes import OUTCOMES, Outcome
from ratings.votes.collect import CHUNK, MISSING_MODEL, MISSING_OUTCOME, SELF_BATTLE, sort_models
from ratings.votes.votes import Votes, is_blank, keep

MOST_EMPTY = 10
"""Pairs for each vote above which a table of all pairs would be mostly empty."""

ALL = ""
"""Key of the counts of all votes beside those of each category, which cannot have the empty name."""


@dataclass(frozen=True)
class Counts:
    """How often each outcome occurred for each ordered pair of K models."""

    models: tuple[str, ...]
    """All models, sorted; some may have no usable vote."""
    pairs: NDArray[np.int64]
    """(n_pairs, 2) indices into `models`: side a, side b as shown to the voters, each pair once."""
    outcomes: NDArray[np.float64]
    """(n_pairs, O) number of votes by `Outcome.code`, for the O outcomes."""
    read: int
    """Rows read, usable or not."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows left out, by reason."""
    simulated: int = 0
    """How many of the usable votes were cast by a program."""
    weights: NDArray[np.float64] | None = None
    """(n_pairs, O) sum of 1 / (chance of the pair when it was drawn), where asked for."""
    squared_weights: NDArray[np.float64] | None = None
    """(n_pairs, O) sum of the squares of the same weights."""
    notes: tuple[str, ...] = ()
    """What a reader of any figure made from them should know of how they were read."""

    @property
    def used(self) -> int:
        """Return the number of usable votes."""
        return round(float(self.outcomes.sum()))

    def matrix(self, outcome: Outcome) -> NDArray[np.float64]:
        """Return (K, K) votes with this outcome; rows are side a, columns side b."""
        square = np.zeros((len(self.models), len(self.models)))
        np.add.at(square, (self.pairs[:, 0], self.pairs[:, 1]), self.outcomes[:, outcome.code])
        return square


class Groups(NamedTuple):
    """Groups of votes that agree in all but the outcome, as columns, m of them; some may agree in all."""

    names: list[str | None]
    """Distinct names of models; the last is None, so that code -1 is a missing one."""
    categories: list[str]
    category: NDArray[np.int64]
    """(m,) index into `categories`, -1 for none."""
    a: NDArray[np.int64]
    """(m,) index into `names`."""
    b: NDArray[np.int64]
    is_simulated: NDArray[np.bool_]
    votes: NDArray[np.int64]
    """(m, O + 1) number of votes by `Outcome.code`, and last of those without an outcome."""
    weights: NDArray[np.float64] | None = None
    """(m, O) sum of 1 / probability."""
    squared_weights: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()


def count(votes: Votes) -> Counts:
    """Return the counts of `votes`; their order no longer matters."""
    return replace(
        _counted(votes), read=votes.read, left_out=dict(votes.left_out), simulated=votes.simulated, notes=votes.notes
    )


def count_by_category(votes: Votes) -> dict[str, Counts]:
    """Return the counts of each category of `votes`, and under ALL those of all votes.

    A vote may belong to several categories or none. Each entry has the same models. Rows left out
    and simulated votes are known for the whole only: they stand under ALL.
    """
    counted = {ALL: count(votes)}
    if votes.category is not None:
        for name in sorted({name for names in votes.categories for name in names}):
            belongs = np.array([name in names for names in votes.categories])[votes.category]
            counted[name] = _counted(votes, belongs)
    return counted


def weighted_counts(votes: Votes, weights: NDArray[np.float64]) -> Counts:
    """Return the counts of votes with the sums of their (n,) weights and of the squares."""
    size = len(votes.models)
    keys, (number, total, squares) = _tables(votes, (None, weights, weights**2))
    return Counts(
        models=votes.models,
        pairs=_pairs(keys, size),
        outcomes=number,
        read=votes.read,
        left_out=dict(votes.left_out),
        simulated=votes.simulated,
        notes=votes.notes,
        weights=total,
        squared_weights=squares,
    )


def _counted(votes: Votes, chosen: NDArray[np.bool_] | None = None) -> Counts:
    """Return the counts of the (n,) `chosen` votes; who was left out or simulated is not known for a part."""
    part = votes if chosen is None else keep(votes, chosen)
    keys, (outcomes,) = _tables(part, (None,))
    return Counts(votes.models, _pairs(keys, len(votes.models)), outcomes, part.used)


def _tables(
    votes: Votes, weights: Sequence[NDArray[np.float64] | None]
) -> tuple[NDArray[np.int64], list[NDArray[np.float64]]]:
    """Return the ordered pairs that met, a * K + b, and for each weighting the (pairs, O) sums of weights.

    Sums go into a table of all pairs, a chunk of the votes at a time, unless there are far more pairs than votes.
    """
    size, kinds = len(votes.models), len(OUTCOMES)
    is_sparse = size**2 > MOST_EMPTY * max(votes.used, 1)
    keys = np.unique(votes.pair) if is_sparse else np.arange(size**2)
    tables = [np.zeros(len(keys) * kinds) for _ in weights]
    for start in range(0, votes.used, CHUNK):
        part = slice(start, start + CHUNK)
        pair = votes.pair_of(part)
        cell = (np.searchsorted(keys, pair) if is_sparse else pair) * kinds + votes.outcome[part]
        for table, weight in zip(tables, weights, strict=True):
            table += np.bincount(cell, None if weight is None else weight[part], len(table))
    number, *rest = (table.reshape(-1, kinds) for table in tables)
    met = np.flatnonzero(number.any(axis=1))
    return keys[met], [number[met], *(table[met] for table in rest)]


def merge(first: Counts, second: Counts) -> Counts:
    """Return the counts of the votes of both; weights are kept where both have them.

    Quickest where the second are few: they are looked up among the first, which are copied as they lie.
    """
    models = tuple(sorted({*first.models, *second.models}))
    keys, first = _in_order(first, models)
    more, second = _in_order(second, models)
    place = np.searchsorted(keys, more)
    is_new = np.append(keys, -1)[place] != more
    gaps = place[is_new]
    slots = np.searchsorted(np.insert(keys, gaps, more[is_new]), more)

    def added(old: NDArray[np.float64] | None, new: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        if old is None or new is None:
            return None
        total = _insert(old, gaps, np.zeros((len(gaps), len(OUTCOMES))))
        total[slots] += new  # each pair stands once
        return total

    outcomes = added(first.outcomes, second.outcomes)
    assert outcomes is not None
    return Counts(
        models=models,
        pairs=_insert(first.pairs, gaps, second.pairs[is_new]),
        outcomes=outcomes,
        read=first.read + second.read,
        left_out={
            reason: first.left_out.get(reason, 0) + second.left_out.get(reason, 0)
            for reason in first.left_out | second.left_out
        },
        simulated=first.simulated + second.simulated,
        weights=added(first.weights, second.weights),
        squared_weights=added(first.squared_weights, second.squared_weights),
        notes=tuple(dict.fromkeys((*first.notes, *second.notes))),
    )


def _in_order(counts: Counts, models: tuple[str, ...]) -> tuple[NDArray[np.int64], Counts]:
    """Return (n_pairs,) rising keys of the pairs, and the counts over `models`, all of theirs among them, by key."""
    if counts.models != models:
        numbers = {name: number for number, name in enumerate(models)}
        place = np.array([numbers[name] for name in counts.models], dtype=np.int64)
        counts = replace(counts, models=models, pairs=place[counts.pairs])
    keys = counts.pairs[:, 0] * len(models) + counts.pairs[:, 1]
    if (keys[1:] > keys[:-1]).all():
        return keys, counts
    order = np.argsort(keys)
    weights, squares = (None if part is None else part[order] for part in (counts.weights, counts.squared_weights))
    pairs, outcomes = counts.pairs[order], counts.outcomes[order]
    return keys[order], replace(counts, pairs=pairs, outcomes=outcomes, weights=weights, squared_weights=squares)


def _insert(rows: NDArray[Any], gaps: NDArray[np.int64], new: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of the rows with each new one before the row at its gap."""
    # np.insert places every row by a mask, which takes far longer than a copy.
    return np.insert(rows, gaps, new, axis=0) if len(gaps) else rows.copy()


def count_groups(groups: Groups, roster: tuple[str, ...] = (), chosen: NDArray[np.bool_] | None = None) -> Counts:
    """Return the counts of the groups, or of the (m,) `chosen` ones, over all their models and the roster."""
    names = list(dict.fromkeys([*groups.names[:-1], *roster]))
    models, place = sort_models(
        {name: i for i, name in enumerate(names) if name and not is_blank(name)}, len(names) + 1
    )
    blank = np.array([is_blank(name) for name in groups.names])
    a, b, votes = groups.a, groups.b, groups.votes
    use = rest = np.ones(len(a), dtype=bool) if chosen is None else chosen
    left_out: dict[str, int] = {}
    for reason, holds in ((MISSING_MODEL, blank[a] | blank[b]), (SELF_BATTLE, a == b)):
        if n := int(votes[use & holds].sum()):
            left_out[reason] = n
        use = use & ~holds
    if n := int(votes[use, len(OUTCOMES)].sum()):
        left_out[MISSING_OUTCOME] = n
    use = use & votes[:, : len(OUTCOMES)].any(axis=1)
    keys, to = np.unique(place[a[use]] * len(models) + place[b[use]], return_inverse=True)

    def summed(values: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
        columns = values[use, : len(OUTCOMES)].T
        sums = [np.bincount(to.reshape(-1), column, len(keys)) for column in columns]
        return np.stack(sums, axis=1).astype(np.float64, copy=False)  # of nothing numpy counts whole numbers

    return Counts(
        models=models,
        pairs=_pairs(keys, len(models)),
        outcomes=summed(votes),
        read=int(votes[rest].sum()),
        left_out=left_out,
        simulated=int(votes[use & groups.is_simulated, : len(OUTCOMES)].sum()),
        weights=None if groups.weights is None else summed(groups.weights),
        squared_weights=None if groups.squared_weights is None else summed(groups.squared_weights),
        notes=groups.notes,
    )


def count_groups_by_category(groups: Groups, roster: tuple[str, ...] = ()) -> dict[str, Counts]:
    """Return the counts of each category that is not blank, and under ALL those of all groups."""
    counted = {ALL: count_groups(groups, roster)}
    for name in sorted(name for name in groups.categories if not is_blank(name)):
        counted[name] = count_groups(groups, roster, groups.category == groups.categories.index(name))
    return counted


def _pairs(keys: NDArray[np.int64], models: int) -> NDArray[np.int64]:
    return np.stack(np.divmod(keys, max(models, 1)), axis=1)
