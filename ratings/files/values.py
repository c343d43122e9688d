"""What a single value of a file says: text, nothing, true or false.

Every value becomes text as soon as it is read, numbers in their own spelling, so no id ever passes through a
float; the readers by rows and by columns share this vocabulary, in Python and in SQL. Lists and objects become
JSON text. Text is stripped of the blanks and invisible marks around it.
"""

import json
import math
from datetime import date, datetime
from functools import lru_cache
from typing import Any

BLANKS = " \t\r\n\v\f\x1c\x1d\x1e\x1f\x85\xa0\u2007\u200b\u202f\u2060\u3000\ufeff"
"""Characters that mean nothing at either end of a value."""

EMPTY = frozenset({"", "NULL", "Null", "null", "\\N", "NA", "N/A", "n/a", "#N/A", "<NA>", "nan", "NaN", "None", "none"})
"""Spellings of a value that is not there: those of databases, spreadsheets, pandas and R."""

_YES = frozenset({"true", "t", "yes", "y", "on", "1", "1.0"})
_NO = frozenset({"false", "f", "no", "n", "off", "0", "0.0"})
_EXACT = 2.0**53


def text_of(value: Any) -> str | None:
    """Return any value of a file as text, None where there is none."""
    if isinstance(value, str):
        return _stripped(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    if isinstance(value, list | dict):
        return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
    if isinstance(value, datetime | date):
        return None if value != value else value.isoformat()  # pandas' NaT is no time
    return _text_of_library_value(value)


def as_written(value: Any) -> str | None:
    """Return text with whatever stands around it, and any other value as `text_of` makes it."""
    return value if isinstance(value, str) else text_of(value)


@lru_cache(1 << 14)
def _stripped(text: str) -> str | None:
    text = text.strip(BLANKS)
    return None if text in EMPTY else text


def id_of(value: Any) -> str | None:
    """Return the text of an id, as it is written, None where there is none; `ID_SQL` says the same in SQL."""
    text = value if isinstance(value, str) else text_of(value)
    if text is None:
        return None
    if text.endswith(".0") and text[:-2].isascii() and text[:-2].isdigit():
        return text[:-2]  # pandas writes a column of numbers with a gap so
    may_be_empty = len(text.encode(errors="replace")) < _SHORT or text[:1] == " "
    return None if may_be_empty and text.strip(" ") in EMPTY else text


_SHORT = 1 + max(map(len, EMPTY))

_SPELLINGS = ", ".join(f"'{text}'" for text in sorted(EMPTY))
ID_SQL = (
    f"CASE WHEN (strlen({{0}}) < {_SHORT} OR starts_with({{0}}, ' ')) AND trim({{0}}) IN ({_SPELLINGS}) "
    "THEN NULL WHEN ends_with({0}, '.0') AND regexp_full_match({0}, '[0-9]+[.]0') THEN {0}[:-3] ELSE {0} END"
)
"""An SQL expression of the id in the column {0} of text."""


def _text_of_library_value(value: Any) -> str | None:
    """Return the text of numpy's and pandas' own kinds of value."""
    if hasattr(value, "tolist"):
        return text_of(value.tolist())
    if isinstance(value, bytes):
        return text_of(value.decode(errors="backslashreplace"))
    return text_of(str(value))


def flag(value: Any) -> bool | None:
    """Return what a value says as yes or no in any usual spelling; None where it says neither."""
    text = (text_of(value) or "").lower()
    return True if text in _YES else False if text in _NO else None


def nested(value: Any) -> Any:
    """Return the list or object that a value holds, as such or as JSON text; otherwise the value."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value, parse_int=str, parse_float=str)
        except (json.JSONDecodeError, RecursionError):
            return value
    return value


def shorten(text: str, longest: int = 80) -> str:
    """Return the text, or its start and an ellipsis where it is too long for a message."""
    return text if len(text) <= longest else text[: longest - 3] + "..."
