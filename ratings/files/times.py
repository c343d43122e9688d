"""Times as files spell them: epoch numbers of any unit, spreadsheet days, ISO 8601, RFC 2822.

The unit of numbers is decided once for a whole column, by its sizes, so that no row is read by another rule than
its neighbour. Numbers from 20,000 to 80,000 are a spreadsheet's days since 1899-12-30 (years 1954 to 2119), eight
digits that are dates throughout are such dates, and larger ones are seconds, milliseconds, micro- or nanoseconds
since 1970. Times without an offset are UTC. What cannot be read is NaN: it costs a vote its time and nothing else.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import numpy as np
from numpy.typing import NDArray

_SPREADSHEET_EPOCH = 25_569.0
"""Days from 1899-12-30 to 1970-01-01."""

_DAY = 86_400.0
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""(smallest number, parts of a second): nothing before 1973 is written in such a unit."""

_ZONE = re.compile(r"\s*(?:UTC|GMT|Z)$", re.IGNORECASE)
_OFFSET = re.compile(r"\s+([+-]\d{2}:?(?:\d{2})?)$")


def read_times(texts: Sequence[str | None]) -> NDArray[np.float64]:
    """Return (n,) seconds since 1970, UTC, of a column's distinct texts; NaN for none or an unreadable one."""
    numbers = np.array([_number(text) for text in texts], dtype=np.float64)
    if _are_dates(texts, numbers):
        return np.array([_moment(text) for text in texts], dtype=np.float64)
    seconds = read_numbers(numbers)
    for i in np.flatnonzero(np.isnan(numbers)).tolist():
        seconds[i] = _moment(texts[i])
    return seconds


def read_numbers(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) seconds since 1970 of a column's numbers, whose unit follows from their sizes; NaN stays."""
    finite = np.abs(numbers[np.isfinite(numbers)])
    if len(finite) and finite.min() >= 20_000 and finite.max() <= 80_000:
        return np.asarray((numbers - _SPREADSHEET_EPOCH) * _DAY)
    typical = float(np.median(finite)) if len(finite) else 0.0
    parts = next((parts for smallest, parts in _UNITS if typical >= smallest), 1.0)
    return np.where(np.isfinite(numbers), numbers / parts, np.nan)


def _number(text: str | None) -> float:
    with suppress(ValueError):
        if text is not None and "_" not in text:
            return float(text)
    return np.nan


def _are_dates(texts: Sequence[str | None], numbers: NDArray[np.float64]) -> bool:
    """Return whether all numbers of a column are dates such as 20240524."""
    digits = [text for text, number in zip(texts, numbers, strict=True) if text and not np.isnan(number)]
    if not digits or not all(len(text) == 8 and text[:2] in ("19", "20") for text in digits):
        return False
    return not any(np.isnan(_moment(text)) for text in digits)


def _moment(text: str | None) -> float:
    """Return the seconds since 1970 of a written time, NaN where it is none."""
    if not text:
        return np.nan
    plain = _OFFSET.sub(r"\1", _ZONE.sub("", text))
    for read, spelling in ((datetime.fromisoformat, plain), (parsedate_to_datetime, text)):
        with suppress(ValueError, TypeError, IndexError, OverflowError):
            moment = read(spelling)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return np.nan
