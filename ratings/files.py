"""Files written aside and renamed, so that no reader ever meets half of one."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ratings.errors import OutputError


def write_files(folder: Path, texts: Mapping[str, str | bytes]) -> list[Path]:
    """Write each text, or picture, to its name in `folder`, which is made if needed; return the paths.

    All texts are on disk before the first is renamed, so a full disk leaves the earlier files as
    they were. Raises OutputError where the folder cannot be written.
    """
    written: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            handle, aside = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
            written.append((Path(aside), folder / name))
            with open(handle, "wb") as file:
                file.write(text.encode() if isinstance(text, str) else text)
            os.chmod(aside, 0o644)  # mkstemp's files are private to their owner
        for source, target in written:
            os.replace(source, target)
    except OSError as problem:
        raise OutputError(f"{folder}: cannot be written: {problem.strerror}") from None
    finally:
        for source, _ in written:
            source.unlink(missing_ok=True)
    return [target for _, target in written]
