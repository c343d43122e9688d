"""What the owner of a file says about it: which column holds what, and what its outcomes mean.

A value that stands in a winner's column is an outcome in one of the known spellings or the name of one of the two
models. Where a file means something else by it, `Naming.outcomes` says what.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ratings.errors import SettingsError, VotesError
from ratings.outcomes import Outcome

ROLES = ("model_a", "model_b", "winner", "voter", "prompt", "time", "id", "probability")
"""What a column can be named for."""


@dataclass(frozen=True)
class Naming:
    """The columns and outcomes of a file, as far as its owner names them."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """The column of each of some of the ROLES."""
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    """What spellings mean in this file."""
    has_names: bool = False
    """Whether a winner's column holds names of models even where a name is also a side's."""

    def __post_init__(self) -> None:
        """Raise SettingsError for a role that is none."""
        for role in self.columns:
            if role not in ROLES:
                raise SettingsError(f"columns: {role!r} is no part of a vote; choose from {', '.join(ROLES)}")

    def check(self, where: object, columns: Collection[str]) -> None:
        """Raise VotesError where a named column is not among the columns of the file."""
        for role, column in self.columns.items():
            if column not in columns:
                raise VotesError(f"{where}: no column {column!r} for {role}; there are {', '.join(columns)}")


def read_naming(columns: str | None, outcomes: str | None) -> Naming:
    """Return what the options --columns and --outcomes say. Raises SettingsError for what cannot be understood.

    They are lists such as "winner=verdict,voter=rater" and "first=model_a,same=tie"; outcomes may be "names".
    """
    meant = outcomes if outcomes == "names" else _pairs("--outcomes", outcomes, "first=model_a,same=tie")
    return naming_of(_pairs("--columns", columns, "winner=verdict"), meant)


def naming_of(columns: Mapping[str, str], outcomes: Mapping[str, str] | str) -> Naming:
    """Return the same of columns by role and outcomes by spelling, or "names"; raises as `read_naming` does."""
    if isinstance(outcomes, str):
        if outcomes != "names":
            raise SettingsError(f"outcomes is {outcomes!r}; give what each spelling means, or names")
        return Naming(columns, has_names=True)
    known = {outcome.value: outcome for outcome in Outcome}
    for spelling, outcome in outcomes.items():
        if outcome not in known:
            raise SettingsError(f"outcomes: {spelling}={outcome}: {outcome!r} is none of {', '.join(sorted(known))}")
    return Naming(columns, {spelling: known[outcome] for spelling, outcome in outcomes.items()})


def _pairs(option: str, text: str | None, example: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in (text or "").split(",") if text is not None else ():
        left, sign, right = (piece.strip() for piece in part.partition("="))
        if not (left and sign and right):
            raise SettingsError(f"{option}: {part!r} is no pair; give such as {example}")
        if left in pairs:
            raise SettingsError(f"{option}: {left!r} stands twice")
        pairs[left] = right
    return pairs
