"""Large files of votes read by columns, with DuckDB.

DuckDB reads CSV, JSON and Parquet of any size in parallel and only the columns it is asked for. What comes back is
63 bits of a hash for each id and each combination of the columns of a vote, and once the texts behind each such
combination, which columns.py reads as it does those of a file that is read row by row (rows.py). Where a value is such
that only that reader can judge, this one gives up with `GiveUp`; it does so too where two combinations have the same
hash, or two ids that seem to occur twice.

A hundred million votes need 2 GB: what comes back comes in parts, of which only codes are kept. CSV has no index, so
each question costs a reading of the whole file. The second question is saved where the texts of a few of its rows,
hashed, explain the hashes of all.
"""

from collections.abc import Mapping, Sequence, Sized
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings.errors import VotesError
from ratings.files.columns import MOST_EXACT, Coded, Columns, rounded
from ratings.files.formats import Layout
from ratings.files.tables import (
    CSV,
    JSON_ARRAY,
    JSON_LINES,
    MEMORY,
    MORE_MEMORY,
    MOST_MEMORY,
    PARQUET,
    GiveUp,
    OutOfMemory,
    Table,
    connected,
    sample,
)
from ratings.files.values import ID_SQL, text_of
from ratings.votes.collect import CHUNK, STEP, gather, has_repeats, mark

BATCH = 1 << 20
"""Rows in a part of a huge file."""

HUGE = 1 << 24
"""Rows above which memory is saved at the cost of time."""

MOST_GUESSES = 1 << 19
"""Combinations of sampled texts that are hashed, at most."""

_Rows = list[tuple[Any, ...]]
"""Combinations of texts, each after its number."""

NONE, ROUNDED = -1, -2

_FEWEST_BITS, _MOST_BITS = 17, 21
_LAST = 2**63 - 1
_BYTES = 8  # of a vote in a Parquet file, at least


def scan(table: Table, layout: Layout, wanted: frozenset[str]) -> Columns:
    """Return the columns of the files.

    `wanted` are fields of Columns beside `vote`, of which those are read that the files have. Raises GiveUp.
    """
    least = MORE_MEMORY if table.kind in (JSON_LINES, JSON_ARRAY) or _is_huge(table) else MEMORY
    for memory in dict.fromkeys((least, MORE_MEMORY, MOST_MEMORY)):
        with suppress(OutOfMemory), connected(memory) as ask:
            found = _Scan(table, layout, wanted, ask).read()
            break
    else:
        raise GiveUp("not enough memory")
    return found.columns()  # what DuckDB held is free again


def _is_huge(table: Table) -> bool:
    """Return whether Parquet files are so large that they will be read in parts."""
    return table.kind == PARQUET and sum(path.stat().st_size for path in table.paths) > HUGE * _BYTES


class _Scan:
    """One reading of one table."""

    def __init__(self, table: Table, layout: Layout, wanted: frozenset[str], ask: Any) -> None:
        self.table, self.layout, self.wanted, self.ask = table, layout, wanted, ask
        self.types = self._types()
        rows = int(self._one("count(*)")) if table.kind == PARQUET else 0
        self.huge = rows if rows > HUGE else 0
        """Rows of a file that is read in parts, 0 for others."""

    def read(self) -> "_Found":
        """Return what is wanted."""
        layout = self.layout
        texts = self._chosen(vote=layout.vote, category=layout.categories)
        single = self._chosen(time=layout.time, probability=layout.probability)
        texts |= {what: (name,) for what, name in single.items()}
        ids = self._chosen(battle=layout.battle_id, voter=layout.voter, prompt=layout.prompt)
        lost = [what for what, name in ids.items() if self._is_rounded(name)]
        notes = tuple(rounded(ids.pop(what)) for what in lost)
        # Only what is read in parts needs the texts first; they would stand beside the largest result.
        sets = {what: self._combinations(names) for what, names in texts.items()} if self.huge else {}
        if self.huge and "battle" in ids:  # there is no memory for ids and voters at once
            alone = self._numbers({"battle": ids["battle"]}, {}, {})
            if not has_repeats(alone["battle"]):
                del ids["battle"]
            del alone
        numbers = self._numbers(ids, texts, sets)
        if "battle" in ids and not has_repeats(numbers["battle"]):
            del ids["battle"], numbers["battle"]
        if "battle" in ids and self._is_ambiguous(ids["battle"]):
            raise GiveUp("two ids have the same hash")
        for what, names in texts.items() if not sets else ():
            if guessed := self._guessed(numbers[what], names):
                numbers[what], sets[what] = guessed
            else:
                sets[what] = self._combinations(names)
        voter = _Texts(self.table, self._id(ids["voter"])) if "voter" in ids else None
        return _Found(numbers, sets, voter, notes)

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
        if name not in (self.types or self.table.columns):
            return "NULL::VARCHAR"
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

    def _numbers(
        self, ids: dict[str, str], texts: dict[str, tuple[str, ...]], sets: Mapping[str, _Rows]
    ) -> dict[str, NDArray[Any]]:
        """Return the (n,) numbers of each id, NONE for none, and codes of each combination of columns in `sets`."""
        chosen = {what: self._hash(name) for what, name in ids.items()}
        chosen |= {what: self._together(names) for what, names in texts.items()}
        listed = ", ".join(f"{expression} AS {what}" for what, expression in chosen.items())
        found = self.ask.sql(f"SELECT {listed} FROM {self.table.source}")
        if self.huge:
            numbers: dict[str, NDArray[Any]] = {what: np.empty(self.huge, dtype=np.int64) for what in ids}
            numbers |= {what: np.empty(self.huge, dtype=_code_type(sets[what])) for what in texts}
            start = 0
            for batch in found.to_arrow_reader(BATCH):
                part = slice(start, start + len(batch))
                for i, what in enumerate(chosen):
                    values = batch.column(i).to_numpy()
                    numbers[what][part] = _codes(values, _known(sets[what])) if what in texts else values
                start += len(batch)
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
        return f"CASE {tests} ELSE (hash({self._id(name)}) >> 1)::BIGINT END"

    def _id(self, name: str) -> str:
        return ID_SQL.format(f"({self._value(name)})")

    def _together(self, names: Sequence[str]) -> str:
        return f"(hash({', '.join(map(self._value, names))}) >> 1)::BIGINT"

    def _is_ambiguous(self, name: str) -> bool:
        value = self._id(name)
        query = f"SELECT 1 FROM {self.table.source} GROUP BY hash({value}) HAVING count(DISTINCT {value}) > 1 LIMIT 1"
        return bool(self.ask.sql(query).fetchall())

    def _combinations(self, names: Sequence[str]) -> _Rows:
        """Return the number and then the texts of each combination of columns, by number."""
        values = ", ".join(f"{self._value(name)} AS v{i}" for i, name in enumerate(names))
        every = ", ".join(f"v{i}" for i in range(len(names)))
        query = f"SELECT (hash({every}) >> 1)::BIGINT AS h, {every} FROM (SELECT {values} FROM {self.table.source})"
        rows: _Rows = self.ask.sql(f"{query} GROUP BY ALL ORDER BY h").fetchall()
        if any(one[0] == next_one[0] for one, next_one in pairwise(rows)):
            raise GiveUp("two combinations have the same hash")
        return rows

    def _guessed(self, numbers: NDArray[np.int64], names: Sequence[str]) -> tuple[NDArray[Any], _Rows] | None:
        """Return codes and combinations of columns in a CSV file by a sample of its rows, None where it lacks one.

        Each row is checked: the 63 bits of its hash are those of the combination that it gets.
        """
        is_plain = self.table.kind == CSV and self.table.compression == "none"
        if not is_plain or not set(names) <= set(self.table.columns):
            return None
        found = sample(self.table, names)
        if len(found) > 2:  # a model met on one side may stand on the other in rows that were not sampled
            found[0] = found[1] = found[0] | found[1]
        texts = [[*sorted(some - {""}), None] for some in found]
        if prod(map(len, texts)) > MOST_GUESSES:
            return None
        hashes, *places = self.ask.execute(_product(texts), texts).fetchnumpy().values()
        order = np.argsort(hashes)
        known = hashes[order]
        if (known[1:] == known[:-1]).any():
            return None
        try:
            codes = _codes(numbers, known)
        except _Unknown:
            return None
        is_used = np.zeros(len(known), dtype=bool)
        mark(is_used, codes)
        order = order[is_used]
        values = [[some[i] for i in place[order].tolist()] for some, place in zip(texts, places, strict=True)]
        rows = list(zip(known[is_used].tolist(), *values, strict=True))
        return gather((np.cumsum(is_used) - 1).astype(_code_type(rows)), codes), rows


def _product(texts: Sequence[Sequence[str | None]]) -> str:
    """Return the query of the hash of each combination of texts, which are its parameters, and of their places."""
    values = [f"v{i}" for i in range(len(texts))]
    lists = [
        f"(SELECT unnest(?::VARCHAR[]) AS {value}, unnest(range({len(some)})) AS i{value})"
        for value, some in zip(values, texts, strict=True)
    ]
    places = ", ".join(f"i{value}" for value in values)
    return f"SELECT (hash({', '.join(values)}) >> 1)::BIGINT AS h, {places} FROM {', '.join(lists)}"


@dataclass(frozen=True)
class _Found:
    """What was read of a table: numbers, and what stands for them."""

    numbers: dict[str, NDArray[Any]]
    sets: dict[str, _Rows]
    voter: "_Texts | None"
    notes: tuple[str, ...]

    def columns(self) -> Columns:
        """Return it as columns."""
        voter = None
        if self.voter is not None:
            codes, self.voter.hashes = number(self.numbers.pop("voter"))
            voter = Coded(codes, self.voter)
        coded = {what: _coded(self.numbers.pop(what), rows) for what, rows in self.sets.items()}
        return Columns(
            vote=coded["vote"],
            battle=self.numbers.get("battle"),
            voter=voter,
            prompt=self.numbers.get("prompt"),
            time=_single(coded.get("time")),
            probability=_single(coded.get("probability")),
            category=coded.get("category"),
            notes=self.notes,
        )


def _coded(numbers: NDArray[Any], rows: _Rows) -> Coded:
    """Return combinations and their codes, of codes or of the numbers that the rows begin with."""
    codes = _codes(numbers, _known(rows)) if numbers.dtype == np.int64 else numbers
    return Coded(codes, [row[1:] for row in rows])


def _code_type(rows: Sized) -> type[np.uint16] | type[np.int32]:
    return np.uint16 if len(rows) < 2**16 else np.int32


class _Unknown(GiveUp):
    """A combination that was not expected."""


def _known(rows: _Rows) -> NDArray[np.int64]:
    """Return the numbers that the rows begin with."""
    return np.array([row[0] for row in rows], dtype=np.int64)


def _codes(numbers: NDArray[np.int64], expected: NDArray[np.int64]) -> NDArray[Any]:
    """Return the place of each number among the sorted `expected` ones; raise GiveUp for one that is not there.

    The numbers are evenly spread hashes, so their first bits tell the place but for a few steps.
    """
    known = np.append(expected, _LAST)
    bits = min(max(_FEWEST_BITS, len(expected).bit_length()), _MOST_BITS)
    shift = 63 - bits
    opening = np.searchsorted(known, np.arange(2**bits) << shift).astype(np.int32)
    codes = np.empty(len(numbers), dtype=_code_type(expected))
    for start in range(0, len(numbers), STEP):
        part = numbers[start : start + STEP]
        place = opening[part >> shift]
        while (is_before := known[place] < part).any():
            place += is_before
        if not np.array_equal(known[place], part):
            raise _Unknown("the file changed while it was read")
        codes[start : start + STEP] = place
    return codes


def _single(column: Coded | None) -> Coded | None:
    """Return a column whose values are tuples of one as one whose values are texts."""
    return None if column is None else Coded(column.codes, [text_of(value) for (value,) in column.values])


class _Texts(Sequence[str]):
    """The texts behind hashes, each looked up in the file when it is asked for."""

    def __init__(self, table: Table, value: str) -> None:
        self._table, self._value = table, value
        self._found: dict[int, str] = {}
        self.hashes: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.hashes)

    def __getitem__(self, code: Any) -> Any:
        wanted = int(self.hashes[code])
        if wanted not in self._found:
            self._found[wanted] = self._look_up(wanted)
        return self._found[wanted]

    def _look_up(self, wanted: int) -> str:
        query = f"SELECT {self._value} AS v FROM {self._table.source} WHERE (hash(v) >> 1)::BIGINT = {wanted} LIMIT 1"
        try:
            with connected() as ask:
                ((text,),) = ask.sql(query).fetchall()
        except (GiveUp, ValueError):
            raise VotesError(f"{self._table.paths[0]}: changed while it was read; try again") from None
        return str(text)


def number(values: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return (n,) codes of the values that are not negative, -1 for the others, and these values by code.

    Many values are numbered in sixteen parts, as all at once would need several times the memory.
    """
    codes = np.full(len(values), -1, dtype=np.int32)
    if len(values) <= HUGE:
        distinct = np.sort(values)
        distinct = distinct[np.append(True, distinct[1:] != distinct[:-1])[: len(distinct)]]
        known = distinct[np.searchsorted(distinct, 0) :]
        is_known = values >= 0
        codes[is_known] = _codes(values[is_known], known)
        return codes, known
    found: list[NDArray[np.int64]] = []
    size = 0
    parts = np.concatenate([(values[i : i + CHUNK] & 15).astype(np.uint8) for i in range(0, len(values), CHUNK)])
    import pyarrow  # type: ignore[import-untyped]

    for last in range(16):
        mine = np.flatnonzero(parts == last)
        mine = mine[values[mine] >= 0]
        encoded = pyarrow.array(values[mine]).dictionary_encode()
        codes[mine] = encoded.indices.to_numpy(zero_copy_only=False) + size
        found.append(encoded.dictionary.to_numpy(zero_copy_only=False))
        size += len(found[-1])
    return codes, np.concatenate(found)
