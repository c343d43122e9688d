r"""One battle as a state machine, without Gradio, SQL or torch.

    GENERATING --both replies have ended and are shown--> READY --vote is stored--> VOTED
        \--a reply fails, or both are the same--> VOID <--skipped, or left for a new prompt-- READY
    READY --one more prompt--> GENERATING

Only in VOTED are the contestants named; until then they are known to the server alone.
"""

import secrets
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from arena.backends.base import Reply
from arena.pace import FASTEST, Pace
from arena.pairing import Draw
from common.conversation import Conversation
from ratings.outcomes import Outcome

Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")
SAME_REPLIES = "both replies are the same"
LEFT = "left for a new prompt"
SKIPPED = "skipped by the visitor"
RESTARTED = "the server restarted"
NOT_LOST = (SAME_REPLIES, LEFT, SKIPPED)  # reasons for a void battle that the visitor has seen or caused
VOTED_BEFORE = "the voter had voted on this prompt before"
VOTER_LEFT_OUT = "the voter is left out"
BATTLE_ID_LENGTH = 32


class State(Enum):
    """The state of a battle; the values are those in the ledger."""

    GENERATING = "generating"
    READY = "ready"
    VOTED = "voted"
    VOID = "void"


class BattleError(Exception):
    """An action that a battle's state does not allow; the text may be shown to the visitor."""


@dataclass(frozen=True)
class Turn:
    """A prompt and both replies to it."""

    prompt: str
    replies: dict[Side, Reply]


@dataclass
class Battle:
    """A battle between two contestants, seen by one visitor.

    prompt is what was asked last, earlier the turns before it. texts holds each reply to it so far, of which shown()
    may be shown; replies holds the final records. draw (who is who) must not reach the page before the vote: use
    reveal(). flag is the reason why a vote on it is kept but not counted, "" if it counts.
    """

    visitor: str
    prompt: str
    draw: Draw
    category: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(BATTLE_ID_LENGTH // 2))
    state: State = State.GENERATING
    texts: dict[Side, str] = field(default_factory=lambda: {"a": "", "b": ""})
    replies: dict[Side, Reply] = field(default_factory=dict)
    outcome: Outcome | None = None
    void_reason: str = ""
    flag: str = ""
    pace: Pace = field(default_factory=lambda: Pace(FASTEST))
    earlier: list[Turn] = field(default_factory=list)

    @property
    def first_prompt(self) -> str:
        """Return the prompt that began it."""
        return self.earlier[0].prompt if self.earlier else self.prompt

    def conversation(self, side: Side, system: str = "") -> Conversation:
        """Return what the contestant on a side is asked now: the turns before with its own replies, and the prompt."""
        prompts = [*(turn.prompt for turn in self.earlier), self.prompt]
        return Conversation.of(prompts, [turn.replies[side].text for turn in self.earlier], system)

    def go_on(self, prompt: str, pace: Pace | None = None) -> None:
        """Ask both contestants one more thing, in view of their own replies.

        Raises:
            BattleError: the replies are still being written, or the battle has ended.
        """
        self._require(State.READY)
        self.earlier.append(Turn(self.prompt, self.replies))
        self.prompt, self.texts, self.replies = prompt, {"a": "", "b": ""}, {}
        self.pace = pace or Pace(FASTEST)
        self.state = State.GENERATING

    def contestant(self, side: Side) -> str:
        """Return the contestant on a side; for the server only."""
        return self.draw.a if side == "a" else self.draw.b

    def extend(self, side: Side, delta: str) -> None:
        """Add text to a side's growing reply."""
        self._require(State.GENERATING)
        self.texts[side] += delta

    def finish(self, side: Side, reply: Reply) -> None:
        """Record a side's final reply; its text replaces what was streamed."""
        self._require(State.GENERATING)
        self.texts[side] = reply.text
        self.replies[side] = reply

    def advance(self, seconds: float) -> None:
        """Advance what is shown of the replies by so many seconds."""
        self._require(State.GENERATING)
        self.pace.advance(seconds, {side: len(self.texts[side]) for side in SIDES}, self.replies)

    def shown(self, side: Side) -> str:
        """Return what may be shown of a side: both sides keep one pace until both are complete."""
        text = self.texts[side]
        return text[: self.pace.shown(side)] if self.state is State.GENERATING else text

    @property
    def has_same_replies(self) -> bool:
        """Return whether both have replied, and in every turn the same up to spacing, so that neither is better."""
        turns = [*(turn.replies for turn in self.earlier), self.replies]
        is_over = len(self.replies) == len(SIDES)
        return is_over and all(turn["a"].text.split() == turn["b"].text.split() for turn in turns)

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
        """End a battle without a vote; one that has ended stays as it is."""
        if self.state in (State.GENERATING, State.READY):
            self.state, self.void_reason = State.VOID, reason

    def require_votable(self, visitor: str) -> None:
        """Require that this visitor may vote now: it is their battle, both replies have ended, and it has no vote yet.

        Raises:
            BattleError: the battle is another visitor's, is still being written, is void, or has its vote.
        """
        if visitor != self.visitor:
            raise BattleError("This battle belongs to another visitor.")
        self._require(State.READY)

    def record_vote(self, outcome: Outcome) -> None:
        """Set the outcome, once it is stored."""
        self._require(State.READY)
        self.state, self.outcome = State.VOTED, outcome

    def reveal(self) -> tuple[str, str]:
        """Return the contestants on side a and side b.

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
