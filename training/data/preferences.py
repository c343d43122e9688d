"""Preference pairs as files: train.jsonl and test.jsonl, one conversational pair per line, in the form TRL reads.

    {"prompt": [{"role": "user", ...}], "chosen": [{"role": "assistant", ...}], "rejected": [...], "margin": 0.0, ...}

``python -m ratings.export`` writes it from votes; stages/pairs.py by synthetic voters, with ``"source": "synthetic"``.
Pairs whose histories differ stand beside them as whole conversations, in train-conversations.jsonl and
test-conversations.jsonl, and are read with them.
Files that others made may hold pairs in any form of pair_rows.py, and one file does where there is no folder. Pairs
that say nothing, as both replies are the same or both orders are there, are left out and counted.
"""

import gzip
import json
import math
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.words import plural
from training.data.pair_rows import PairRow, read_pair
from training.data.pair_rows import PairsError as PairsError

FILES = ("train.jsonl", "test.jsonl")
SAME = "two equal replies"
BOTH_WAYS = "preferred both ways"
TESTED = 10
"""Of a single file one prompt in so many is for the test."""

_MARKS = ("noise_free", "degenerate", "near_miss")


@dataclass
class Pairs:
    """Pairs to train on and to test with, and what was found in their files."""

    train: list[dict[str, Any]]
    test: list[dict[str, Any]]
    files: list[Path]
    read: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Pairs left out, by reason."""
    mended: Counter[str] = field(default_factory=Counter)
    """Pairs that were read in another form than the one that is written here."""
    repeated: int = 0
    """Pairs that stand more than once; they count as often."""

    def describe(self) -> str:
        """Return what was found in one line, "" where there is nothing to tell."""
        said = []
        if self.left_out:
            reasons = ", ".join(f"{n:,} {reason}" for reason, n in self.left_out.items())
            said.append(f"{self.left_out.total():,} of {plural(self.read, 'pair', commas=True)} left out: {reasons}")
        said += [f"{n:,} {how}" for how, n in self.mended.items()]
        if self.repeated:
            said.append(f"{self.repeated:,} stand there more than once")
        return "; ".join(said)


def read_pairs(path: Path) -> Pairs:
    """Return the pairs of a folder with train.jsonl and test.jsonl, or of one file, split by prompt.

    Rows have their messages, margin and marks, without other keys.

    Raises:
        PairsError: a file is missing or empty, a line is not JSON, a row has an empty or missing side, only some
            rows have a margin (TRL's collator looks at the first row alone), or no pair is left.
    """
    if path.is_file():
        rows = [_read_row(row, where) for where, row in _rows(path)]
        _check_margins(path, [row for row, _ in rows])
        found = Pairs([], [], [path])
        kept = _keep(path, rows, found)
        found.test = [row for row in kept if _is_tested(row)]
        found.train = [row for row in kept if not _is_tested(row)]
        if not found.train or not found.test:
            raise PairsError(
                f"{path}: {plural(len(kept), 'pair')} on too few prompts to keep one in {TESTED} for a test; give a "
                f"folder with {' and '.join(FILES)}, or more pairs"
            )
        return found
    found = Pairs([], [], [])
    for name, kept in zip(FILES, (found.train, found.test), strict=True):
        whole = path / name.replace(".jsonl", "-conversations.jsonl")
        files = [file for file in (path / name, whole) if file.is_file()]
        if not files:
            raise PairsError(f"{path / name} is missing: python -m ratings.export --db FILE --out {path} writes it")
        rows = [_read_row(row, where) for file in files for where, row in _rows(file)]
        _check_margins(files[0], [row for row, _ in rows])
        kept += _keep(files[0], rows, found)
        found.files += files
    return found


def note_pairs(pairs: Pairs) -> None:
    """Print what was found in the files, where there is something to tell."""
    if said := pairs.describe():
        print(f"pairs: {said}", file=sys.stderr)


def write_pairs(folder: Path, train: list[dict[str, Any]], test: list[dict[str, Any]]) -> None:
    """Write both files into an existing folder."""
    for name, rows in zip(FILES, (train, test), strict=True):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / name).write_text(lines, encoding="utf-8")


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the place and value of each row of a JSON Lines, JSON or Parquet file."""
    if path.suffix == ".parquet":
        import pyarrow  # type: ignore[import-untyped]
        from pyarrow import parquet

        try:
            rows = parquet.read_table(path).to_pylist()
        except (pyarrow.ArrowException, OSError, ValueError) as problem:
            raise PairsError(f"{path}: broken Parquet: {str(problem).splitlines()[0]}") from None
        yield from ((f"{path}, row {number}", row) for number, row in enumerate(rows, start=1))
        return
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as problem:
            raise PairsError(f"{path}: broken gzip: {problem}") from None
    if content.lstrip()[:1] == b"[":
        yield from ((f"{path}, row {number}", row) for number, row in enumerate(_json(content, str(path)), start=1))
        return
    for number, line in enumerate(content.splitlines(), start=1):
        yield f"{path}, line {number}", _json(line, f"{path}, line {number}")


def _json(text: bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise PairsError(f"{where}: not JSON: {text[:60]!r}") from None


def _read_row(row: Any, where: str) -> tuple[dict[str, Any], PairRow]:
    pair = read_pair(row, where)
    kept: dict[str, Any] = {"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected}
    if row.get("margin") is not None:
        kept["margin"] = _number(row["margin"], where)
    return kept | {mark: row[mark] for mark in _MARKS if isinstance(row.get(mark), bool)}, pair


def _check_margins(path: Path, rows: list[dict[str, Any]]) -> None:
    if not rows:
        raise PairsError(f"{path} is empty: collect more votes, or export with another split")
    if 0 < sum("margin" in row for row in rows) < len(rows):
        raise PairsError(f"{path}: some rows have a margin and some have none: give it to all or to none")


def _keep(path: Path, rows: list[tuple[dict[str, Any], PairRow]], found: Pairs) -> list[dict[str, Any]]:
    """Return the rows that say something, and count what was found."""
    seen = Counter(_identity(pair.prompt, pair.chosen, pair.rejected) for _, pair in rows)
    kept = []
    for row, pair in rows:
        found.read += 1
        if pair.mended:
            found.mended[pair.mended] += 1
        if pair.chosen == pair.rejected:
            found.left_out[SAME] += 1
        elif _identity(pair.prompt, pair.rejected, pair.chosen) in seen:
            found.left_out[BOTH_WAYS] += 1
        else:
            kept.append(row)
    found.repeated += sum(n for n in seen.values() if n > 1)
    if not kept:
        raise PairsError(f"{path}: no pair is left: {found.describe()}; give pairs of different replies")
    return kept


def _identity(*parts: Any) -> str:
    return json.dumps(parts, sort_keys=True)


def _is_tested(row: dict[str, Any]) -> bool:
    """Return whether a pair's prompt, or its replies where it has none, is one of those for the test."""
    about = row["prompt"] or sorted(_identity(row[side]) for side in ("chosen", "rejected"))
    return zlib.crc32(_identity(about).encode()) % TESTED == 0


def _number(value: Any, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise PairsError(f"{where}: margin is not a number, got {value!r}")
    return float(value)
