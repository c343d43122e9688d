"""Votes from the files other arenas publish: JSON, JSON Lines, CSV and Parquet, also gzipped.

The container is recognised by the first characters (FastChat's logs are JSON Lines named .json), and
what the columns mean from their names (see formats.py). There are two readers. The strict one
goes row by row, and where it stops it names the file, row and value. Large files are first given to
pyarrow, column by column (see columnar.py); whatever that stumbles over is read again by the
strict one, which has the last word.
"""

import csv
import gzip
import io
import json
import sys
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from ratings.errors import UnknownOutcomeError, VotesError
from ratings.votes.collect import collect
from ratings.votes.formats import FileRow, Layout, read_row, recognise, shorten
from ratings.votes.votes import Record, Votes

LARGE = 1 << 20
"""Bytes from which on a file is first read by columns."""

PEEKED = 1000
"""Rows that are looked at before that."""

_GZIP = b"\x1f\x8b"
_BUFFER = 1 << 18


def read_votes_file(path: Path, *, keep_left_out: bool = False) -> Votes:
    """Return the votes of a JSON, JSON Lines, CSV or Parquet file, in its order.

    Votes marked as not anonymous (`anony` false) are left out, as the arenas that write the mark do.
    With `keep_left_out` the result lists the rows left out. Raises VotesError, with the row, where
    the file is missing, broken or of an unknown shape, and UnknownOutcomeError where a row holds
    something that is no outcome.
    """
    start = _start(path)
    if start.startswith(b"PAR1"):
        from ratings.votes.columnar import read_parquet

        return read_parquet(path, keep_left_out=keep_left_out)
    rows = _rows(path, start)
    first = next(rows, None)
    if first is None:
        return collect([])
    layout = recognise(path, first[1])
    # Noise of any length is recognised by its first rows, before the fast reader goes through all of it.
    head = [first, *islice(rows, PEEKED)]
    deque(_records(path, iter(head), layout), maxlen=0)
    if path.stat().st_size >= LARGE and not start.startswith(b"["):
        from ratings.votes.columnar import read_text_file

        if votes := read_text_file(path, layout, first[1], start.startswith(b"{"), keep_left_out=keep_left_out):
            return votes
    return collect(_records(path, chain(head, rows), layout), keep_left_out=keep_left_out)


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, FileRow]]:
    """Yield the place and values of each row of a file of votes, as `read_votes_file` names and orders them.

    Of a Parquet file only those of the `columns` that it has are read. Raises VotesError where the
    file cannot be read.
    """
    start = _start(path)
    if start.startswith(b"PAR1"):
        from ratings.votes.columnar import read_parquet_rows

        yield from read_parquet_rows(path, columns)
    else:
        yield from _rows(path, start)


def _records(path: Path, rows: Iterator[tuple[str, FileRow]], layout: Layout) -> Iterator[Record]:
    for where, row in rows:
        try:
            yield read_row(layout, row, where)
        except UnknownOutcomeError as problem:
            raise UnknownOutcomeError(problem.value, f"{path}: {where}") from None
        except VotesError as problem:
            raise VotesError(f"{path}: {where}: {problem}") from None


def _start(path: Path) -> bytes:
    """Return the first bytes that are not blank; raise VotesError where there are none to read."""
    if not path.is_file():
        raise VotesError(f"{path}: {'is a directory' if path.is_dir() else 'no such file'}; expected votes")
    with _reading(path), _open(path) as file:
        start = file.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise VotesError(f"{path}: the file is empty")
    if start.startswith(b"SQLite format 3"):
        raise VotesError(f"{path}: not JSON, JSON Lines, CSV or Parquet; read it with --db")
    return start


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        is_gzip = file.read(2) == _GZIP
    return gzip.open(path) if is_gzip else path.open("rb")  # type: ignore[return-value]


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what can go wrong below the rows into our errors."""
    try:
        yield
    except UnicodeDecodeError as problem:
        byte = problem.object[problem.start]
        raise VotesError(f"{path}: not UTF-8 text (byte 0x{byte:02x}); save it as UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise VotesError(f"{path}: broken gzip: {problem}") from None
    except RecursionError:
        raise VotesError(f"{path}: JSON nested too deep to be votes") from None
    except OSError as problem:
        raise VotesError(f"{path}: cannot be read: {problem.strerror}") from None


# Containers: each yields ("row 1", {column: value}) from its first row on.


def _rows(path: Path, start: bytes) -> Iterator[tuple[str, FileRow]]:
    read = {b"[": _json_rows, b"{": _json_lines}.get(start[:1], _csv_rows)
    with _reading(path), _open(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        yield from read(path, text)


def _json_rows(path: Path, text: IO[str]) -> Iterator[tuple[str, FileRow]]:
    """Yield the objects of one array as they are met, so that noise is refused at once and not after it all."""
    elements = _Elements(path, text)
    elements.expect("[")
    if elements.peek() == "]":
        elements.expect("]")
    else:
        number, more = 0, True
        while more:
            number += 1
            yield f"row {number}", _object(path, f"row {number}", elements.value())
            more = elements.peek() != "]"
            elements.expect("," if more else "]")
    if elements.peek():
        raise elements.broken("Extra data", elements.at)


class _Elements:
    """The values of a JSON array in a file of any size, of which only a part is held."""

    def __init__(self, path: Path, text: IO[str]) -> None:
        self._path, self._text = path, text
        self._decode = json.JSONDecoder().raw_decode
        self._held, self._lines = "", 1
        self.at = 0

    def peek(self) -> str:
        """Return the next character that is not blank, "" at the end."""
        while True:
            while self.at < len(self._held) and self._held[self.at] in " \t\r\n":
                self.at += 1
            if self.at < len(self._held) or not self._more():
                return self._held[self.at : self.at + 1]

    def expect(self, character: str) -> None:
        if self.peek() != character:
            raise self.broken(f"Expecting {character!r}", self.at)
        self.at += 1

    def value(self) -> Any:
        self.peek()
        size = _BUFFER
        while True:
            try:
                value, self.at = self._decode(self._held, self.at)
            except json.JSONDecodeError as problem:
                # An error before the end of what is held is one; at the end the value may just go on.
                goes_on = problem.msg.startswith("Unterminated") or problem.pos >= len(self._held) - 16
                before = len(self._held) - self.at
                if not (goes_on and self._more(size)):
                    raise self.broken(problem.msg, problem.pos) from None
                size = max(size, before)  # a long value is not decoded again for every bit of it
            else:
                return value

    def broken(self, what: str, position: int) -> VotesError:
        line = self._lines + self._held.count("\n", 0, position)
        return VotesError(f"{self._path}: broken JSON at line {line}: {what}")

    def _more(self, size: int = _BUFFER) -> bool:
        """Read on and drop what is done with; return whether there was more."""
        added = self._text.read(size)
        if added:
            self._lines += self._held.count("\n", 0, self.at)
            self._held, self.at = self._held[self.at :] + added, 0
        return bool(added)


def _json_lines(path: Path, text: IO[str]) -> Iterator[tuple[str, FileRow]]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as problem:
            raise VotesError(f"{path}: broken JSON at line {number}: {problem.msg}") from None
        yield f"line {number}", _object(path, f"line {number}", row)


def _object(path: Path, where: str, row: Any) -> FileRow:
    if not isinstance(row, dict):
        raise VotesError(f"{path}: {where} is {shorten(str(row), 40)!r}, not an object")
    return row


def _csv_rows(path: Path, text: IO[str]) -> Iterator[tuple[str, FileRow]]:
    limit = csv.field_size_limit(sys.maxsize)  # a conversation is longer than the default of 128 KiB
    lines = csv.reader(text, strict=True)
    try:
        header = next(lines, [])
        if twice := [name for name in header if header.count(name) > 1]:
            raise VotesError(f"{path}: column {shorten(twice[0])!r} stands twice in the header")
        for number, row in enumerate(filter(None, lines), 1):
            if len(row) != len(header):
                raise VotesError(f"{path}: row {number} has {len(row)} fields where the header has {len(header)}")
            yield f"row {number}", dict(zip(header, row, strict=True))
    except csv.Error as problem:
        raise VotesError(f"{path}: broken CSV near line {lines.line_num}: {problem}") from None
    finally:
        csv.field_size_limit(limit)
