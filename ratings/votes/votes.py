"""Votes in the order they were cast, whatever they were read from.

collect.py decides which rows of a source can be used.

Beside the outcome a vote may record who cast it, about which prompt, when, with what chance its pair
was drawn, and which categories it belongs to. Each is an array over the votes, or None where the
source has no such column.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.errors import VotesError
from ratings.outcomes import Outcome

NO_OUTCOME = -1
"""In arrays of outcome codes: the row has none."""


class Record(NamedTuple):
    """One row of a ledger or file, as far as a rating cares. None means that the row does not record it."""

    model_a: str | None
    model_b: str | None
    outcome: Outcome | None
    battle_id: str | None = None
    is_simulated: bool = False
    set_aside: str | None = None
    """Why the reader itself leaves this row out, for reasons that only its format knows."""
    voter: Hashable = None
    prompt: Hashable = None
    time: float | None = None
    """Seconds since 1970, UTC."""
    categories: tuple[str, ...] = ()
    where: str = ""
    """The row's place in its file, for the list of rows left out."""
    is_repeated: bool = False
    """Whether it is one of too many votes on one prompt, as LMArena's dedup_tag marks them."""


class Preference(NamedTuple):
    """One vote of a ledger with the texts it was about."""

    battle_id: str
    prompt: str | None
    reply_a: str | None
    reply_b: str | None
    outcome: Outcome | None
    source: str
    model_a: str | None = None
    model_b: str | None = None
    time: float | None = None
    """Seconds since 1970, UTC."""
    later_turns: tuple[tuple[str | None, str | None, str | None], ...] = ()
    """What was asked after the first prompt, each with both replies to it."""


@dataclass(frozen=True)
class Votes:
    """Usable votes in the order they were cast, n of them over K models."""

    models: tuple[str, ...]
    """All models seen, sorted; some may have no usable vote."""
    a: NDArray[Any]
    """(n,) index into `models` of the side shown as A."""
    b: NDArray[Any]
    """(n,) index into `models` of the side shown as B."""
    outcome: NDArray[np.int8]
    """(n,) `Outcome.code` of each vote."""
    read: int
    """Rows read, usable or not."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows left out, by reason."""
    simulated: int = 0
    """How many of the usable votes were cast by a program."""
    voter: NDArray[Any] | None = None
    """(n,) codes from 0 of who voted; a vote without one has a code of its own."""
    voter_ids: Sequence[str] | None = None
    """The id behind each code of `voter`, as its source spells it; "" for a vote without one."""
    prompt: NDArray[Any] | None = None
    """(n,) codes from 0 of what was asked; a vote without one has a code of its own."""
    probability: NDArray[np.float64] | None = None
    """(n,) chance of the pair when it was drawn; NaN where a vote does not record it."""
    time: NDArray[np.float64] | None = None
    """(n,) seconds since 1970, UTC; NaN where a vote does not record it."""
    category: NDArray[Any] | None = None
    """(n,) index into `categories`."""
    categories: tuple[tuple[str, ...], ...] = ()
    """Each set of category names that occurs together on a vote, such as ("language=English", "is_code=true")."""
    is_simulated: NDArray[np.bool_] | None = None
    """(n,) whether a program cast it; None where none did or the source does not say."""
    is_repeated: NDArray[np.bool_] | None = None
    """(n,) whether it is one of too many votes on one prompt; None where none is marked so."""
    left_out_rows: tuple[tuple[str, str], ...] = ()
    """(where, reason) of each row left out; empty unless asked for."""
    notes: tuple[str, ...] = ()
    """What a reader of any figure made from them should know of how they were read."""

    @property
    def used(self) -> int:
        """Return the number of usable votes."""
        return len(self.outcome)

    @property
    def pair(self) -> NDArray[np.int64]:
        """Return (n,) a * K + b, the ordered pair of each vote as one number."""
        return self.pair_of(slice(None))

    def pair_of(self, part: slice) -> NDArray[np.int64]:
        """Return the same for some of the votes."""
        return np.asarray(self.a[part].astype(np.int64) * len(self.models) + self.b[part])


def keep(votes: Votes, use: NDArray[np.bool_]) -> Votes:
    """Return the votes of `votes` that the (n,) mask marks, each with all its columns; `read` stays."""
    columns = ["a", "b", "outcome", "voter", "prompt", "probability", "time", "category", "is_simulated", "is_repeated"]
    present = {name: values[use] for name in columns if (values := getattr(votes, name)) is not None}
    return replace(votes, **present)


def is_blank(text: str | None) -> bool:
    """Return whether a text field is absent, empty or only spaces."""
    return text is None or not text.strip()


def parse_time(value: object) -> float | None:
    """Return seconds since 1970 from epoch seconds or ISO 8601, without an offset taken as UTC; None for none.

    Raises VotesError for anything else.
    """
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    try:
        if isinstance(value, datetime):
            moment = value
        elif isinstance(value, str) and not _is_number(value):
            moment = datetime.fromisoformat(value)
        else:
            seconds = float(value)  # type: ignore[arg-type]
            if not math.isfinite(seconds):
                raise ValueError
            return seconds
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        raise VotesError(f"time {str(value)[:60]!r} is neither epoch seconds nor ISO 8601") from None


def _is_number(text: str) -> bool:
    # A bare year or date such as 20300101 is a number here, as the data sets' epoch seconds are.
    return text.replace(".", "", 1).removeprefix("-").isdecimal()
