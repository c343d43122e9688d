r"""One battle as a state machine, without Gradio, SQL or torch.

    GENERATING --both replies have ended and are shown--> READY --vote is stored--> VOTED
        \--a reply fails, or both are the same--> VOID <--skipped, or left for a new prompt-- READY

Only VOTED tells who stood where; everything else about the contestants is private to the server.
"""

import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from arena.backends.base import Reply
from arena.pace import FASTEST, Pace
from arena.pairing import Draw
from ratings.outcomes import Outcome

Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")
SAME_REPLIES = "both replies are the same"
LEFT = "left for a new prompt"
SKIPPED = "skipped by the visitor"
RESTARTED = "the server restarted"
NOT_LOST = (SAME_REPLIES, LEFT, SKIPPED)  # why a battle is void that the visitor knows of
VOTED_BEFORE = "the voter had voted on this prompt before"
VOTER_LEFT_OUT = "the voter is left out"
BATTLE_ID_LETTERS = 32


class State(Enum):
    """Where a battle stands; the values are what the ledger stores."""

    GENERATING = "generating"
    READY = "ready"
    VOTED = "voted"
    VOID = "void"


class BattleError(Exception):
    """Something a battle's state does not allow; the text may be shown to the visitor."""


@dataclass
class Battle:
    """A battle between two contestants on one prompt, seen by one visitor.

    texts holds what was written of each reply so far, of which shown() may be shown; replies holds the final records.
    draw (who is who) must not reach the page before the vote: read it through reveal(). flag says why a vote on it is
    kept but not counted, "" where it counts.
    """

    visitor: str
    prompt: str
    draw: Draw
    category: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(BATTLE_ID_LETTERS // 2))
    state: State = State.GENERATING
    texts: dict[Side, str] = field(default_factory=lambda: {"a": "", "b": ""})
    replies: dict[Side, Reply] = field(default_factory=dict)
    outcome: Outcome | None = None
    void_reason: str = ""
    flag: str = ""
    pace: Pace = field(default_factory=lambda: Pace(FASTEST))

    def contestant(self, side: Side) -> str:
        """Return who stands on a side; for the server only."""
        return self.draw.a if side == "a" else self.draw.b

    def extend(self, side: Side, delta: str) -> None:
        """Add text to a side's growing reply."""
        self._require(State.GENERATING)
        self.texts[side] += delta

    def finish(self, side: Side, reply: Reply) -> None:
        """Take a side's final record; its text replaces what was streamed."""
        self._require(State.GENERATING)
        self.texts[side] = reply.text
        self.replies[side] = reply

    def advance(self, seconds: float) -> None:
        """Let time pass for what is shown of the replies."""
        self._require(State.GENERATING)
        self.pace.advance(seconds, {side: len(self.texts[side]) for side in SIDES}, self.replies)

    def shown(self, side: Side) -> str:
        """Return what may be shown of a side: both sides are held to one pace until both are whole."""
        text = self.texts[side]
        return text[: self.pace.shown(side)] if self.state is State.GENERATING else text

    @property
    def has_same_replies(self) -> bool:
        """Say whether both replies have ended and nobody could prefer one: they differ at most in spacing."""
        return len(self.replies) == len(SIDES) and self.texts["a"].split() == self.texts["b"].split()

    def make_ready(self) -> None:
        """Open the vote.

        Raises:
            BattleError: a reply has not ended yet, or the battle is not generating.
        """
        self._require(State.GENERATING)
        if len(self.replies) < len(SIDES):
            raise BattleError("Both replies must end before the vote.")
        self.state = State.READY

    def make_void(self, reason: str) -> None:
        """End a battle without a vote; nothing happens to one that has ended."""
        if self.state in (State.GENERATING, State.READY):
            self.state, self.void_reason = State.VOID, reason

    def require_votable(self, visitor: str) -> None:
        """Let a vote through only from the visitor whose battle it is, once, after both replies.

        Raises:
            BattleError: the battle is another visitor's, still runs, is void, or has its vote.
        """
        if visitor != self.visitor:
            raise BattleError("This battle belongs to another visitor.")
        self._require(State.READY)

    def record_vote(self, outcome: Outcome) -> None:
        """Take the outcome, after it was stored."""
        self._require(State.READY)
        self.state, self.outcome = State.VOTED, outcome

    def reveal(self) -> tuple[str, str]:
        """Return who stood on side a and on side b.

        Raises:
            BattleError: the vote is not stored yet.
        """
        self._require(State.VOTED)
        return self.draw.a, self.draw.b

    def _require(self, state: State) -> None:
        if self.state is not state:
            raise BattleError(REFUSALS[self.state])


def prompt_key(prompt: str) -> str:
    """Return what two prompts share that ask the same: case, spacing and marks at the end make no other prompt."""
    words = " ".join(unicodedata.normalize("NFKC", prompt).casefold().split())
    return re.sub(r"[\s.?!]+$", "", words) or words


REFUSALS = {
    State.GENERATING: "The replies are still being written: vote when both have ended.",
    State.READY: "Vote first: the names are shown after it.",
    State.VOTED: "This battle has its vote already: start a new one.",
    State.VOID: "This battle is void, so it takes no vote: start a new one.",
}
