"""The one enum of outcomes, and every spelling the ecosystem uses for them.

Strings become an `Outcome` here, at the edge, and nowhere else. A spelling that is not listed is an
error and never a tie: in other tools an unmapped `tie (bothbad)` has turned ratings into NaN, and a
missing winner has counted as half a win for both.

The orientation is the battle's own: A is the side shown to the voter as A. Whoever swaps the sides
swaps the outcome too, with `flip`.
"""

from enum import Enum
from typing import Literal, NamedTuple, get_args

from ratings.errors import SettingsError, UnknownOutcomeError

BothBad = Literal["tie", "drop", "loss-to-the-field"]
"""How a "both are bad" vote enters a rating: as a tie, not at all, or as a loss of both models.

Each then loses to an opponent at the mean strength of the rated models; see both_bad.py."""

Ties = Literal["half", "drop", "davidson"]
"""How a tie enters a rating: as half a win each, not at all, or by Davidson's tie parameter."""


class Outcome(Enum):
    """What a voter decided about a battle; the value is the spelling the ledger stores."""

    A_WINS = "model_a"
    B_WINS = "model_b"
    TIE = "tie"
    BOTH_BAD = "both_bad"

    @property
    def code(self) -> int:
        """Return the position in this enum, from 0: the column in arrays of counts."""
        return _CODES[self]

    @property
    def share(self) -> float | None:
        """Return side A's share of the win; None where the vote names neither a winner nor a tie (see BothBad)."""
        return _TABLE[self].share

    @property
    def is_tie(self) -> bool:
        """Return whether the vote calls both replies equally good."""
        return _TABLE[self].is_tie

    @property
    def column(self) -> str:
        """Return the name of the ledger's column that counts such votes."""
        return _TABLE[self].column

    def flip(self) -> "Outcome":
        """Return the outcome of the same vote with the sides swapped."""
        return _TABLE[self].swapped


class _Facts(NamedTuple):
    share: float | None
    is_tie: bool
    swapped: Outcome
    column: str
    spellings: tuple[str, ...]  # beside the ledger's


_TABLE = {
    Outcome.A_WINS: _Facts(
        1.0, False, Outcome.B_WINS, "a_wins", ("leftvote", "left", "winner_model_a", "a", "1", "1.0")
    ),
    Outcome.B_WINS: _Facts(
        0.0, False, Outcome.A_WINS, "b_wins", ("rightvote", "right", "winner_model_b", "b", "0", "0.0")
    ),
    Outcome.TIE: _Facts(0.5, True, Outcome.TIE, "ties", ("tievote", "winner_tie", "draw", "0.5")),
    Outcome.BOTH_BAD: _Facts(None, False, Outcome.BOTH_BAD, "both_bad", ("bothbad", "bothbad_vote", "tie (bothbad)")),
}

OUTCOMES: tuple[Outcome, ...] = tuple(Outcome)

_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}

SPELLINGS = {text: outcome for outcome in OUTCOMES for text in (outcome.value, *_TABLE[outcome].spellings)}


def parse_outcome(text: str) -> Outcome:
    """Return the outcome that `text` spells, in any case; raise UnknownOutcomeError for anything else.

    Numbers are side A's share of the win: 1, 0 and 0.5.
    """
    try:
        return SPELLINGS[text.lower()]
    except (KeyError, AttributeError):
        raise UnknownOutcomeError(text) from None


def score(outcome: Outcome, both_bad: BothBad) -> float | None:
    """Return side A's share of the win: 1, 0 or 1/2, or None where the vote is dropped.

    Raises SettingsError for "loss-to-the-field": both sides lose, so there is no win to share.
    """
    check_both_bad(both_bad)
    if both_bad == "loss-to-the-field":
        raise SettingsError(
            "a both-bad vote lost to the field has no winner, so nothing that shares out a win, "
            "such as online Elo, can use it; choose tie or drop"
        )
    if outcome.share is None:
        return None if both_bad == "drop" else 0.5
    return outcome.share


def check_both_bad(both_bad: str) -> None:
    """Raise SettingsError unless `both_bad` names a known treatment."""
    if both_bad not in get_args(BothBad):
        raise SettingsError(f"both_bad is {both_bad!r}; choose one of {', '.join(get_args(BothBad))}")


def check_ties(ties: str) -> None:
    """Raise SettingsError unless `ties` names a known treatment."""
    if ties not in get_args(Ties):
        raise SettingsError(f"ties is {ties!r}; choose one of {', '.join(get_args(Ties))}")
