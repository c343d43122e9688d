"""Large files of votes read by columns, with DuckDB.

DuckDB reads CSV, JSON and Parquet of any size in parallel and only the columns it is asked for. What comes back is
63 bits of a hash for each id and each combination of the columns of a vote, and once the texts behind each such
combination, which columns.py reads as it does those of a file that is read row by row (rows.py). Where a value is such
that only that reader can judge, this one gives up with `GiveUp`; it does so too where two combinations have the same
hash, or two ids that seem to occur twice.

A hundred million votes need 2 GB: what comes back comes in parts, of which only codes are kept.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings.files.columns import MOST_EXACT, Coded, Columns, rounded
from ratings.files.formats import Layout
from ratings.files.values import ID_SQL, text_of
from ratings.votes.collect import CHUNK, has_repeats

BATCH = 1 << 20
"""Rows in a part of a huge file."""

MEMORY = "192MB"
"""What DuckDB may use of memory; beyond it, it writes to a temporary folder."""

MORE_MEMORY = "768MB"
"""The same for huge files, JSON, and queries that failed for want of it."""

BUFFER = 1 << 22
"""Bytes of a CSV file that are held for each thread; half of it is the longest line before the reader by rows is asked."""

LONGEST_OBJECT = 1 << 24
"""Bytes of the longest JSON object before the reader by rows is asked."""

HUGE = 1 << 24
"""Rows above which memory is saved at the cost of time."""

NONE, ROUNDED = -1, -2

PARQUET, CSV, JSON_LINES, JSON_ARRAY = "Parquet", "CSV", "JSON Lines", "JSON"


class GiveUp(Exception):
    """The file has something that only the reader by rows can judge."""


@dataclass(frozen=True)
class Table:
    """Files with the same columns, as DuckDB is to read them."""

    paths: Sequence[Path]
    kind: str
    columns: Sequence[str]
    """All columns of a CSV file in their order; of other files those that are looked at."""
    delimiter: str = ","
    skipped: int = 0
    """Lines of a CSV file before its header."""
    compression: str = "none"

    @property
    def source(self) -> str:
        """Return the table function that reads the files."""
        paths = _list([str(path) for path in self.paths])
        if self.kind == PARQUET:
            return f"read_parquet({paths}, union_by_name = true)"
        packed = f"compression = {_text(self.compression)}"
        if self.kind == CSV:
            columns = ", ".join(f"{_text(f'c{i}')}: 'VARCHAR'" for i in range(len(self.columns)))
            return (
                f"read_csv({paths}, auto_detect = false, header = true, skip = {self.skipped}, strict_mode = true, "
                f"delim = {_text(self.delimiter)}, quote = '\"', escape = '\"', nullstr = '', {packed}, "
                f"max_line_size = {BUFFER // 2}, buffer_size = {BUFFER}, columns = {{{columns}}})"
            )
        columns = ", ".join(f"{_text(name)}: 'VARCHAR'" for name in self.columns)
        shape = "array" if self.kind == JSON_ARRAY else "newline_delimited"
        return (
            f"read_json({paths}, format = '{shape}', {packed}, maximum_object_size = {LONGEST_OBJECT}, "
            f"columns = {{{columns}}})"
        )

    def column(self, name: str) -> str:
        """Return the expression of a column."""
        return f"c{list(self.columns).index(name)}" if self.kind == CSV else '"' + name.replace('"', '""') + '"'


def scan(table: Table, layout: Layout, wanted: frozenset[str]) -> Columns:
    """Return the columns of the files.

    `wanted` are fields of Columns beside `vote`, of which those are read that the files have. Raises GiveUp.
    """
    with _connected() as ask:
        return _Scan(table, layout, wanted, ask).columns()


@contextmanager
def _connected() -> Iterator[Any]:
    import duckdb

    connection = duckdb.connect()
    try:
        connection.execute(f"SET memory_limit = '{MEMORY}'; SET TimeZone = 'UTC'; SET preserve_insertion_order = true")
        yield connection
    except duckdb.InterruptException:  # Ctrl-C, and no reason to try another reader
        raise KeyboardInterrupt from None
    except (duckdb.Error, UnicodeDecodeError) as problem:
        raise GiveUp(str(problem)) from None
    finally:
        connection.close()


class _Scan:
    """One reading of one table."""

    def __init__(self, table: Table, layout: Layout, wanted: frozenset[str], ask: Any) -> None:
        self.table, self.layout, self.wanted, self.ask = table, layout, wanted, ask
        self.types = self._types()
        self.is_huge = table.kind == PARQUET and self._one("count(*)") > HUGE
        if self.is_huge or table.kind in (JSON_LINES, JSON_ARRAY):
            ask.execute(f"SET memory_limit = '{MORE_MEMORY}'")

    def columns(self) -> Columns:
        """Return what is wanted."""
        layout = self.layout
        texts = self._chosen(vote=layout.vote, category=layout.categories)
        texts |= {
            what: (name,) for what, name in self._chosen(time=layout.time, probability=layout.probability).items()
        }
        ids = self._chosen(battle=layout.battle_id, voter=layout.voter, prompt=layout.prompt)
        lost = [what for what, name in ids.items() if self._is_rounded(name)]
        notes = tuple(rounded(ids.pop(what)) for what in lost)
        if self.is_huge and "battle" in ids and not has_repeats(self._numbers({"battle": ids["battle"]}, {})["battle"]):
            del ids["battle"]  # there is no memory for ids and voters at once
        numbers = self._numbers(ids, texts)
        if "battle" in ids and has_repeats(numbers["battle"]) and self._is_ambiguous(ids["battle"]):
            raise GiveUp("two ids have the same hash")
        coded = {what: self._coded(numbers.pop(what), names) for what, names in texts.items()}
        return Columns(
            vote=coded["vote"],
            battle=numbers.get("battle"),
            voter=self._voters(numbers.pop("voter"), ids["voter"]) if "voter" in ids else None,
            prompt=numbers.get("prompt"),
            time=_single(coded.get("time")),
            probability=_single(coded.get("probability")),
            category=coded.get("category"),
            notes=notes,
        )

    def _chosen(self, **columns: Any) -> dict[str, Any]:
        """Return the columns that are there and wanted."""
        return {what: of for what, of in columns.items() if of and (what == "vote" or what in self.wanted)}

    def _one(self, expression: str) -> Any:
        return self.ask.sql(f"SELECT {expression} FROM {self.table.source}").fetchall()[0][0]

    def _types(self) -> dict[str, str]:
        """Return the type of each column that is looked at, of a Parquet file."""
        if self.table.kind != PARQUET:
            return {}
        described = self.ask.sql(f"DESCRIBE SELECT * FROM {self.table.source}").fetchall()
        names = [name for name, *_ in described]
        if len({name.lower() for name in names}) < len(names):
            raise GiveUp("columns that differ by case")
        return {name: kind for name, kind, *_ in described}

    def _value(self, name: str) -> str:
        """Return the expression of a column as text; NULL for none, with the blanks that `values.text_of` takes off."""
        column, kind = self.table.column(name), self.types.get(name, "VARCHAR")
        if kind in ("DOUBLE", "FLOAT"):
            real = f"({column}::DOUBLE)"
            whole = f"{real} = trunc({real}) AND abs({real}) < 9007199254740992"
            return (
                f"CASE WHEN isnan({real}) THEN NULL WHEN {whole} THEN {real}::BIGINT::VARCHAR ELSE {real}::VARCHAR END"
            )
        if kind.endswith("[]") or kind.startswith(("STRUCT", "MAP")):
            return f"to_json({column})::VARCHAR"
        if kind in ("BLOB", "UNKNOWN") or kind.startswith(("UNION", "VARIANT")):
            raise GiveUp(f"{name} is of type {kind}")
        return f"{column}::VARCHAR"

    def _is_rounded(self, name: str) -> bool:
        is_real = self.types.get(name) in ("DOUBLE", "FLOAT")
        return is_real and float(self._one(f"max(abs({self.table.column(name)}))") or 0) >= MOST_EXACT

    def _numbers(self, ids: dict[str, str], texts: dict[str, tuple[str, ...]]) -> dict[str, NDArray[np.int64]]:
        """Return the (n,) numbers of each id and combination of columns, from 0 on; NONE for no id."""
        chosen = {what: self._hash(name) for what, name in ids.items()}
        chosen |= {what: self._together(names) for what, names in texts.items()}
        listed = ", ".join(f"{expression} AS {what}" for what, expression in chosen.items())
        found = self.ask.sql(f"SELECT {listed} FROM {self.table.source}")
        if self.is_huge:
            parts: dict[str, list[NDArray[np.int64]]] = {what: [] for what in chosen}
            for batch in found.to_arrow_reader(BATCH):
                for i, what in enumerate(chosen):
                    parts[what].append(batch.column(i).to_numpy())
            numbers = {what: _joined(parts[what]) for what in chosen}
        else:
            numbers = found.fetchnumpy()
        if any((numbers[what] == ROUNDED).any() for what in ids):
            raise GiveUp("an id is a number with a fraction")
        return numbers

    def _hash(self, name: str) -> str:
        """Return the expression of an id's number: NONE for no id, ROUNDED for a JSON number with a fraction."""
        tests = f"WHEN {self._id(name)} IS NULL THEN {NONE}"
        text = self._value(name)
        if self.table.kind in (JSON_LINES, JSON_ARRAY):
            real = f"contains({text}, '.') AND try_cast({text} AS DOUBLE) IS NOT NULL"
            tests += f" WHEN strlen({text}) < 26 AND {real} THEN {ROUNDED}"
        return f"CASE {tests} ELSE (hash({text}) >> 1)::BIGINT END"

    def _id(self, name: str) -> str:
        return ID_SQL.format(f"({self._value(name)})")

    def _together(self, names: Sequence[str]) -> str:
        return f"(hash({', '.join(map(self._value, names))}) >> 1)::BIGINT"

    def _is_ambiguous(self, name: str) -> bool:
        value = self._id(name)
        query = f"SELECT 1 FROM {self.table.source} GROUP BY hash({value}) HAVING count(DISTINCT {value}) > 1 LIMIT 1"
        return bool(self.ask.sql(query).fetchall())

    def _coded(self, numbers: NDArray[np.int64], names: Sequence[str]) -> Coded:
        """Return codes for the numbers of combinations, and the combinations."""
        values = ", ".join(f"{self._value(name)} AS v{i}" for i, name in enumerate(names))
        every = ", ".join(f"v{i}" for i in range(len(names)))
        query = f"SELECT (hash({every}) >> 1)::BIGINT AS h, {every} FROM (SELECT {values} FROM {self.table.source})"
        rows = self.ask.sql(f"{query} GROUP BY ALL ORDER BY h").fetchall()
        known = np.array([row[0] for row in rows], dtype=np.int64)
        if len(known) > 1 and not (known[1:] > known[:-1]).all():
            raise GiveUp("two combinations have the same hash")
        codes = np.empty(len(numbers), dtype=np.uint16 if len(rows) < 2**16 else np.int32)
        for start in range(0, len(numbers), CHUNK):
            codes[start : start + CHUNK] = np.searchsorted(known, numbers[start : start + CHUNK])
        return Coded(codes, [row[1:] for row in rows])

    def _voters(self, numbers: NDArray[np.int64], name: str) -> Coded:
        codes, found = number(numbers)
        return Coded(codes, _Texts(self.table, self._id(name), found))


def _single(column: Coded | None) -> Coded | None:
    """Return a column whose values are tuples of one as one whose values are texts."""
    return None if column is None else Coded(column.codes, [text_of(value) for (value,) in column.values])


class _Texts(Sequence[str]):
    """The texts behind hashes, looked up in the file when they are asked for."""

    def __init__(self, table: Table, value: str, hashes: NDArray[np.int64]) -> None:
        self._table, self._value, self._hashes = table, value, hashes

    def __len__(self) -> int:
        return len(self._hashes)

    def __getitem__(self, code: Any) -> Any:
        return self._found[int(self._hashes[code])]

    @cached_property
    def _found(self) -> dict[int, str]:
        with _connected() as ask:
            query = f"SELECT DISTINCT {self._value} AS v FROM {self._table.source} WHERE v IS NOT NULL"
            rows = ask.sql(f"SELECT (hash(v) >> 1)::BIGINT, v FROM ({query})").fetchall()
        return dict(rows)


def _joined(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the parts as one array; each is let go as soon as it is copied."""
    joined = np.empty(sum(map(len, parts)), dtype=np.int64)
    end = len(joined)
    while parts:
        part = parts.pop()
        joined[end - len(part) : end] = part
        end -= len(part)
    return joined


def number(values: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return (n,) codes of the values that are not negative, -1 for the others, and these values by code.

    Many values are numbered in sixteen parts, as all at once would need several times the memory.
    """
    parts = 1 if len(values) <= HUGE else 16
    codes = np.full(len(values), -1, dtype=np.int32)
    found: list[NDArray[np.int64]] = []
    size = 0
    for last in range(parts):
        mine = np.flatnonzero((values >= 0) if parts == 1 else (values & 15 == last))
        mine = mine[values[mine] >= 0]
        distinct, place = np.unique(values[mine], return_inverse=True)
        codes[mine] = size + place
        found.append(distinct)
        size += len(distinct)
    return codes, np.concatenate(found)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(map(_text, values)) + "]"
