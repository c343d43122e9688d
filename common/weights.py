"""The hash by which weights are known: to stage.json, which names a checkpoint's parent, and to a reply's record."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

BLOCK = 1 << 20  # bytes read at once


def hash_weights(folder: Path) -> str | None:
    """Return the hash of a folder's safetensors files in the order of their names, None where there are none."""
    files = sorted(folder.glob("*.safetensors"))
    return hash_files(files) if files else None


def hash_files(files: Iterable[Path]) -> str:
    """Return the SHA-256 of files' contents, one after the other, as "sha256:" and hexadecimal digits."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
    return "sha256:" + digest.hexdigest()
