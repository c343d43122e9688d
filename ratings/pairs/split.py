"""Rows split into training and test files by prompt, without holding them.

A prompt is a test prompt when its SHA-256, read as a fraction, is below the test share, so it stays on its side as the
votes grow. Prompts that differ only in case or spacing count as the same, and of a longer conversation the first one
counts. Where few prompts leave a file empty, the prompt with the lowest hash goes to the test or the one with the
highest to the training side.

Rows are laid aside in a temporary file with the fraction of each in memory; then the files are written from it.
"""

import hashlib
import json
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from common.files import write_files
from common.prompts import prompt_key
from common.words import plural
from ratings.errors import ExportError, OutputError
from ratings.pairs.rows import Row, first_prompt

FILES = ("train.jsonl", "test.jsonl")
WHOLE = ("train-conversations.jsonl", "test-conversations.jsonl")
"""Those of pairs without a shared prompt."""


_LONGEST_LINE = 1 << 24


@dataclass(frozen=True)
class WrittenFile:
    """A file that was written."""

    path: Path
    rows: int
    prompts: int


def check_share(test_share: float) -> None:
    """Raise ExportError for a share outside (0, 1)."""
    if not 0 < test_share < 1:
        raise ExportError(f"the test share is {test_share}; give a share between 0 and 1, such as 0.2")


def prompt_fraction(row: Row) -> float:
    """Return the first 52 bits of the SHA-256 of a row's prompt, as a number in [0, 1)."""
    key = prompt_key(first_prompt(row)).encode(errors="surrogatepass")
    return int(hashlib.sha256(key).hexdigest()[:13], 16) / 16**13


def find_border(fractions: Iterable[float], test_share: float) -> float:
    """Return the fraction up to which a prompt is a test prompt, so that neither side is empty.

    Raises ExportError for a share outside (0, 1) and where there are fewer than two prompts.
    """
    check_share(test_share)
    rows = np.fromiter(fractions, dtype=np.float64)
    prompts = np.unique(rows)
    if len(prompts) < 2:
        those = "the only row is" if len(rows) == 1 else f"all {plural(len(rows), 'row', commas=True)} are"
        raise ExportError(
            f"{those} on one prompt, which cannot be on both sides of a split; collect votes on a second prompt"
        )
    below = int((prompts < test_share).sum())
    return float(prompts[min(max(below, 1), len(prompts) - 1) - 1])


def require_ours(folder: Path) -> None:
    """Raise OutputError where a folder holds files of these names that no export wrote: they would be lost."""
    for path in (folder / name for name in (*FILES, *WHOLE)):
        if not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                line = file.readline(_LONGEST_LINE)
            row = json.loads(line) if line.strip() else None
        except (OSError, ValueError, RecursionError):
            row = None
        if not (isinstance(row, dict) and "source" in row and {"chosen", "completion"} & row.keys()):
            raise OutputError(f"{path} was not written by an export, so it is not replaced; give another folder")


class Spool:
    """Rows laid aside until all are known."""

    def __init__(self, file: IO[bytes]) -> None:
        """Keep them in `file`, an open temporary one."""
        self._file = file
        self._fractions = array("d")
        self._is_whole = array("b")

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._fractions)

    def add(self, row: Row) -> None:
        """Lay a row aside."""
        self._file.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        self._fractions.append(prompt_fraction(row))
        self._is_whole.append("prompt" not in row)

    def write(self, folder: Path, test_share: float) -> list[WrittenFile]:
        """Write the files that have rows; earlier ones of the same names that have none now are removed.

        Raises ExportError where the rows are on fewer than two prompts, and OutputError.
        """
        fractions, is_whole = np.frombuffer(self._fractions), np.frombuffer(self._is_whole, dtype=np.int8) > 0
        paired = fractions[~is_whole]
        by = paired if len(np.unique(paired)) > 1 else fractions
        is_test = fractions <= find_border(by, test_share)
        masks = {
            name: (is_whole == whole) & (is_test == test)
            for whole, names in ((False, FILES), (True, WHOLE))
            for test, name in zip((False, True), names, strict=True)
        }
        kept = {name: mask for name, mask in masks.items() if mask.any()}
        try:
            paths = write_files(folder, {name: self._lines(mask) for name, mask in kept.items()})
            for name in masks.keys() - kept.keys():
                (folder / name).unlink(missing_ok=True)
        except OSError as problem:
            raise OutputError(f"{folder}: cannot be written: {problem.strerror}") from None
        return [
            WrittenFile(path, int(mask.sum()), len(np.unique(fractions[mask])))
            for path, mask in zip(paths, kept.values(), strict=True)
        ]

    def _lines(self, mask: NDArray[np.bool_]) -> Iterator[bytes]:
        self._file.seek(0)
        for line, is_in in zip(self._file, mask, strict=True):
            if is_in:
                yield line


def open_spool() -> IO[bytes]:
    """Return a temporary file that goes when it is closed. Raises OutputError where there is no room for one."""
    try:
        return tempfile.TemporaryFile()
    except OSError as problem:
        raise OutputError(f"no temporary file can be written: {problem.strerror}") from None
