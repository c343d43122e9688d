"""The hash that identifies weights, in stage.json (to name a checkpoint's parent) and in the record of a reply."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

BLOCK = 1 << 20  # bytes read at once


def hash_weights(folder: Path) -> str | None:
    """Return the hash of a folder's safetensors files in the order of their names, None if there are none."""
    files = sorted(folder.glob("*.safetensors"))
    return hash_files(files) if files else None


def hash_files(files: Iterable[Path]) -> str:
    """Return the SHA-256 of files' concatenated contents, as "sha256:" and hexadecimal digits."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
    return "sha256:" + digest.hexdigest()
