"""Where a report comes from: its votes and their SHA-256, the command line and the version.

The hash is of the files as they lie on the disk. What is no file that stays as it is (an arena's ledger, the standard
input, a frame) is identified by the hash of its counts: who met whom how often, with which outcome.
"""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import file_digest, sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ratings.votes.counts import Counts

DISTRIBUTION = "checkpoint-arena"


@dataclass(frozen=True)
class Provenance:
    """What a report was made of and how."""

    source: str
    """The files, as they were named, or what else the votes came from."""
    files: tuple[Path, ...] = ()
    """Those that can be hashed."""
    command: str | None = None
    """The command line; None where it was made from Python."""

    @cached_property
    def hashes(self) -> dict[str, str | None]:
        """Return the SHA-256 of each file, worked out once for all outputs."""
        return {str(path): sha256_of(path) for path in self.files}

    def to_json_dict(self, counts: Counts) -> dict[str, Any]:
        """Return all of it, with the hashes."""
        return {
            "votes": self.source,
            "sha256": self.hashes,
            "sha256_of_counts": counts_sha256(counts),
            "command": self.command,
            "version": version_of_this(),
        }


UNKNOWN = Provenance("not recorded")


def source_of(paths: Sequence[Path]) -> Provenance:
    """Return the provenance of files of votes, named one by one."""
    return Provenance(" ".join(map(str, paths)), tuple(path for path in paths if path.is_file()))


def sha256_of(path: Path) -> str | None:
    """Return the hash of a file, or None where it is not there any more."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def counts_sha256(counts: Counts) -> str:
    """Return the hash of the models, and of how often each pair met with each outcome, in an order of its own."""
    lines = sorted(
        (counts.models[a], counts.models[b], *(round(float(n)) for n in row))
        for (a, b), row in zip(counts.pairs.tolist(), counts.outcomes.tolist(), strict=True)
    )
    return sha256(json.dumps([counts.models, lines]).encode()).hexdigest()


@cache
def version_of_this() -> str:
    """Return the version of this project, installed or in its own folder."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        project = Path(__file__).resolve().parents[2] / "pyproject.toml"
        try:
            return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
        except (OSError, KeyError, tomllib.TOMLDecodeError):
            return "unknown"
