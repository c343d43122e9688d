"""The columns of a file as codes of their distinct values, and the votes that they hold.

A million rows hold few distinct values, so whatever reads a file (rows.py, scan.py, frames.py) only numbers them, and
what they mean is decided here, once for each. So all readers read alike. Ids and voters, of which there may be as
many as rows, are numbers only; the texts of voters are looked up when somebody asks for them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.words import plural
from ratings.errors import UnknownOutcomeError, VotesError
from ratings.files.formats import Layout, category_names, notes_on, read_vote
from ratings.files.times import read_times
from ratings.files.values import shorten
from ratings.votes.collect import RawVotes, gather, keys_of, numbering
from ratings.votes.lookalikes import lookalikes
from ratings.votes.votes import NO_OUTCOME

HINT = "; --outcomes says what another spelling means"

Where = Callable[[int], str]
"""Names the place of a row by its position from 0."""

Codes = NDArray[Any]


MOST_EXACT = 2.0**53
"""Floating-point numbers from here on do not tell neighbouring ids apart."""


def rounded(column: str) -> str:
    """Return the note on a column of ids that were rounded before they came here."""
    return (
        f"{column} holds floating-point numbers too large to be exact, so different ids look alike: it is not used; "
        "write the ids as text or whole numbers"
    )


class Coded(NamedTuple):
    """A column, or several together, as (n,) codes of its distinct values, -1 for none."""

    codes: Codes
    values: Sequence[Any]


@dataclass(frozen=True)
class Columns:
    """The n rows of a file, as far as was asked for."""

    vote: Coded
    """Values are tuples in the order of `Layout.vote`."""
    battle: Codes | None = None
    """(n,) numbers that are the same for the same id, negative for none."""
    voter: Coded | None = None
    """The values may be a lazy sequence."""
    prompt: Codes | None = None
    """(n,) numbers that are the same for the same prompt, negative for none."""
    time: Coded | None = None
    probability: Coded | None = None
    category: Coded | None = None
    """Values are tuples in the order of `Layout.categories`."""
    notes: tuple[str, ...] = field(default=())


def assemble(layout: Layout, columns: Columns, where: Where, file: object) -> RawVotes:
    """Return the rows as votes, usable or not. Raises VotesError or UnknownOutcomeError with file and row."""
    notes = list(columns.notes)
    records = _each(columns.vote, lambda values: read_vote(layout, values), where, file)
    names, reasons = numbering(), numbering()
    for name in sorted({name for record in records for name in record[:2] if name is not None}):
        names[name]  # in the order of the board's models, so that nobody has to number them again
    a, b, aside = (
        np.array([number[record[field]] for record in records], dtype=np.int32)
        for number, field in ((names, 0), (names, 1), (reasons, 5))
    )
    outcome = np.array([NO_OUTCOME if r.outcome is None else r.outcome.code for r in records], dtype=np.int8)
    codes = columns.vote.codes
    notes += [*lookalikes(keys_of(names)), *notes_on(layout, columns.vote.values)]
    sets = numbering()
    category = None
    if columns.category is not None:
        found = _each(columns.category, lambda values: category_names(layout.categories, values), where, file)
        category = gather(np.array([sets[label] for label in found], dtype=np.int32), columns.category.codes)
    return RawVotes(
        names=[*keys_of(names), None],
        a=_spread(a, codes, len(names)),
        b=_spread(b, codes, len(names)),
        outcome=gather(outcome, codes),
        is_simulated=_mask([record.is_simulated for record in records], codes),
        is_repeated=_mask([record.is_repeated for record in records], codes),
        set_aside=gather(aside.astype(np.int8), codes) if len(reasons) > 1 else None,
        reasons=keys_of(reasons),
        battle=columns.battle,
        voter=None if columns.voter is None else columns.voter.codes,
        voter_ids=None if columns.voter is None else columns.voter.values,
        prompt=columns.prompt,
        probability=_numbers("probability", columns.probability, _probabilities, notes),
        time=_numbers("time", columns.time, read_times, notes),
        category=category,
        categories=tuple(keys_of(sets)),
        notes=tuple(notes),
    )


def _each(column: Coded, read: Callable[[Any], Any], where: Where, file: object) -> list[Any]:
    """Return what `read` makes of each distinct value; an error names the first row that has it."""
    results = []
    for code, value in enumerate(column.values):
        try:
            results.append(read(value))
        except VotesError as problem:
            place = f"{file}: {where(int(np.argmax(column.codes == code)))}"
            if isinstance(problem, UnknownOutcomeError):
                raise UnknownOutcomeError(problem.value, place, HINT) from None
            raise VotesError(f"{place}: {problem}") from None
    return results


def _spread(values: NDArray[np.int32], codes: Codes, models: int) -> NDArray[Any]:
    """Return (n,) indices of models, in no more bytes than they need."""
    return gather(values.astype(np.int16 if models < 2**15 else np.int32), codes)


def _mask(marks: list[bool], codes: Codes) -> NDArray[np.bool_] | None:
    return gather(np.array(marks, dtype=bool), codes) if any(marks) else None


def _numbers(
    what: str, column: Coded | None, read: Callable[[Any], Any], notes: list[str]
) -> NDArray[np.float64] | None:
    """Return (n,) numbers, NaN for none, and note which values are none."""
    if column is None:
        return None
    values = np.append(read(column.values), np.nan)
    unread = np.isnan(values) & np.array([text is not None for text in column.values] + [False], dtype=bool)
    if unread.any():
        bad = gather(unread, column.codes)
        text = shorten(str(column.values[column.codes[int(np.argmax(bad))]]), 40)
        notes.append(f"{plural(int(bad.sum()), 'vote')} with a {what} that cannot be read, such as {text!r}")
    return gather(values, column.codes)


def _probabilities(texts: Sequence[str | None]) -> NDArray[np.float64]:
    numbers = np.full(len(texts), np.nan)
    for i, text in enumerate(texts):
        try:
            numbers[i] = np.nan if text is None else float(text)
        except ValueError:
            continue
    return numbers
