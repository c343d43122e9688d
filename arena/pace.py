"""The pace at which both replies are shown, so that speed does not reveal who is who.

If replies were shown as they are written, a stopwatch would distinguish a fast model from a slow one. So both sides
begin, advance and end at the same moments. How long a battle takes depends on the two contestants and on the two
lengths, which are visible anyway, but not on who is on which side:

- If both contestants are quick, the page waits for both replies, as long as the slower contestant usually takes
  (Speeds). Then both are shown in the same number of steps, each the same share of either reply.
- Otherwise they are shown while they are written: the same number of characters of each at every moment, at the rate of
  the slower contestant. The last characters of each are held back until both can be shown whole, so that the shorter
  one does not end first.
"""

import math
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

PATIENCE = 2.5  # seconds to wait for two whole replies at most
STEP = 4  # characters of the shorter reply per step, if both are complete
HELD = 8  # characters held back, if they are still being written
FASTEST = 400.0  # characters per second; nobody reads faster
LAST_SECONDS = 30.0  # that two complete replies may still take: long ones, or of a contestant that was slow for once
MARGIN = 0.8  # times the rate reached by three of four recent replies, so that writing seldom falls behind
LEAST_TIMED = 24  # a shorter reply says little about a rate
KEPT_REPLIES = 20


@dataclass
class Pace:
    """How much of one battle has been shown. rate is in characters per second.

    wait: seconds after which two complete replies are shown; None to show them while they are written.
    """

    rate: float
    wait: float | None = None
    characters: float = 0.0  # of the longer side
    elapsed: float = 0.0
    rush: float = 0.0  # the least rate from the moment on when both are complete
    is_whole: bool = False  # both replies were complete before anything was shown
    lengths: dict[str, int] = field(default_factory=dict)  # of the replies that have ended

    def advance(self, seconds: float, written: Mapping[str, int], ended: Iterable[str]) -> None:
        """Let time pass: written is each side's number of characters so far, ended holds the complete sides."""
        self.elapsed += seconds
        self.lengths = {side: written[side] for side in ended}
        if self.characters == 0 and self.wait is not None:
            self.is_whole = len(self.lengths) == len(written)
            if self.elapsed < (self.wait if self.is_whole else max(PATIENCE, self.wait)):
                return
        reach = [max(0, count - HELD) for side, count in written.items() if side not in self.lengths]
        if 0 in reach:  # neither side begins alone
            return
        if len(self.lengths) == len(written) and not self.rush:
            self.rush = (max(self.lengths.values()) - self.characters) / LAST_SECONDS
        rate = max(self.rate, self.rush, FASTEST if self.is_whole else 0.0)
        self.characters = min(self.characters + rate * seconds, *reach, math.inf)

    def shown(self, side: str) -> int:
        """Return how many characters of a side may be shown while the replies are written."""
        characters = int(min(self.characters, sys.maxsize))
        length = self.lengths.get(side)
        if self.is_whole and length:
            steps = max(1, min(n for n in self.lengths.values() if n) // STEP)
            share = min(1.0, self.characters / max(self.lengths.values()))
            return length * int(share * steps) // steps
        return characters if length is None else min(characters, max(min(1, length), length // 2, length - HELD))

    @property
    def is_done(self) -> bool:
        """Return whether both sides have ended and the longer one has been shown."""
        return len(self.lengths) == 2 and self.characters >= max(1, *self.lengths.values())


class _Timed(NamedTuple):
    rate: float | None  # characters per second; None if the reply is too short to measure
    seconds: float  # from the request to the end


class Speeds:
    """How fast each contestant has been writing lately."""

    def __init__(self) -> None:
        self._timed: dict[str, deque[_Timed]] = {}

    def learn(self, name: str, characters: int, seconds: float, first_seconds: float) -> None:
        """Record a reply: its length, its seconds from request to end, and those before the first token."""
        rate = characters / max(seconds - first_seconds, 1e-3) if characters >= LEAST_TIMED else None
        self._timed.setdefault(name, deque(maxlen=KEPT_REPLIES)).append(_Timed(rate, seconds))

    def pace(self, names: Iterable[str]) -> Pace:
        """Return the pace of a battle between these contestants, with nothing shown yet."""
        chosen = list(names)
        return Pace(self._rate(chosen), self._wait(chosen))

    def _rate(self, names: list[str]) -> float:
        """Return the slower one's characters per second; one that was never timed counts as the slowest known."""
        rates = {name: [each.rate for each in timed if each.rate] for name, timed in self._timed.items()}
        usual = {name: sorted(kept)[len(kept) // 4] for name, kept in rates.items() if kept}
        unknown = min(usual.values(), default=FASTEST / MARGIN)
        return min(FASTEST, MARGIN * min(usual.get(name, unknown) for name in names))

    def _wait(self, names: list[str]) -> float | None:
        """Return the seconds that the slower one needs for nine of ten replies; None if that is too long to wait.

        One that was never timed counts as quick, until its first battle.
        """
        usual = {name: sorted(t.seconds for t in timed)[9 * len(timed) // 10] for name, timed in self._timed.items()}
        wait = max(usual.get(name, 0.0) for name in names)
        return wait if wait <= PATIENCE else None
