"""The style of the replies in a file of votes that holds their texts.

The readers of votes pass the texts over, as they are nearly all of a file. Here the file is read a second
time and every reply is measured as the arena measures its own (markdown.py); rows that were left out before
are left out again, by their place. A side's style is that of all its assistant's turns together.

Texts stand in `conversation_a` and `conversation_b`, lists of {role, content}, or in `response_a` and
`response_b`, a text or a list of the turns' texts as JSON. A row whose texts cannot be read is not measured.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings.errors import VotesError
from ratings.files.formats import FileRow
from ratings.files.read import read_rows
from ratings.votes.markdown import FEATURES, Style, measure_style
from ratings.votes.votes import Votes

TEXTS = (("conversation_a", "conversation_b"), ("response_a", "response_b"))
"""Columns that may hold the replies, the first that are there."""


def read_file_styles(path: Path, votes: Votes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (n, 4) `markdown.FEATURES` on side A and on side B of each vote of the file, NaN for unread texts.

    `votes` are those of the file, read with `keep_left_out`. Raises VotesError where it holds no texts or
    is no longer what it was.
    """
    left_out = {where for where, _ in votes.left_out_rows}
    rows = read_rows(path, tuple(chain(*TEXTS)))
    first = next(rows, None)
    columns = next((pair for pair in TEXTS if first and set(pair) <= set(first[1])), None)
    if first is None or columns is None:
        wanted = " or ".join(f"({a}, {b})" for a, b in TEXTS)
        raise VotesError(f"{path}: holds no replies to measure; style needs a ledger or the columns {wanted}")
    measured = [_measure_row(row, columns) for where, row in chain([first], rows) if where not in left_out]
    if len(measured) != votes.used:
        raise VotesError(f"{path}: changed while it was read; try again")
    both = np.array(measured, dtype=np.float64).reshape(-1, 2, len(FEATURES))
    return both[:, 0], both[:, 1]


def _measure_row(row: FileRow, columns: tuple[str, str]) -> list[list[float]]:
    styles = [_measure(list(_replies(row.get(column)))) for column in columns]
    return [[float(getattr(style, feature)) if style else np.nan for feature in FEATURES] for style in styles]


def _measure(replies: list[str]) -> Style | None:
    if not replies:
        return None
    styles = [measure_style(reply) for reply in replies]
    return Style(*(sum(getattr(style, feature) for style in styles) for feature in FEATURES))


def _replies(value: Any) -> Iterator[str]:
    """Yield the texts of the assistant's turns."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        with suppress(json.JSONDecodeError, RecursionError):  # a reply may open with a bracket
            value = json.loads(value)
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple | np.ndarray):
        for turn in value:
            yield from _turn(turn)


def _turn(turn: Any) -> Iterator[str]:
    if isinstance(turn, str):
        yield turn
    elif isinstance(turn, dict) and turn.get("role", "assistant") == "assistant":
        content = turn.get("content")
        if isinstance(content, str):
            yield content
        elif isinstance(content, list | tuple | np.ndarray):  # typed parts
            yield "".join(part["text"] for part in content if isinstance(part, dict) and _is_text(part.get("text")))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
