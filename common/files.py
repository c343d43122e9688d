"""Files written under a temporary name and renamed, so that no reader ever sees half of one."""

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path


def write_files(folder: Path, texts: Mapping[str, str | bytes | Iterable[bytes]], *, mode: int = 0o644) -> list[Path]:
    """Write each text, or bytes, or lines of them, to its name in `folder`, which is made if needed; return the paths.

    All of them are on disk before the first is renamed, so a full disk leaves the earlier files as they were.

    Raises:
        OSError: the folder cannot be written.
    """
    written: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            handle, aside = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
            written.append((Path(aside), folder / name))
            with open(handle, "wb") as file:
                whole = text.encode() if isinstance(text, str) else text
                file.writelines([whole] if isinstance(whole, bytes) else whole)
            os.chmod(aside, mode)  # mkstemp's files are private to their owner
        for source, target in written:
            os.replace(source, target)
    finally:
        for source, _ in written:
            source.unlink(missing_ok=True)
    return [target for _, target in written]


def write_file(path: Path, text: str | bytes, *, mode: int = 0o644) -> Path:
    """Write one file, as write_files does."""
    return write_files(path.parent, {path.name: text}, mode=mode)[0]
