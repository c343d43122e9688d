"""Votes in the order they were cast, whatever they were read from.

Readers turn their rows into `Record`s; `collect` is the one place that decides which of them can be
used. A bad row is left out under a reason and counted, so `read == used + left out` always holds;
nothing is guessed at, and no missing winner becomes a tie.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.outcomes import Outcome

MISSING_MODEL = "missing model"
SELF_BATTLE = "self-battle"
MISSING_OUTCOME = "missing outcome"
DUPLICATE_ID = "duplicate id"


class Record(NamedTuple):
    """One row of a ledger or file, as far as a rating cares. None means the row does not say."""

    model_a: str | None
    model_b: str | None
    outcome: Outcome | None
    battle_id: str | None = None
    is_simulated: bool = False
    set_aside: str | None = None
    """Why the reader itself leaves this row out, for reasons that only its format knows."""


@dataclass(frozen=True)
class Votes:
    """Usable votes in the order they were cast, n of them over K models."""

    models: tuple[str, ...]
    """All models seen, sorted; some may have no usable vote."""
    a: NDArray[np.int64]
    """(n,) index into `models` of the side shown as A."""
    b: NDArray[np.int64]
    """(n,) index into `models` of the side shown as B."""
    outcome: NDArray[np.int8]
    """(n,) `Outcome.code` of each vote."""
    read: int
    """Rows read, usable or not."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows left out, by reason."""
    simulated: int = 0
    """How many of the usable votes were cast by a program."""

    @property
    def used(self) -> int:
        """Return the number of usable votes."""
        return len(self.outcome)


def fault(model_a: str | None, model_b: str | None, outcome: Outcome | None) -> str | None:
    """Return why a vote with these three fields cannot be used, or None where it can."""
    if is_blank(model_a) or is_blank(model_b):
        return MISSING_MODEL
    if model_a == model_b:
        return SELF_BATTLE
    return MISSING_OUTCOME if outcome is None else None


def is_blank(text: str | None) -> bool:
    """Return whether a text field is absent, empty or only spaces."""
    return text is None or not text.strip()


def collect(records: Iterable[Record]) -> Votes:
    """Return the usable votes among `records`, in their order, and count the others by reason.

    A battle id may be used once: later usable rows with the same one are duplicates.
    """
    index: dict[str, int] = {}
    seen: set[str] = set()
    left_out: Counter[str] = Counter()
    a, b, codes = [], [], []
    read = simulated = 0
    for record in records:
        read += 1
        for name in (record.model_a, record.model_b):
            if name is not None and name not in index and not is_blank(name):
                index[name] = len(index)
        reason = record.set_aside or fault(record.model_a, record.model_b, record.outcome)
        if reason is None and record.battle_id is not None:
            reason = DUPLICATE_ID if record.battle_id in seen else None
            seen.add(record.battle_id)
        if reason is not None:
            left_out[reason] += 1
            continue
        assert record.model_a is not None
        assert record.model_b is not None
        assert record.outcome is not None
        a.append(index[record.model_a])
        b.append(index[record.model_b])
        codes.append(record.outcome.code)
        simulated += record.is_simulated
    models, place = sort_models(index)
    return Votes(
        models=models,
        a=place[np.array(a, dtype=np.int64)],
        b=place[np.array(b, dtype=np.int64)],
        outcome=np.array(codes, dtype=np.int8),
        read=read,
        left_out=dict(left_out),
        simulated=simulated,
    )


def sort_models(index: dict[str, int]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the names sorted, and (K,) the sorted position of each number in `index`."""
    models = tuple(sorted(index))
    place = np.zeros(len(models), dtype=np.int64)
    for position, name in enumerate(models):
        place[index[name]] = position
    return models, place
