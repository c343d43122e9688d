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

CHUNK = 1 << 22
"""Votes that are looked at together, so that a hundred million need no more memory than their columns."""

STEP = 1 << 16
"""The same where each look is a short one; they stay in the processor's cache."""


@dataclass(frozen=True)
class RawVotes:
    """All n rows of a source as columns, usable or not; codes are negative where a row has no value.

    Codes may be of any integer type that holds them.
    """

    names: Sequence[str | None]
    """Distinct names of models; the last is None, so that code -1 is a missing one."""
    a: NDArray[Any]
    """(n,) index into `names` of the side shown as A."""
    b: NDArray[Any]
    """(n,) index into `names` of the side shown as B."""
    outcome: NDArray[np.int8]
    """(n,) `Outcome.code`, or NO_OUTCOME."""
    is_simulated: NDArray[np.bool_] | None = None
    is_repeated: NDArray[np.bool_] | None = None
    set_aside: NDArray[Any] | None = None
    """(n,) index into `reasons`, or -1 where the reader has nothing against the row."""
    reasons: Sequence[str] = ()
    battle: NDArray[Any] | None = None
    """(n,) number of the battle's id; of any size."""
    voter: NDArray[Any] | None = None
    """(n,) code of who voted, from 0."""
    voter_ids: Sequence[str] | None = None
    """The id behind each code of `voter`."""
    prompt: NDArray[Any] | None = None
    """(n,) number of the prompt; of any size."""
    probability: NDArray[np.float64] | None = None
    time: NDArray[np.float64] | None = None
    category: NDArray[Any] | None = None
    """(n,) index into `categories`."""
    categories: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()


def collect(records: Iterable[Record], *, keep_left_out: bool = False) -> Votes:
    """Return the usable votes among `records`, in their order, and count the others by reason.

    A battle id may be used once: later usable rows with the same one are duplicates. With
    `keep_left_out` the result lists the rows left out.
    """
    names, voters, prompts, battles, asides, categories = (numbering() for _ in range(6))
    columns: tuple[list[int], ...] = tuple([] for _ in range(10))
    times: list[float] = []
    places: list[str] = []
    for record in records:
        row = (
            names[record.model_a],
            names[record.model_b],
            NO_OUTCOME if record.outcome is None else record.outcome.code,
            record.is_simulated,
            record.is_repeated,
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
    a, b, outcome, simulated, repeated, aside, battle, voter, prompt, category = (
        np.array(c, np.int64) for c in columns
    )
    rows = RawVotes(
        names=[*keys_of(names), None],
        a=a,
        b=b,
        outcome=outcome.astype(np.int8),
        is_simulated=simulated.astype(np.bool_),
        is_repeated=repeated.astype(np.bool_),
        set_aside=aside,
        reasons=keys_of(asides),
        battle=battle,
        voter=voter,
        voter_ids=[str(key) for key in keys_of(voters)],
        prompt=prompt,
        time=np.array(times, np.float64),
        category=category,
        categories=tuple(keys_of(categories)),
    )
    return select(rows, places.__getitem__ if keep_left_out else None)


def join(parts: Sequence[RawVotes]) -> RawVotes:
    """Return the rows of several sources one after the other; numbers of ids, voters and prompts are shared."""
    if len(parts) == 1:
        return parts[0]
    names, sets, reasons = numbering(), numbering(), numbering()

    def mapped(codes: NDArray[Any] | None, size: int, keys: Sequence[Any], numbers: defaultdict[Any, int]) -> Any:
        place = np.array([*(numbers[key] for key in keys), -1], dtype=np.int32)
        return np.full(size, -1, dtype=np.int32) if codes is None else place[codes]

    def column(field: str, missing: Any) -> Any:
        found = [getattr(part, field) for part in parts]
        if all(values is None for values in found):
            return None
        sizes = [len(part.outcome) for part in parts]
        whole = [np.full(n, missing) if v is None else v for v, n in zip(found, sizes, strict=True)]
        return np.concatenate(whole)

    def together(codes: str, keys: str, numbers: defaultdict[Any, int]) -> Any:
        found = [
            mapped(getattr(p, codes), len(p.outcome), [k for k in getattr(p, keys) if k is not None], numbers)
            for p in parts
        ]
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int32)

    return RawVotes(
        a=together("a", "names", names),
        b=together("b", "names", names),
        names=[*keys_of(names), None],
        outcome=np.concatenate([np.zeros(0, dtype=np.int8), *(part.outcome for part in parts)]),
        is_simulated=column("is_simulated", False),
        is_repeated=column("is_repeated", False),
        set_aside=together("set_aside", "reasons", reasons),
        reasons=keys_of(reasons),
        battle=column("battle", -1),
        voter=column("voter", -1),
        voter_ids=next((part.voter_ids for part in reversed(parts) if part.voter_ids is not None), None),
        prompt=column("prompt", -1),
        probability=column("probability", np.nan),
        time=column("time", np.nan),
        category=together("category", "categories", sets) if any(p.category is not None for p in parts) else None,
        categories=tuple(keys_of(sets)),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def select(rows: RawVotes, where: Callable[[int], str] | None = None) -> Votes:
    """Return the usable votes among `rows`; `where` names a row's place for the list of those left out."""
    reasons = [*rows.reasons, MISSING_MODEL, SELF_BATTLE, MISSING_OUTCOME, DUPLICATE_ID]
    first = len(rows.reasons)
    why = np.full(len(rows.outcome), -1, dtype=np.int8)
    if rows.set_aside is not None:
        why[:] = rows.set_aside
    blank = np.array([is_blank(name) for name in rows.names], dtype=bool)
    for number, holds in enumerate((_any(blank, rows), rows.a == rows.b, rows.outcome == NO_OUTCOME)):
        why[(why < 0) & holds] = first + number
    if rows.battle is not None and has_repeats(rows.battle):
        usable = np.flatnonzero((why < 0) & (rows.battle >= 0))
        kept = np.unique(rows.battle[usable], return_index=True)[1]
        why[np.delete(usable, kept)] = first + 3
    use = None if (why < 0).all() else why < 0
    counted = np.array([0 if use is None else np.count_nonzero(why == number) for number in range(len(reasons))])
    index = {name: number for number, name in enumerate(rows.names) if name is not None and not is_blank(name)}
    models, place = sort_models(index, len(rows.names))
    place = place.astype(rows.a.dtype)
    is_sorted = models == tuple(rows.names[:-1])
    simulated = None if rows.is_simulated is None else taken(rows.is_simulated, use)
    votes = Votes(
        models=models,
        a=taken(rows.a, use) if is_sorted else gather(place, taken(rows.a, use)),
        b=taken(rows.b, use) if is_sorted else gather(place, taken(rows.b, use)),
        outcome=taken(rows.outcome, use),
        read=len(why),
        left_out={reason: int(n) for reason, n in zip(reasons, counted, strict=True) if n},
        simulated=0 if simulated is None else int(simulated.sum()),
        left_out_rows=tuple((where(i), reasons[why[i]]) for i in np.flatnonzero(why >= 0).tolist()) if where else (),
        notes=rows.notes,
    )
    return _with_details(votes, rows, use)


def has_repeats(numbers: NDArray[Any]) -> bool:
    """Return whether a number from 0 on occurs twice; quicker than to number them all, in little memory."""
    if len(numbers) < CHUNK:
        return _has_repeats(np.sort(numbers))
    parts = np.concatenate([(numbers[i : i + CHUNK] & 15).astype(np.uint8) for i in range(0, len(numbers), CHUNK)])
    return any(_has_repeats(np.sort(numbers[parts == last])) for last in range(16))


def _has_repeats(ordered: NDArray[Any]) -> bool:
    return bool(((ordered[1:] == ordered[:-1]) & (ordered[1:] >= 0)).any())


def gather(table: NDArray[Any], codes: NDArray[Any]) -> NDArray[Any]:
    """Return (n,) table[codes], a part at a time: numpy makes 8 bytes of every index that it is given at once."""
    result = np.empty(len(codes), dtype=table.dtype)
    for start in range(0, len(codes), STEP):
        result[start : start + STEP] = table[codes[start : start + STEP]]
    return result


def mark(marks: NDArray[np.bool_], codes: NDArray[Any]) -> None:
    """Set the marks of the (n,) codes that occur."""
    for start in range(0, len(codes), STEP):
        marks[codes[start : start + STEP]] = True


def taken(values: NDArray[Any], use: NDArray[np.bool_] | None) -> NDArray[Any]:
    """Return the values that a mask marks, or all of them."""
    return values if use is None else values[use]


def _any(blank: NDArray[np.bool_], rows: RawVotes) -> NDArray[np.bool_]:
    found = gather(blank, rows.a)
    found |= gather(blank, rows.b)
    return found


def _with_details(votes: Votes, rows: RawVotes, use: NDArray[np.bool_] | None) -> Votes:
    """Return `votes` with the optional columns that hold a value for at least one of them."""
    has_category = rows.category is not None and any(rows.categories)
    voter, ids = _voters(rows, use)
    return replace(
        votes,
        voter=voter,
        voter_ids=ids,
        prompt=None if rows.prompt is None else _groups(taken(rows.prompt, use)),
        probability=_numbers(rows.probability, use),
        time=_numbers(rows.time, use),
        category=taken(rows.category, use) if rows.category is not None and has_category else None,
        categories=rows.categories if has_category else (),
        is_simulated=_marks(rows.is_simulated, use),
        is_repeated=_marks(rows.is_repeated, use),
    )


def _voters(rows: RawVotes, use: NDArray[np.bool_] | None) -> tuple[NDArray[Any] | None, Sequence[str] | None]:
    """Return the codes of the voters of the chosen votes, from 0 without a gap, and their ids."""
    if rows.voter is None:
        return None, None
    chosen = taken(rows.voter, use)
    unsaid = chosen < 0
    if unsaid.all():
        return None, None
    known = np.zeros(int(chosen.max()) + 2, dtype=bool)  # the last is for those who do not say
    mark(known, chosen)
    known = known[:-1]
    codes = chosen if known.all() else gather((np.cumsum(known) - 1).astype(np.int32), chosen)
    if unsaid.any():
        codes = codes.copy()  # nothing ties such a vote to another
        codes[unsaid] = int(known.sum()) + np.arange(unsaid.sum())
    ids = None if rows.voter_ids is None else VoterIds(rows.voter_ids, np.flatnonzero(known), len(chosen))
    return codes, ids


class VoterIds(Sequence[str]):
    """The ids of voters by code; "" for a vote that does not say who cast it."""

    def __init__(self, ids: Sequence[str], chosen: NDArray[np.int64], size: int) -> None:
        """Take all ids, the (J,) indices of those that are left, and an upper limit of codes."""
        self._ids, self._chosen, self._size = ids, chosen, size

    def __len__(self) -> int:
        """Return how many codes there may be."""
        return self._size

    def __getitem__(self, code: Any) -> Any:
        """Return the id behind a code."""
        return str(self._ids[int(self._chosen[code])]) if code < len(self._chosen) else ""


def _groups(chosen: NDArray[Any]) -> NDArray[np.int64] | None:
    """Return codes from 0 without a gap for (n,) numbers, each negative one a code of its own."""
    unsaid = chosen < 0
    if unsaid.all():
        return None
    codes = np.unique(chosen, return_inverse=True)[1].reshape(-1).astype(np.int64)
    if unsaid.any():
        codes[unsaid] = codes.max() + 1 + np.arange(unsaid.sum())
        codes = np.unique(codes, return_inverse=True)[1].reshape(-1)
    return codes


def _numbers(values: NDArray[np.float64] | None, use: NDArray[np.bool_] | None) -> NDArray[np.float64] | None:
    return None if values is None or np.isnan(taken(values, use)).all() else taken(values, use)


def _marks(marks: NDArray[np.bool_] | None, use: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    return None if marks is None or not taken(marks, use).any() else taken(marks, use)


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
