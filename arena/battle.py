r"""One battle as a state machine, without Gradio, SQL or torch.

    GENERATING --both replies end--> READY --vote is stored--> VOTED
        \--a reply fails or times out--> VOID <--the visitor skips it-- READY

Only VOTED tells who stood where; everything else about the contestants is private to the server.
"""

import secrets
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from arena.backends import Reply
from arena.matchmaking import Draw
from ratings.outcomes import Outcome

Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")


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

    texts holds what may be shown of each reply so far; replies holds the final records. draw (who is who) must not
    reach the page before the vote: read it through reveal().
    """

    visitor: str
    prompt: str
    draw: Draw
    category: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    state: State = State.GENERATING
    texts: dict[Side, str] = field(default_factory=lambda: {"a": "", "b": ""})
    replies: dict[Side, Reply] = field(default_factory=dict)
    outcome: Outcome | None = None
    void_reason: str = ""

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


REFUSALS = {
    State.GENERATING: "The replies are still being written: vote when both have ended.",
    State.READY: "Vote first: the names are shown after it.",
    State.VOTED: "This battle has its vote already: start a new one.",
    State.VOID: "This battle is void, so it takes no vote: start a new one.",
}
