"""Rows to train on, written from votes that hold their texts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ratings.api.vote_set import is_ledger


@dataclass(frozen=True, repr=False)
class Export:
    """What became of votes, as `export_pairs` returns it; prints as ``python -m ratings.export`` tells it."""

    files: dict[Path, int]
    """The files written, with the number of rows of each."""
    left_out: dict[str, int]
    """Votes that gave no row, by reason."""
    text: str

    def __repr__(self) -> str:
        """Return what ``python -m ratings.export`` prints."""
        return self.text


def export_pairs(
    votes: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    format: Literal["trl", "kto"] = "trl",
    test_share: float = 0.2,
    round: int = 1,
    columns: Mapping[str, str] | None = None,
    outcomes: Mapping[str, str] | str | None = None,
    **which: Any,
) -> Export:
    """Write preference pairs, or rows for KTO, of a ledger or of a file of votes with texts into the folder `out`.

    The options are those of ``python -m ratings.export``, and those that say `which` votes count are the keywords of
    `rate`; `columns` and `outcomes` are those of `read_votes`. Raises
    VotesError, UnknownOutcomeError, ExportError where there is nothing to write, and SettingsError.
    """
    from ratings.errors import SettingsError
    from ratings.export import export, ledger_votes
    from ratings.files.naming import naming_of
    from ratings.pairs.file_votes import read_text_votes
    from ratings.pairs.rows import FORMATS
    from ratings.which import NAMES, which_of

    if format not in FORMATS:
        raise SettingsError(f"format is {format!r}; choose from {', '.join(FORMATS)}")
    if unknown := which.keys() - set(NAMES):
        raise SettingsError(f"{min(unknown)!r} chooses no votes; there are {', '.join(NAMES)}")
    path, naming = Path(votes), naming_of(columns or {}, outcomes or {})
    chosen = which_of(dict.fromkeys(NAMES) | {"min_votes": 0, "dedup": False} | which)
    rows = ledger_votes(path, chosen) if is_ledger(path) else read_text_votes([path], naming, chosen)
    done = export(rows, str(path), Path(out), format, test_share, round)
    return Export({file.path: file.rows for file in done.files}, dict(done.no_rows), str(done))
