"""Rows of a source to votes: the one place that decides which can be used.

Readers turn their rows into `Record`s, or whole columns into `RawVotes`. A bad row is left out under a reason
and counted, so `read == used + left out` always holds; nothing is guessed at, and no missing winner becomes a tie.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings.votes.votes import NO_OUTCOME, Record, Votes, is_blank

MISSING_MODEL = "missing model"
SELF_BATTLE = "self-battle"
MISSING_OUTCOME = "missing outcome"
DUPLICATE_ID = "duplicate id"


@dataclass(frozen=True)
class RawVotes:
    """All n rows of a source as columns, usable or not; codes are -1 where a row has no value."""

    names: Sequence[str | None]
    """Distinct names of models; the last is None, so that code -1 is a missing one."""
    a: NDArray[np.int64]
    """(n,) index into `names` of the side shown as A."""
    b: NDArray[np.int64]
    """(n,) index into `names` of the side shown as B."""
    outcome: NDArray[np.int8]
    """(n,) `Outcome.code`, or NO_OUTCOME."""
    is_simulated: NDArray[np.bool_] | None = None
    set_aside: NDArray[np.int64] | None = None
    """(n,) index into `reasons`, or -1 where the reader has nothing against the row."""
    reasons: Sequence[str] = ()
    battle: NDArray[np.int64] | None = None
    """(n,) code of the battle's id."""
    voter: NDArray[np.int64] | None = None
    prompt: NDArray[np.int64] | None = None
    probability: NDArray[np.float64] | None = None
    time: NDArray[np.float64] | None = None
    category: NDArray[np.int64] | None = None
    """(n,) index into `categories`."""
    categories: tuple[tuple[str, ...], ...] = ()


def collect(records: Iterable[Record], *, keep_left_out: bool = False) -> Votes:
    """Return the usable votes among `records`, in their order, and count the others by reason.

    A battle id may be used once: later usable rows with the same one are duplicates. With
    `keep_left_out` the result lists the rows left out.
    """
    names, voters, prompts, battles, asides, categories = (numbering() for _ in range(6))
    columns: tuple[list[int], ...] = ([], [], [], [], [], [], [], [], [])
    times: list[float] = []
    places: list[str] = []
    for record in records:
        row = (
            names[record.model_a],
            names[record.model_b],
            NO_OUTCOME if record.outcome is None else record.outcome.code,
            record.is_simulated,
            asides[record.set_aside],
            battles[record.battle_id],
            voters[record.voter],
            prompts[record.prompt],
            categories[record.categories],
        )
        for column, value in zip(columns, row, strict=True):
            column.append(value)
        times.append(math.nan if record.time is None else record.time)
        if keep_left_out:
            places.append(record.where)
    a, b, outcome, simulated, aside, battle, voter, prompt, category = (np.array(c, np.int64) for c in columns)
    rows = RawVotes(
        names=[*keys_of(names), None],
        a=a,
        b=b,
        outcome=outcome.astype(np.int8),
        is_simulated=simulated.astype(np.bool_),
        set_aside=aside,
        reasons=keys_of(asides),
        battle=battle,
        voter=voter,
        prompt=prompt,
        time=np.array(times, np.float64),
        category=category,
        categories=tuple(keys_of(categories)),
    )
    return select(rows, places.__getitem__ if keep_left_out else None)


def select(rows: RawVotes, where: Callable[[int], str] | None = None) -> Votes:
    """Return the usable votes among `rows`; `where` names a row's place for the list of those left out."""
    reasons = [*rows.reasons, MISSING_MODEL, SELF_BATTLE, MISSING_OUTCOME, DUPLICATE_ID]
    first = len(rows.reasons)
    blank = np.array([is_blank(name) for name in rows.names], dtype=bool)
    why = np.full(len(rows.outcome), -1, dtype=np.int64) if rows.set_aside is None else rows.set_aside.copy()
    for number, holds in enumerate((blank[rows.a] | blank[rows.b], rows.a == rows.b, rows.outcome == NO_OUTCOME)):
        why[(why < 0) & holds] = first + number
    if rows.battle is not None:
        usable = np.flatnonzero((why < 0) & (rows.battle >= 0))
        kept = np.unique(rows.battle[usable], return_index=True)[1]
        why[np.delete(usable, kept)] = first + 3
    use = why < 0
    counted = np.bincount(why[~use], minlength=len(reasons))
    index = {name: number for number, name in enumerate(rows.names) if name is not None and not is_blank(name)}
    models, place = sort_models(index, len(rows.names))
    votes = Votes(
        models=models,
        a=place[rows.a[use]],
        b=place[rows.b[use]],
        outcome=rows.outcome[use],
        read=len(use),
        left_out={reason: int(n) for reason, n in zip(reasons, counted, strict=True) if n},
        simulated=0 if rows.is_simulated is None else int(rows.is_simulated[use].sum()),
        left_out_rows=tuple((where(i), reasons[why[i]]) for i in np.flatnonzero(~use).tolist()) if where else (),
    )
    return _with_details(votes, rows, use)


def _with_details(votes: Votes, rows: RawVotes, use: NDArray[np.bool_]) -> Votes:
    """Return `votes` with the optional columns that hold a value for at least one of them."""
    has_category = rows.category is not None and any(rows.categories)
    return replace(
        votes,
        voter=_groups(rows.voter, use),
        prompt=_groups(rows.prompt, use),
        probability=_numbers(rows.probability, use),
        time=_numbers(rows.time, use),
        category=rows.category[use] if rows.category is not None and has_category else None,
        categories=rows.categories if has_category else (),
    )


def _groups(codes: NDArray[np.int64] | None, use: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    if codes is None or not (codes[use] >= 0).any():
        return None
    chosen = codes[use]
    unsaid = chosen < 0
    chosen[unsaid] = chosen.max() + 1 + np.arange(unsaid.sum())  # nothing ties such a vote to another
    return np.unique(chosen, return_inverse=True)[1].reshape(-1)


def _numbers(values: NDArray[np.float64] | None, use: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    return None if values is None or np.isnan(values[use]).all() else values[use]


def numbering() -> defaultdict[Any, int]:
    """Return a dict that numbers its keys from 0 as they are first asked for, and None -1."""
    numbers: defaultdict[Any, int] = defaultdict(count().__next__)
    numbers[None] = -1
    return numbers


def keys_of(numbers: dict[Any, int]) -> list[Any]:
    """Return the keys of a `numbering` in the order of their numbers, without None."""
    return [key for key in numbers if key is not None]


def sort_models(index: dict[str, int], size: int | None = None) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the names sorted, and (size,) the sorted position of each number in `index`, 0 for the others."""
    models = tuple(sorted(index))
    place = np.zeros(len(models) if size is None else size, dtype=np.int64)
    for position, name in enumerate(models):
        place[index[name]] = position
    return models, place
