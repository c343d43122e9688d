"""Votes of pandas frames, whose columns are numbered by pandas."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ratings.errors import VotesError
from ratings.files.columns import MOST_EXACT, Coded, Columns, assemble, rounded
from ratings.files.formats import Layout, recognise
from ratings.files.naming import Naming
from ratings.files.values import as_written, id_of, shorten, text_of
from ratings.votes.collect import keys_of, numbering, select
from ratings.votes.votes import Votes

if TYPE_CHECKING:
    import pandas as pd


def read_frame(frame: "pd.DataFrame", *, naming: Naming | None = None, keep_left_out: bool = False) -> Votes:
    """Return the votes of a pandas frame with the columns of any published data set, in its order.

    Rows are named by position from 1. Raises VotesError where the columns hold no votes or a value
    is none, and UnknownOutcomeError for an unknown outcome.
    """
    names = [str(name) for name in frame.columns]
    layout = recognise("frame", names, naming)
    if twice := [name for name in layout.columns if names.count(name) > 1]:
        raise VotesError(f"frame: column {shorten(twice[0])!r} stands twice; rename one")
    frame = frame.set_axis(names, axis=1)

    def where(i: int) -> str:
        return f"row {i + 1}"

    rows = assemble(layout, _columns(frame, layout), where, "frame")
    return select(rows, where if keep_left_out else None)


def _columns(frame: "pd.DataFrame", layout: Layout) -> Columns:
    notes = []

    def single(name: str | None) -> Coded | None:
        return None if name is None else _texts(frame[name])

    def ids(name: str | None) -> Coded | None:
        if name is None or not _is_rounded(frame[name]):
            return None if name is None else _texts(frame[name], id_of)
        notes.append(rounded(name))
        return None

    battle, voter, prompt = ids(layout.battle_id), ids(layout.voter), ids(layout.prompt)

    frame = frame.assign(**{name: None for name in layout.vote if name not in frame})
    return Columns(
        vote=_together([_texts(frame[name], as_written) for name in layout.vote], len(frame)),
        battle=battle and battle.codes,
        voter=voter,
        prompt=prompt and prompt.codes,
        time=single(layout.time),
        probability=single(layout.probability),
        category=_together([_texts(frame[name]) for name in layout.categories], len(frame))
        if layout.categories
        else None,
        notes=tuple(notes),
    )


def _texts(values: "pd.Series[Any]", read: Callable[[Any], str | None] = text_of) -> Coded:
    """Return a column as codes of its distinct values as text."""
    import pandas as pd

    if values.dtype == object:
        values = values.map(
            lambda value: text_of(value) if isinstance(value, list | dict | np.ndarray | bytes) else value
        )
    codes, distinct = pd.factorize(values, use_na_sentinel=True)
    numbers = numbering()
    texts = [read(value) for value in distinct.tolist()]
    place = np.array([numbers[text] for text in texts] + [-1], dtype=np.int64)
    return Coded(place[codes], keys_of(numbers))


def _together(columns: Sequence[Coded], size: int) -> Coded:
    """Return several columns as one, whose values are tuples; None is a value here."""
    import pandas as pd

    place = np.zeros(size, dtype=np.int64)
    for column in columns:
        place = pd.factorize(place * (len(column.values) + 1) + column.codes + 1)[0].astype(np.int64)
    first = np.unique(place, return_index=True)[1]
    parts = [[(*column.values, None)[code] for code in column.codes[first].tolist()] for column in columns]
    return Coded(place, list(zip(*parts, strict=True)) if parts else [])


def _is_rounded(values: "pd.Series[Any]") -> bool:
    return values.dtype.kind == "f" and bool((values.abs() >= MOST_EXACT).any())
