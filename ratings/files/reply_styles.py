"""The style of the replies in a file of votes that holds their texts.

The readers of votes pass the texts over, as they are nearly all of a file. Here the file is read a second
time and every reply is measured as the arena measures its own (markdown.py); rows that were left out before
are left out again, by their place. A side's style is that of all its assistant's turns together.
texts.py knows where the texts stand. A row whose texts cannot be read is not measured.
"""

from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ratings.errors import VotesError
from ratings.files.formats import FileRow
from ratings.files.read import read_rows
from ratings.files.texts import REPLIES, replies
from ratings.votes.markdown import FEATURES, Style, measure_style
from ratings.votes.votes import Votes


def read_file_styles(path: Path, votes: Votes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (n, 4) `markdown.FEATURES` on side A and on side B of each vote of the file, NaN for unread texts.

    `votes` are those of the file, read with `keep_left_out`. Raises VotesError where it holds no texts or
    is no longer what it was.
    """
    left_out = {where for where, _ in votes.left_out_rows}
    rows = read_rows(path, tuple(chain(*REPLIES)))
    first = next(rows, None)
    columns = next((pair for pair in REPLIES if first and set(pair) <= set(first[1])), None)
    if first is None or columns is None:
        wanted = " or ".join(f"({a}, {b})" for a, b in REPLIES)
        raise VotesError(f"{path}: holds no replies to measure; style needs a ledger or the columns {wanted}")
    measured = [_measure_row(row, columns) for where, row in chain([first], rows) if where not in left_out]
    if len(measured) != votes.used:
        raise VotesError(f"{path}: changed while it was read; try again")
    both = np.array(measured, dtype=np.float64).reshape(-1, 2, len(FEATURES))
    return both[:, 0], both[:, 1]


def _measure_row(row: FileRow, columns: tuple[str, str]) -> list[list[float]]:
    styles = [_measure(list(replies(row.get(column)))) for column in columns]
    return [[float(getattr(style, feature)) if style else np.nan for feature in FEATURES] for style in styles]


def _measure(replies: list[str]) -> Style | None:
    if not replies:
        return None
    styles = [measure_style(reply) for reply in replies]
    return Style(*(sum(getattr(style, feature) for style in styles) for feature in FEATURES))
