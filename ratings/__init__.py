"""Votes to numbers: who is ahead, by how much, and how sure that is.

The folders are in the order of the data: votes, ledger, fit, intervals, board, analysis, report. The names below are
the way in from Python (docs/python.md); each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ratings.api.board import Board, rate
    from ratings.api.exports import Export, export_pairs
    from ratings.api.pairs import ModelComparison, compare_models, next_battles
    from ratings.api.vote_set import VoteSet, read_votes
    from ratings.errors import (
        ExportError,
        NotConvergedError,
        NoVotesError,
        OutputError,
        RatingsError,
        SettingsError,
        TooFewClustersError,
        TooFewModelsError,
        UnknownOutcomeError,
        VotesError,
    )
    from ratings.fit.elo import Ticker
    from ratings.outcomes import Outcome

__all__ = [
    "Board",
    "Export",
    "ExportError",
    "ModelComparison",
    "NoVotesError",
    "NotConvergedError",
    "Outcome",
    "OutputError",
    "RatingsError",
    "SettingsError",
    "Ticker",
    "TooFewClustersError",
    "TooFewModelsError",
    "UnknownOutcomeError",
    "VoteSet",
    "VotesError",
    "compare_models",
    "export_pairs",
    "next_battles",
    "rate",
    "read_votes",
]

_HOMES = (
    "ratings.errors",
    "ratings.outcomes",
    "ratings.api.vote_set",
    "ratings.api.board",
    "ratings.api.pairs",
    "ratings.api.exports",
    "ratings.fit.elo",
)
"""Where these names are defined, the quickest to import first."""


def __getattr__(name: str) -> Any:
    """Return a public name from the module that defines it (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return next(vars(home)[name] for home in map(import_module, _HOMES) if name in vars(home))


def __dir__() -> list[str]:
    """Return the public names beside those of any module."""
    return sorted({*globals(), *__all__})
