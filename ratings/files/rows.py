"""Files of votes read row by row: slower than by columns, and exact about where something is wrong.

Each container yields ("row 1", {column: value}) from its first row on. Numbers of JSON stay as they are
written, as text; a JSON object may also hold the rows: as {"data": [...]}, or as the columns that pandas writes.
"""

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import IO, Any

from ratings.errors import VotesError
from ratings.files.containers import Opened, reading
from ratings.files.formats import FileRow
from ratings.files.values import shorten

DELIMITERS = ",;\t|"
_BUFFER = 1 << 18
_WRAPPERS = ("data", "rows", "votes", "battles", "records", "results", "items")

Rows = Iterator[tuple[str, FileRow]]


def _object_of(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise VotesError(f"key {shorten(twice)!r} stands twice in one object")
    return found


_AS_WRITTEN: Any = {
    "parse_int": str,
    "parse_float": str,
    "parse_constant": lambda text: None if text == "NaN" else text,
    "object_pairs_hook": _object_of,
}


def read_file_rows(file: Opened, columns: Sequence[str] | None = None) -> Rows:
    """Yield the place and values of each row, of a Parquet file those of the `columns` that it has."""
    with reading(file.name):
        if file.is_parquet:
            yield from _parquet_rows(file, columns)
            return
        read = {b"[": _json_rows, b"{": _json_lines}.get(file.start[:1], _csv_rows)
        with file.text() as text:
            yield from read(file.name, text)


def _parquet_rows(file: Opened, columns: Sequence[str] | None) -> Rows:
    import pyarrow  # type: ignore[import-untyped]
    from pyarrow import parquet

    number = 0
    try:
        table = parquet.ParquetFile(file.path)
        names = table.schema_arrow.names
        present = names if columns is None else [name for name in columns if name in names]
        if twice := [name for name in present if names.count(name) > 1]:
            raise VotesError(f"{file.name}: column {shorten(twice[0])!r} stands twice")
        for batch in table.iter_batches(batch_size=1000, columns=present):
            for row in batch.to_pylist():
                number += 1
                yield f"row {number}", row
    except UnicodeDecodeError as problem:
        raise VotesError(
            f"{file.name}: text after row {number} is not UTF-8 ({problem.reason}); write it anew"
        ) from None
    except (pyarrow.ArrowException, OSError, ValueError) as problem:
        raise VotesError(f"{file.name}: broken Parquet: {str(problem).splitlines()[0]}") from None


def _json_rows(name: str, text: IO[str]) -> Rows:
    """Yield the objects of one array as they are met, so that noise is refused at once and not after it all."""
    elements = _Elements(name, text)
    elements.expect("[")
    if elements.peek() == "]":
        elements.expect("]")
    else:
        number, more = 0, True
        while more:
            number += 1
            yield f"row {number}", _object(name, f"row {number}", elements.value(f"row {number}"))
            more = elements.peek() != "]"
            elements.expect("," if more else "]")
    if elements.peek():
        raise elements.broken("Extra data", elements.at)


def _json_lines(name: str, text: IO[str]) -> Rows:
    """Yield one object after the other, each on a line of its own or not; or what the only one holds."""
    elements = _Elements(name, text)
    first_place = f"line {elements.line()}"
    first = _object(name, first_place, elements.value(first_place))
    if not elements.peek() and (rows := _inside(first)) is not None:
        for number, row in enumerate(rows, 1):
            yield f"row {number}", _object(name, f"row {number}", row)
        return
    yield first_place, first
    while elements.peek():
        place = f"line {elements.line()}"
        yield place, _object(name, place, elements.value(place))


def _inside(only: Mapping[str, Any]) -> Iterator[Any] | None:
    """Return the rows that an object holds, None where it is a row itself."""
    values = list(only.values())
    names, data = only.get("columns"), only.get("data")
    if isinstance(names, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        return (dict(zip_longest(names, row)) for row in data)  # pandas, orient="split"
    for wrapper in _WRAPPERS:
        if isinstance(rows := only.get(wrapper), list) and all(isinstance(row, dict) for row in rows):
            return iter(rows)
    if len(values) > 1 and all(isinstance(value, dict) for value in values):  # pandas, orient="columns"
        return (
            {name: column.get(index) for name, column in only.items()}
            for index in dict.fromkeys(i for v in values for i in v)
        )
    is_table = len(values) > 1 and all(isinstance(value, list) for value in values)
    if is_table and len({len(value) for value in values}) == 1 and len(values[0]) != 2:
        return (dict(zip(only, row, strict=True)) for row in zip(*values, strict=True))
    return None


class _Elements:
    """The JSON values of a file of any size, of which only a part is held."""

    def __init__(self, name: str, text: IO[str]) -> None:
        self._name, self._text = name, text
        self._decode = json.JSONDecoder(**_AS_WRITTEN).raw_decode
        self._held, self._lines = "", 1
        self.at = 0

    def peek(self) -> str:
        """Return the next character that is not blank, "" at the end."""
        while True:
            while self.at < len(self._held) and self._held[self.at] in " \t\r\n":
                self.at += 1
            if self.at < len(self._held) or not self._more():
                return self._held[self.at : self.at + 1]

    def line(self) -> int:
        """Return the number of the line on which the next value starts."""
        self.peek()
        return self._lines + self._held.count("\n", 0, self.at)

    def expect(self, character: str) -> None:
        if self.peek() != character:
            raise self.broken(f"Expecting {character!r}", self.at)
        self.at += 1

    def value(self, place: str) -> Any:
        self.peek()
        size = _BUFFER
        while True:
            try:
                value, end = self._decode(self._held, self.at)
            except json.JSONDecodeError as problem:
                # An error before the end of what is held is one; at the end the value may just go on.
                goes_on = problem.msg.startswith("Unterminated") or problem.pos >= len(self._held) - 16
                before = len(self._held) - self.at
                if not (goes_on and self._more(size)):
                    raise self.broken(problem.msg, problem.pos) from None
                size = max(size, before)  # a long value is not decoded again for every bit of it
            except VotesError as problem:
                raise VotesError(f"{self._name}: {place}: {problem}") from None
            else:
                self.at = end
                return value

    def broken(self, what: str, position: int) -> VotesError:
        line = self._lines + self._held.count("\n", 0, position)
        return VotesError(f"{self._name}: broken JSON at line {line}: {what}")

    def _more(self, size: int = _BUFFER) -> bool:
        """Read on and drop what is done with; return whether there was more."""
        added = self._text.read(size)
        if added:
            self._lines += self._held.count("\n", 0, self.at)
            self._held, self.at = self._held[self.at :] + added, 0
        return bool(added)


def _object(name: str, where: str, row: Any) -> FileRow:
    if not isinstance(row, dict):
        raise VotesError(f"{name}: {where} is {shorten(str(row), 40)!r}, not an object")
    return row


def read_header(first_lines: Iterator[str]) -> tuple[list[str], str, int]:
    """Return the header of a CSV file, its delimiter and how many lines come before it.

    The delimiter is that of a first line such as "sep=;", or else the one that the header holds most often.
    """
    line = next(first_lines, "")
    skipped = 0
    told = ""
    if line.lower().startswith("sep=") and len(line.strip("\r\n")) == 5:
        told, skipped, line = line[4], 1, next(first_lines, "")
    delimiter = told or max(DELIMITERS, key=line.count)
    try:
        header = next(csv.reader([line, *first_lines] if line.count('"') % 2 else [line], delimiter=delimiter), [])
    except csv.Error as problem:
        raise VotesError(f"broken CSV in its first line: {problem}") from None
    while len(header) > 1 and not header[-1].strip():  # a spreadsheet's empty columns
        header.pop()
    return [name.strip() for name in header], delimiter, skipped


def _csv_rows(name: str, text: IO[str]) -> Rows:
    limit = csv.field_size_limit(sys.maxsize)  # a conversation is longer than the default of 128 KiB
    start = io.StringIO(text.read(_BUFFER), newline="")  # every kind of line end is one
    header, delimiter, skipped = read_header(iter(start))
    start.seek(0)
    lines = csv.reader(_lines(start, text, skipped), delimiter=delimiter, strict=True)
    try:
        width = len(next(lines, []))
        check_header(name, header)
        for number, row in enumerate(filter(None, lines), 1):
            # A spreadsheet's empty columns have no name and no value.
            if len(row) != width or any(row[len(header) :]):
                raise VotesError(f"{name}: row {number} has {len(row)} fields where the header has {len(header)}")
            yield f"row {number}", dict(zip(header, row, strict=False))
    except csv.Error as problem:
        raise VotesError(f"{name}: broken CSV near line {lines.line_num + skipped}: {problem}") from None
    finally:
        csv.field_size_limit(limit)


def _lines(start: io.StringIO, text: IO[str], skipped: int) -> Iterator[str]:
    """Yield the lines of what was read already and of the rest."""
    for number, line in enumerate(start):
        if not line.endswith(("\n", "\r")):  # what was read ends within a line
            line += text.readline()
        if number >= skipped:
            yield line
    yield from text


def check_header(name: object, header: Sequence[str]) -> None:
    """Raise VotesError where a column of a CSV file stands twice."""
    if twice := [column for column in header if header.count(column) > 1]:
        what = f"column {shorten(twice[0])!r} stands" if twice[0] else "two columns without a name stand"
        raise VotesError(f"{name}: {what} twice in the header")
