"""Votes from whole columns: pandas frames, Parquet, and large CSV and JSON Lines files.

A million rows hold few distinct values. Each distinct combination of the columns of a vote is given
to the same function that reads a row (see formats.py); the rows themselves are only codes. So a
frame and a file read the same, and the cost is that of pyarrow's reader.

pyarrow is needed for Parquet. Where it is not installed, text files are read row by row.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ratings.errors import UnknownOutcomeError, VotesError
from ratings.votes.collect import RawVotes, keys_of, numbering, select
from ratings.votes.formats import FileRow, Layout, category_names, key, read_vote, recognise, text_or_none
from ratings.votes.votes import NO_OUTCOME, Record, Votes, parse_time

if TYPE_CHECKING:
    import pandas as pd

Result = TypeVar("Result")


def read_frame(frame: "pd.DataFrame", *, keep_left_out: bool = False) -> Votes:
    """Return the votes of a pandas frame with the columns of any published data set, in its order.

    Rows are named by position from 1. Raises VotesError where the columns hold no votes or a value
    is none, and UnknownOutcomeError for an unknown outcome.
    """
    return _read_columns("frame", frame, recognise("frame", [str(name) for name in frame.columns]), keep_left_out)


def read_parquet(path: Path, *, keep_left_out: bool = False) -> Votes:
    """Return the votes of a Parquet file, of which only the columns that matter are read; see `read_frame`."""
    try:
        import pyarrow  # type: ignore[import-untyped]
        from pyarrow import parquet
    except ImportError:
        raise VotesError(f"{path}: Parquet needs pyarrow; install it, or convert the file to CSV or JSON") from None
    try:
        file = parquet.ParquetFile(path)
        layout = recognise(path, file.schema_arrow.names)
        frame = file.read(columns=list(layout.columns)).to_pandas()
    except (pyarrow.ArrowException, OSError) as problem:
        raise VotesError(f"{path}: broken Parquet: {str(problem).splitlines()[0]}") from None
    return _read_columns(path, frame, layout, keep_left_out)


def read_parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, FileRow]]:
    """Yield the place and values of each row of a Parquet file, with those of the `columns` that it has."""
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        file = parquet.ParquetFile(path)
        present = [name for name in columns if name in file.schema_arrow.names]
        for batch in file.iter_batches(batch_size=1000, columns=present):
            for row in batch.to_pylist():
                number += 1
                yield f"row {number}", row
    except (pyarrow.ArrowException, OSError) as problem:
        raise VotesError(f"{path}: broken Parquet: {str(problem).splitlines()[0]}") from None


def read_text_file(
    path: Path, layout: Layout, first: FileRow, is_json: bool, *, keep_left_out: bool = False
) -> Votes | None:
    """Return the votes of a CSV or JSON Lines file whose first row is `first`.

    Returns None where the file has something that only the reader by rows can judge: a fault to
    name, nested values, columns of mixed types, or rows to be listed by their lines.
    """
    if keep_left_out:
        return None
    try:
        import pyarrow
        from pyarrow import csv, json
    except ImportError:
        return None
    types = {name: _arrow_type(pyarrow, first.get(name)) if is_json else pyarrow.string() for name in layout.columns}
    if None in types.values():
        return None
    try:
        if is_json:
            schema = pyarrow.schema(list(types.items()))
            options = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
            table = json.read_json(pyarrow.input_stream(path), parse_options=options)
        else:
            table = csv.read_csv(
                pyarrow.input_stream(path),
                parse_options=csv.ParseOptions(newlines_in_values=True),
                convert_options=csv.ConvertOptions(
                    column_types=types, include_columns=list(types), strings_can_be_null=False
                ),
            )
        return _read_columns(path, table.to_pandas(), layout)
    except (pyarrow.ArrowException, VotesError, OSError, KeyError):
        return None


def _arrow_type(pyarrow: Any, value: Any) -> Any:
    """Return the type of a column by its first value, None where that is not enough."""
    kinds = {str: pyarrow.string(), bool: pyarrow.bool_(), int: pyarrow.int64(), float: pyarrow.float64()}
    return kinds.get(type(value))


def _read_columns(where: object, frame: "pd.DataFrame", layout: Layout, keep_left_out: bool = False) -> Votes:
    size = len(frame)
    combined, records = _distinct(where, frame, layout.vote, lambda row: read_vote(layout, row))
    names, reasons = numbering(), numbering()
    a = np.array([names[record.model_a] for record in records], dtype=np.int64)
    b = np.array([names[record.model_b] for record in records], dtype=np.int64)
    aside = np.array([reasons[record.set_aside] for record in records], dtype=np.int64)
    outcome = np.array([_code(record) for record in records], dtype=np.int8)

    def codes(name: str | None, read: Callable[[Any], Hashable]) -> NDArray[np.int64] | None:
        if name is None:
            return None
        place, values = _distinct(where, frame, (name,), lambda row: read(row[name]))
        numbers = numbering()
        return np.array([numbers[value] for value in values], dtype=np.int64)[place]

    category = sets = None
    if layout.categories:
        place, labels = _distinct(where, frame, layout.categories, lambda row: category_names(*row.items()))
        sets = numbering()
        category = np.array([sets[label] for label in labels], dtype=np.int64)[place]
    time = None
    if layout.time:
        place, times = _distinct(where, frame, (layout.time,), lambda row: parse_time(row[layout.time or ""]))
        time = np.array([np.nan if moment is None else moment for moment in times], dtype=np.float64)[place]
    rows = RawVotes(
        names=[*keys_of(names), None],
        a=a[combined],
        b=b[combined],
        outcome=outcome[combined],
        set_aside=aside[combined],
        reasons=keys_of(reasons),
        battle=codes(layout.battle_id, text_or_none),
        voter=codes(layout.voter, key),
        prompt=codes(layout.prompt, key),
        time=time,
        category=category,
        categories=tuple(keys_of(sets)) if sets else (),
    )
    assert len(rows.outcome) == size
    return select(rows, (lambda i: f"row {i + 1}") if keep_left_out else None)


def _code(record: Record) -> int:
    return NO_OUTCOME if record.outcome is None else record.outcome.code


def _distinct(
    where: object, frame: "pd.DataFrame", columns: Sequence[str], read: Callable[[FileRow], Result]
) -> tuple[NDArray[np.int64], list[Result]]:
    """Return (n,) the code of each row's combination of values, and what `read` makes of each of them.

    An error names the first row that has it, as combinations are numbered in order of appearance.
    """
    import pandas as pd

    place = np.zeros(len(frame), dtype=np.int64)
    for name in columns:
        values = frame[name]
        plain = values.map(key) if _is_nested(values) else values
        codes, _ = pd.factorize(plain, use_na_sentinel=False)
        place = pd.factorize(place * (int(codes.max(initial=0)) + 1) + codes)[0].astype(np.int64)
    found = np.unique(place, return_index=True)[1]
    parts = [_plain(frame[name].iloc[found]) for name in columns]
    results = []
    for row, values in zip(found.tolist(), zip(*parts, strict=True), strict=True):
        try:
            results.append(read(dict(zip(columns, values, strict=True))))
        except UnknownOutcomeError as problem:
            raise UnknownOutcomeError(problem.value, f"{where}: row {row + 1}") from None
        except VotesError as problem:
            raise VotesError(f"{where}: row {row + 1}: {problem}") from None
    return place, results


def _is_nested(values: "pd.Series[Any]") -> bool:
    return values.dtype == object and bool(values.map(lambda value: isinstance(value, list | dict | np.ndarray)).any())


def _plain(values: "pd.Series[Any]") -> list[Any]:
    """Return Python values, with None for the ways in which pandas leaves a value out."""
    plain = [value.tolist() if isinstance(value, np.generic | np.ndarray) else value for value in values.tolist()]
    missing = values.isna().tolist()
    return [None if gone is True else value for value, gone in zip(plain, missing, strict=True)]
