"""What a file is, by its first bytes, and its bytes unpacked.

CSV, JSON, JSON Lines and Parquet are read, also packed with gzip, bzip2, xz or zip, and through a pipe. Whatever
else people hand over by mistake is named for what it is.
"""

import atexit
import bz2
import codecs
import glob
import gzip
import io
import lzma
import os
import shutil
import stat
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ratings.errors import VotesError

STDIN = Path("-")

_PEEKED = 4096
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_PACKED = {_GZIP: gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

_NAMED = (
    (b"SQLite format 3", "a SQLite file; read a ledger with --db"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save its sheet as CSV"),
    (b"version https://git-lfs", "a Git LFS pointer and not the file itself; fetch it with git lfs pull"),
    (b"%PDF", "a PDF; give the votes as CSV, JSON or Parquet"),
    (b"ARROW1", "an Arrow (Feather) file; save it as Parquet"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd; unpack it first"),
    (b"\x80\x04", "a Python pickle, which is never opened; save it as Parquet or CSV"),
    (b"\x80\x05", "a Python pickle, which is never opened; save it as Parquet or CSV"),
    (b"Obj\x01", "an Avro file; save it as Parquet"),
    (_GZIP, "packed twice; unpack it once"),
    (b"BZh", "packed twice; unpack it once"),
    (b"\xfd7zXZ", "packed twice; unpack it once"),
)
_MARKUP = (b"<!doctype html", b"<html", b"<head", b"<?xml", b"<svg")


@dataclass(frozen=True)
class Opened:
    """A file whose bytes can be read."""

    name: str
    """As it was given, for messages."""
    path: Path
    """Where its bytes lie; a temporary file where they came through a pipe or out of an archive."""
    start: bytes
    """Its first bytes, unpacked, without a byte order mark or blanks before them."""
    encoding: str = "utf-8-sig"
    packing: str = "none"
    """As DuckDB names it: none or gzip; otherwise "other"."""

    @property
    def is_parquet(self) -> bool:
        """Return whether it is Parquet, which opens with its own four letters."""
        return self.start.startswith(b"PAR1")

    def text(self) -> IO[str]:
        """Return its text from the start."""
        return io.TextIOWrapper(_unpacked(self.path), encoding=self.encoding, newline="")


def open_file(path: Path) -> Opened:
    """Return the file at a path, at "-" standard input; raise VotesError where it is none that holds votes."""
    name = "standard input" if path == STDIN else str(path)
    with reading(name):
        if path == STDIN:
            path = _spool(sys.stdin.buffer, name)
        elif not path.exists():
            raise VotesError(f"{name}: no such file; expected votes")
        elif path.is_dir():
            raise VotesError(f"{name}: is a directory; expected votes")
        elif not stat.S_ISREG(path.stat().st_mode):  # a pipe, which can be read once
            with path.open("rb") as pipe:
                path = _spool(pipe, name)
        with path.open("rb") as raw:
            magic = raw.read(6)
        if magic.startswith(_ZIP):
            path = _unzipped(path, name)
        with _unpacked(path) as file:
            start = file.read(_PEEKED)
    if glob.has_magic(str(path)):
        path = _linked(path)
    encoding = next((encoding for mark, encoding in _BOMS if start.startswith(mark)), "utf-8-sig")
    plain = start.decode(encoding, errors="ignore").encode() if encoding == "utf-16" else start
    plain = plain.removeprefix(codecs.BOM_UTF8).lstrip()
    if not plain:
        raise VotesError(f"{name}: the file is empty")
    _refuse(name, plain)
    with path.open("rb") as raw:
        magic = raw.read(6)
    packing = next(("gzip" if key == _GZIP else "other" for key in _PACKED if magic.startswith(key)), "none")
    return Opened(name, path, plain, encoding, packing)


@contextmanager
def reading(name: object) -> Iterator[None]:
    """Turn what can go wrong below the rows into our errors."""
    try:
        yield
    except UnicodeDecodeError as problem:
        byte = problem.object[problem.start]
        raise VotesError(f"{name}: not UTF-8 text (byte 0x{byte:02x}); save it as UTF-8") from None
    except UnicodeError:
        raise VotesError(f"{name}: broken UTF-16 text; save it as UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise VotesError(f"{name}: broken gzip: {problem}") from None
    except (lzma.LZMAError, zipfile.BadZipFile) as problem:
        raise VotesError(f"{name}: broken archive: {problem}") from None
    except RecursionError:
        raise VotesError(f"{name}: JSON nested too deep to be votes") from None
    except (OSError, ValueError) as problem:
        what = problem.strerror if isinstance(problem, OSError) and problem.strerror else problem
        raise VotesError(f"{name}: cannot be read: {what}") from None


def _unpacked(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        magic = file.read(6)
    unpack = next((unpack for key, unpack in _PACKED.items() if magic.startswith(key)), None)
    return unpack(path, "rb") if unpack else path.open("rb")  # type: ignore[operator]


def _refuse(name: str, start: bytes) -> None:
    """Raise VotesError where the first bytes are those of something else."""
    for magic, what in _NAMED:
        if start.startswith(magic):
            raise VotesError(f"{name}: this is {what}")
    if start[:20].lower().startswith(_MARKUP):
        raise VotesError(f"{name}: this is a web page (HTML or XML) and not the file itself; download the raw file")


def _unzipped(path: Path, name: str) -> Path:
    """Return a temporary file with the one file that a zip archive holds."""
    with zipfile.ZipFile(path) as archive:
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        if any(entry.startswith("xl/") for entry in names):
            raise VotesError(f"{name}: this is an Excel workbook; save its sheet as CSV")
        inside = [entry for entry in names if not entry.startswith("__MACOSX/")]
        if len(inside) != 1:
            raise VotesError(f"{name}: the archive holds {len(inside)} files; unpack it and name those with votes")
        try:
            with archive.open(inside[0]) as file:
                return _spool(file, name)
        except RuntimeError as problem:  # encrypted
            raise VotesError(f"{name}: {problem}; unpack it first") from None


def _linked(path: Path) -> Path:
    """Return a temporary link to a file whose own name reads as a pattern of names."""
    folder = tempfile.mkdtemp(prefix="votes-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    link = Path(folder, "file")
    link.symlink_to(path.resolve())
    return link


def _spool(source: IO[bytes], name: str) -> Path:
    """Return a temporary file with all that can be read, which is gone when the process ends."""
    handle, path = tempfile.mkstemp(prefix="votes-")
    atexit.register(lambda: Path(path).unlink(missing_ok=True))
    with os.fdopen(handle, "wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    return Path(path)
