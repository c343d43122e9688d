"""Files with the same columns as DuckDB reads them, and a connection to it that needs little memory.

Each kind of file is a table function of DuckDB. Errors that only the reader by rows can put into words become `GiveUp`.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from ratings.errors import VotesError

MEMORY = "64MB"
"""What DuckDB may use of memory; beyond it, it writes to a temporary folder."""

MORE_MEMORY = "320MB"
"""The same for huge files and JSON, and for files that need more than that."""

MOST_MEMORY = "4GB"
"""The same for files that need even more, such as Parquet in very large row groups."""

BUFFER = 1 << 21
"""Bytes of a CSV file that are held for each thread; longer lines than half of it are left to the reader by rows."""

LONGEST_OBJECT = 1 << 24
"""Bytes of a JSON object; longer ones are left to the reader by rows."""

SAMPLES = 64
"""Places of a CSV file that a sample is taken from."""

SAMPLED = 1 << 14
"""Bytes that are read at each of them."""

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
            return f"read_parquet({paths}, union_by_name = true, hive_partitioning = false)"
        packed = f"compression = {sql_text(self.compression)}, hive_partitioning = false"
        if self.kind == CSV:
            columns = ", ".join(f"{sql_text(f'c{i}')}: 'VARCHAR'" for i in range(len(self.columns)))
            return (
                f"read_csv({paths}, auto_detect = false, header = true, skip = {self.skipped}, strict_mode = true, "
                f"delim = {sql_text(self.delimiter)}, quote = '\"', escape = '\"', nullstr = '', {packed}, "
                f"max_line_size = {BUFFER // 2}, buffer_size = {BUFFER}, columns = {{{columns}}})"
            )
        columns = ", ".join(f"{sql_text(name)}: 'VARCHAR'" for name in self.columns)
        shape = "array" if self.kind == JSON_ARRAY else "newline_delimited"
        return (
            f"read_json({paths}, format = '{shape}', {packed}, maximum_object_size = {LONGEST_OBJECT}, "
            f"columns = {{{columns}}})"
        )

    def column(self, name: str) -> str:
        """Return the expression of a column."""
        return f"c{list(self.columns).index(name)}" if self.kind == CSV else '"' + name.replace('"', '""') + '"'


def sample(table: Table, names: Sequence[str]) -> list[set[str]]:
    """Return texts that seem to stand in each of these columns of CSV files, by a look at a few places all over them.

    What is taken for a row there may be part of a longer text, so nothing but a guess may rest on it.
    """
    places = [table.columns.index(name) for name in names]
    found: list[set[str]] = [set() for _ in names]
    looks = max(SAMPLES // len(table.paths), 1)
    for path in table.paths:
        size = path.stat().st_size
        with path.open("rb") as file:
            for look in range(looks):
                file.seek(size * look // looks)
                lines = file.read(SAMPLED).decode(errors="replace").split("\n")[1:-1]
                for row in csv.reader(lines, delimiter=table.delimiter):
                    if len(row) == len(table.columns):
                        for texts, place in zip(found, places, strict=True):
                            texts.add(row[place])
    return found


class OutOfMemory(GiveUp):
    """DuckDB needs more memory."""


@contextmanager
def connected(memory: str = MOST_MEMORY) -> Iterator[Any]:
    """Yield a connection that may use so much memory. Raises GiveUp for what goes wrong inside, and OutOfMemory."""
    import duckdb

    connection = duckdb.connect()
    try:
        connection.execute(
            f"SET memory_limit = '{memory}'; SET temp_directory = {sql_text(gettempdir())}; SET TimeZone = 'UTC'; "
            "SET preserve_insertion_order = true; SET autoinstall_known_extensions = false"
        )
        yield connection
    except duckdb.InterruptException:  # Ctrl-C, and no reason to try another reader
        raise KeyboardInterrupt from None
    except duckdb.OutOfMemoryException as problem:
        raise OutOfMemory(str(problem)) from None
    except (duckdb.Error, UnicodeDecodeError) as problem:
        raise GiveUp(str(problem)) from None
    finally:
        connection.close()


def parquet_columns(name: str, path: Path) -> list[str]:
    """Return the columns of a Parquet file as they are called in it; raise VotesError where it is none."""
    try:
        with connected() as ask:
            query = f"SELECT name, coalesce(num_children, 0) FROM parquet_schema({sql_text(str(path))})"
            (_, number), *fields = ask.sql(query).fetchall()
    except GiveUp as problem:
        raise VotesError(f"{name}: broken Parquet: {str(problem).splitlines()[0]}") from None
    columns, inside = [], 0
    for field, children in fields:  # depth first, so what is inside of a column follows it
        if inside == 0:
            columns.append(field)
        inside = max(inside - 1, 0) + children
    assert len(columns) == number
    return columns


def sql_text(value: str) -> str:
    """Return a text as SQL spells it."""
    return "'" + value.replace("'", "''") + "'"


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(map(sql_text, values)) + "]"
