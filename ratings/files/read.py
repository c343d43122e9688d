"""Votes from files: which there are, and who reads them.

There are two readers. One goes row by row (rows.py); where it stops it names the file, row and value. Large files
are first given to DuckDB, column by column (scan.py); whatever that stumbles over is read again row by row, which has
the last word. What the values mean is decided in one place for both (columns.py).
"""

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import file_digest
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from common.words import plural
from ratings.errors import VotesError
from ratings.files import tables
from ratings.files.columns import MOST_EXACT, Coded, Columns, assemble, rounded
from ratings.files.containers import STDIN, Opened, open_file
from ratings.files.formats import FileRow, Layout, recognise
from ratings.files.naming import Naming
from ratings.files.rows import check_header, read_file_rows, read_header
from ratings.files.scan import scan
from ratings.files.values import as_written, id_of, text_of
from ratings.votes.collect import RawVotes, join, keys_of, numbering, select
from ratings.votes.votes import Votes

LARGE = 1 << 20
"""Bytes from which on files are first read by columns."""

PEEKED = 1000
"""Rows that are looked at before that."""

FEWEST_REPEATED = 10
"""Votes from which on it is no chance that as many follow them in the same order."""

DETAILS = frozenset({"battle", "voter", "prompt", "time", "probability", "category"})
"""What may be read of a vote beside its models, outcome and marks."""


def read_votes_file(
    path: Path,
    *more: Path,
    naming: Naming | None = None,
    details: frozenset[str] = DETAILS,
    keep_left_out: bool = False,
) -> Votes:
    """Return the votes of one file or several, in their order.

    They may be JSON, JSON Lines, CSV or Parquet, packed, a pipe, "-" for standard input, or a pattern such as
    votes/*.parquet. Of the `details` those are read that the files have; the others are not looked at. Votes marked
    as not anonymous (`anony` false) are left out, as the arenas that write the mark do. With `keep_left_out` the
    result lists the rows left out. Raises VotesError, with the row, where a file is missing, broken or of an unknown
    shape, and UnknownOutcomeError where a row holds something that is no outcome.
    """
    files = [open_file(one) for one in expand([path, *more])]
    heads = [_Head(file, naming) for file in files]
    for head in heads:
        head.check()  # noise of any length is recognised by its first rows, before all of it is read
    votes = None
    is_large = any(head.file.is_parquet for head in heads) or sum(f.path.stat().st_size for f in files) >= LARGE
    if is_large and not keep_left_out:
        votes = _read_by_columns(heads, details)
    if votes is None:
        votes = _read_by_rows(heads, details, keep_left_out)
    return replace(votes, notes=(*votes.notes, *_repeats(files, votes)))


def expand(paths: Sequence[Path]) -> list[Path]:
    """Return the files that paths and patterns name. Raises VotesError for a pattern that matches none."""
    found: list[Path] = []
    for path in paths:
        if path != STDIN and not path.exists() and glob.has_magic(str(path)):
            matched = sorted(glob.glob(str(path), recursive=True))
            if not matched:
                raise VotesError(f"{path}: no file matches")
            found += map(Path, matched)
        else:
            found.append(path)
    if found.count(STDIN) > 1:
        raise VotesError("standard input can be read once; name - once")
    return found


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, FileRow]]:
    """Yield the place and values of each row of a file of votes, as `read_votes_file` names and orders them.

    Of a Parquet file only those of the `columns` that it has are read. Raises VotesError where the
    file cannot be read.
    """
    yield from read_file_rows(open_file(path), columns)


class _Head:
    """The first rows of a file, by which it is recognised."""

    def __init__(self, file: Opened, naming: Naming | None) -> None:
        self.file = file
        self.rows = list(islice(read_file_rows(file), PEEKED)) if not file.is_parquet else []
        if file.is_parquet:
            self.columns = tables.parquet_columns(file.name, file.path)
            check_header(file.name, self.columns)
        elif file.start[:1] in (b"[", b"{"):
            self.columns = list(dict.fromkeys(chain.from_iterable(row for _, row in self.rows)))
        else:
            with file.text() as text:
                self.columns, self.delimiter, self.skipped = read_header(text)
        self.layout = recognise(file.name, self.columns, naming) if self.columns else None

    def check(self) -> None:
        """Raise what the first rows have wrong."""
        if self.layout and self.rows:
            places = [where for where, _ in self.rows]
            columns = _columns_of_rows(self.layout, [row for _, row in self.rows], frozenset())
            assemble(self.layout, columns, places.__getitem__, self.file.name)

    def table(self) -> tuple[Any, ...]:
        """Return what has to be the same of files that are read as one table."""
        if self.layout is None or self.file.packing == "other" or self.file.encoding == "utf-16":
            raise tables.GiveUp("no plain file")
        layout, looked = self.layout, self.layout.columns
        if self.file.is_parquet:
            return (layout, tables.PARQUET, (), "", 0, "none")
        if self.file.start[:1] in (b"[", b"{"):
            is_array = self.file.start[:1] == b"["
            if not is_array and self.rows and not self.rows[0][0].startswith("line"):
                raise tables.GiveUp("one object that holds the rows")
            kind = tables.JSON_ARRAY if is_array else tables.JSON_LINES
            return (layout, kind, looked, "", 0, self.file.packing)
        return (layout, tables.CSV, tuple(self.columns), self.delimiter, self.skipped, self.file.packing)


def _read_by_columns(heads: Sequence[_Head], details: frozenset[str]) -> Votes | None:
    """Return the votes, or None where only the reader by rows can tell what is in the files."""
    try:
        first, *others = (head.table() for head in heads)
        if any(other != first for other in others):
            return None
        layout, kind, columns, delimiter, skipped, packing = first
        table = tables.Table([head.file.path for head in heads], kind, columns, delimiter or ",", skipped, packing)
        found = scan(table, layout, details)
        return select(assemble(layout, found, lambda i: f"row {i + 1}", heads[0].file.name))
    except (tables.GiveUp, VotesError, ImportError):
        return None


def _read_by_rows(heads: Sequence[_Head], details: frozenset[str], keep_left_out: bool) -> Votes:
    shared = _Numbers()
    raws: list[RawVotes] = []
    places: list[str] = []
    for head in heads:
        if head.layout is None:
            continue
        own: list[str] = []
        rows = _placed(read_file_rows(head.file, head.layout.columns), own)
        columns = _columns_of_rows(head.layout, rows, details, shared)
        raws.append(assemble(head.layout, columns, own.__getitem__, head.file.name))
        places += own if len(heads) == 1 else [f"{head.file.name}: {where}" for where in own]
    return select(join(raws), places.__getitem__ if keep_left_out else None)


def _placed(rows: Iterator[tuple[str, FileRow]], places: list[str]) -> Iterator[FileRow]:
    """Yield the rows and keep their places."""
    for where, row in rows:
        places.append(where)
        yield row


class _Numbers:
    """The numbers of ids, voters and prompts, which are the same in all files that are read together."""

    def __init__(self) -> None:
        self.of = {what: numbering() for what in ("battle", "voter", "prompt")}


def _columns_of_rows(
    layout: Layout, rows: Iterable[FileRow], details: frozenset[str], shared: _Numbers | None = None
) -> Columns:
    """Return the columns of rows, numbered one by one."""
    of = (shared or _Numbers()).of
    ids = _present(details, battle=layout.battle_id, voter=layout.voter, prompt=layout.prompt)
    texts = _present(details, time=layout.time, probability=layout.probability)
    sets = {"vote": layout.vote} | ({"category": layout.categories} if "category" in details else {})
    numbers: dict[str, Any] = of | {what: numbering() for what in [*texts, *sets]}
    codes: dict[str, list[int]] = {what: [] for what in [*ids, *texts, *sets]}
    inexact: set[str] = set()
    for row in rows:
        for what, names in sets.items():
            codes[what].append(numbers[what][tuple(as_written(row.get(name)) for name in names)])
        for what, name in chain(ids.items(), texts.items()):
            value = row.get(name)
            if isinstance(value, float) and what in ids and abs(value) >= MOST_EXACT:
                inexact.add(what)
            codes[what].append(numbers[what][id_of(value) if what in ids else text_of(value)])
    arrays = {what: np.array(found, dtype=np.int64) for what, found in codes.items()}
    for what in inexact:
        del arrays[what]
    return Columns(
        vote=Coded(arrays["vote"], keys_of(numbers["vote"])),
        battle=arrays.get("battle"),
        voter=Coded(arrays["voter"], keys_of(numbers["voter"])) if "voter" in arrays else None,
        prompt=arrays.get("prompt"),
        time=Coded(arrays["time"], keys_of(numbers["time"])) if "time" in arrays else None,
        probability=Coded(arrays["probability"], keys_of(numbers["probability"])) if "probability" in arrays else None,
        category=Coded(arrays["category"], keys_of(numbers["category"]))
        if layout.categories and "category" in arrays
        else None,
        notes=tuple(rounded(ids[what]) for what in sorted(inexact)),
    )


def _present(details: frozenset[str], **columns: str | None) -> dict[str, str]:
    """Return the details that are asked for and there, with their columns."""
    return {what: name for what, name in columns.items() if name and what in details}


def _repeats(files: Sequence[Opened], votes: Votes) -> list[str]:
    """Return a note where the same votes seem to have been given twice."""
    sizes = [file.path.stat().st_size for file in files]
    digests = {i: _digest(files[i].path) for i, size in enumerate(sizes) if sizes.count(size) > 1}
    twice = [files[i].name for i in digests if digests[i] in [digests[k] for k in digests if k < i]]
    if twice:
        return [f"{twice[0]} has the same content as a file before it: its votes count twice where they have no ids"]
    half, odd = divmod(votes.used, 2)
    if odd or half < FEWEST_REPEATED or votes.left_out:
        return []
    columns = (votes.a, votes.b, votes.outcome)
    if all(np.array_equal(column[:half], column[half:]) for column in columns):
        return [
            f"the second {plural(half, 'vote')} are the same as the first, in the same order: is a file in there twice?"
        ]
    return []


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
