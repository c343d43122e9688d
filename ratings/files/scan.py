"""Large files of votes read by columns, with DuckDB.

DuckDB reads CSV, JSON and Parquet of any size in parallel and only the columns it is asked for. They come in parts,
and of each part only codes are kept: 20 bytes a vote at most, so that a hundred million need no more than 2 GB. What
the values mean is decided in columns.py, as for a file that is read row by row (rows.py), and where a
value is such that only that reader can judge, this one gives up with `GiveUp`.

Ids become 63 bits of DuckDB's hash. Two ids with the same hash would count as a duplicate, so ids that seem to occur
twice are compared as texts before that is believed.
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
from ratings.votes.collect import has_repeats, keys_of, numbering

BATCH = 1 << 20
"""Rows in a part."""

MEMORY = "768MB"
"""What DuckDB may use; beyond it, it writes to a temporary folder."""

LONGEST_LINE = 1 << 24
"""Bytes of a CSV line, or a JSON object, above which the reader by rows is asked."""

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
                f"max_line_size = {LONGEST_LINE}, buffer_size = {2 * LONGEST_LINE}, columns = {{{columns}}})"
            )
        columns = ", ".join(f"{_text(name)}: 'VARCHAR'" for name in self.columns)
        shape = "array" if self.kind == JSON_ARRAY else "newline_delimited"
        return (
            f"read_json({paths}, format = '{shape}', {packed}, maximum_object_size = {LONGEST_LINE}, "
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
    except (duckdb.Error, UnicodeDecodeError) as problem:
        raise GiveUp(str(problem)) from None
    finally:
        connection.close()


class _Scan:
    """One reading of one table."""

    def __init__(self, table: Table, layout: Layout, wanted: frozenset[str], ask: Any) -> None:
        self.table, self.layout, self.wanted, self.ask = table, layout, wanted, ask
        self.types = self._types()

    def columns(self) -> Columns:
        layout = self.layout
        texts = {"vote": layout.vote}
        texts |= {"category": layout.categories} if "category" in self.wanted and layout.categories else {}
        single = {"time": layout.time, "probability": layout.probability}
        texts |= {what: (name,) for what, name in single.items() if name and what in self.wanted}
        hashed = {"battle": layout.battle_id, "voter": layout.voter, "prompt": layout.prompt}
        hashes = {what: name for what, name in hashed.items() if name and what in self.wanted}
        lost = [what for what, name in hashes.items() if self._is_rounded(name)]
        notes = tuple(rounded(hashes.pop(what)) for what in lost)
        if "battle" in hashes and self._is_huge():
            alone = {"battle": hashes["battle"]}
            ids = self._read({}, alone).hashes("battle")
            if ids is not None and not has_repeats(ids):
                del hashes["battle"]
        parts = self._read(texts, hashes)
        battle = parts.hashes("battle")
        if battle is not None and has_repeats(battle) and self._is_ambiguous(hashes["battle"]):
            raise GiveUp("two ids have the same hash")
        return Columns(
            vote=parts.coded("vote"),
            battle=battle,
            voter=self._voters(parts, hashes.get("voter")),
            prompt=parts.hashes("prompt"),
            time=parts.single("time"),
            probability=parts.single("probability"),
            category=parts.coded("category") if "category" in texts else None,
            notes=notes,
        )

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
        if self.types.get(name) not in ("DOUBLE", "FLOAT"):
            return False
        query = f"SELECT max(abs({self.table.column(name)})) FROM {self.table.source}"
        return float(self.ask.sql(query).fetchall()[0][0] or 0) >= MOST_EXACT

    def _is_huge(self) -> bool:
        """Return whether ids and voters together would need too much memory; they then come one after the other."""
        query = f"SELECT count(*) FROM {self.table.source}"
        return self.table.kind == PARQUET and self.ask.sql(query).fetchall()[0][0] > HUGE

    def _read(self, texts: dict[str, tuple[str, ...]], hashes: dict[str, str]) -> "_Parts":
        values = [self._value(name) for names in texts.values() for name in names]
        values += [self._hash(name) for name in hashes.values()]
        chosen = ", ".join(f"{value} AS v{i}" for i, value in enumerate(values))
        parts = _Parts(texts, hashes)
        for batch in self.ask.sql(f"SELECT {chosen} FROM {self.table.source}").to_arrow_reader(BATCH):
            parts.add(batch)
        return parts

    def _hash(self, name: str) -> str:
        """Return the expression of an id's number: NONE for no id, ROUNDED for a JSON number with a fraction."""
        value = self._id(name)
        tests = f"WHEN {value} IS NULL THEN {NONE}"
        if self.table.kind in (JSON_LINES, JSON_ARRAY):
            text = self._value(name)
            real = f"contains({text}, '.') AND try_cast({text} AS DOUBLE) IS NOT NULL"
            tests += f" WHEN strlen({text}) < 26 AND {real} THEN {ROUNDED}"
        return f"CASE {tests} ELSE (hash({self._value(name)}) >> 1)::BIGINT END"

    def _id(self, name: str) -> str:
        return ID_SQL.format(f"({self._value(name)})")

    def _is_ambiguous(self, name: str) -> bool:
        value = self._id(name)
        query = f"SELECT 1 FROM {self.table.source} GROUP BY hash({value}) HAVING count(DISTINCT {value}) > 1 LIMIT 1"
        return bool(self.ask.sql(query).fetchall())

    def _voters(self, parts: "_Parts", name: str | None) -> Coded | None:
        numbers = parts.hashes("voter")
        if numbers is None or name is None:
            return None
        codes, found = number(numbers)
        return Coded(codes, _Texts(self.table, self._id(name), found))


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


class _Parts:
    """The codes of the parts read so far."""

    def __init__(self, texts: dict[str, tuple[str, ...]], hashes: dict[str, str]) -> None:
        self._texts, self._hashed = texts, list(hashes)
        self._numbers = {what: numbering() for what in texts}
        self._codes: dict[str, list[NDArray[Any]]] = {what: [] for what in [*texts, *hashes]}

    def add(self, batch: Any) -> None:
        """Take one Arrow record batch, whose columns are those of the texts and then the hashes."""
        first = 0
        for what, names in self._texts.items():
            self._codes[what].append(self._coded(what, [batch.column(first + i) for i in range(len(names))]))
            first += len(names)
        for i, what in enumerate(self._hashed):
            self._codes[what].append(batch.column(first + i).to_numpy(zero_copy_only=False))

    def _coded(self, what: str, columns: Sequence[Any]) -> NDArray[np.int32]:
        """Return the codes of the combinations of one part, in the numbering of all parts."""
        encoded = [column.dictionary_encode(null_encoding="encode") for column in columns]
        together = np.zeros(len(columns[0]), dtype=np.int64)
        for one in encoded:
            together = together * len(one.dictionary) + one.indices.to_numpy(zero_copy_only=False)
        local, found = number(together)
        values = []
        for one in reversed(encoded):
            found, place = np.divmod(found, max(len(one.dictionary), 1))
            texts = one.dictionary.to_pylist()
            values.append([texts[i] for i in place.tolist()])
        numbers = self._numbers[what]
        return np.array([numbers[key] for key in zip(*reversed(values), strict=True)], dtype=np.int32)[local]

    def coded(self, what: str) -> Coded:
        values = keys_of(self._numbers[what])
        return Coded(_joined(self._codes.pop(what), np.uint16 if len(values) < 2**16 else np.int32), values)

    def single(self, what: str) -> Coded | None:
        if what not in self._codes:
            return None
        codes, values = self.coded(what)
        return Coded(codes, [text_of(value) for (value,) in values])

    def hashes(self, what: str) -> NDArray[np.int64] | None:
        parts = self._codes.pop(what, None)
        if parts is None:
            return None
        joined = _joined(parts, np.int64)
        if (joined == ROUNDED).any():
            raise GiveUp("an id is a number with a fraction")
        return joined


def _joined(parts: list[NDArray[Any]], kind: Any) -> NDArray[Any]:
    """Return the parts as one array; each is let go as soon as it is copied."""
    joined = np.empty(sum(map(len, parts)), dtype=kind)
    end = len(joined)
    while parts:
        part = parts.pop()
        joined[end - len(part) : end] = part
        end -= len(part)
    return joined


def number(values: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return (n,) codes of the values that are not negative, -1 for the others, and these values by code."""
    if len(values) > HUGE:
        return _number_by_parts(values)
    import pyarrow  # type: ignore[import-untyped]

    encoded = pyarrow.array(values).dictionary_encode()
    found = encoded.dictionary.to_numpy(zero_copy_only=False)
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    if (none := np.flatnonzero(found < 0)).size:
        order = np.full(len(found), -1, dtype=np.int32)
        order[found >= 0] = np.arange(len(found) - len(none))
        codes = order[codes]
    return codes, found[found >= 0]


def _number_by_parts(values: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return what `number` does, in sixteen parts, as all at once would need several times the memory."""
    codes = np.full(len(values), -1, dtype=np.int32)
    found: list[NDArray[np.int64]] = []
    size = 0
    for last in range(16):
        mine = np.flatnonzero(values & 15 == last)
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
