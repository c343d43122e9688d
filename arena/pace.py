"""The pace at which both replies are shown, so that speed does not tell who is who.

A stopwatch on replies that are shown as they come tells the faster model from the slower one, battle after battle. So
both sides begin, advance and end at the same moments, and how long a battle takes depends on who fights and on the two
lengths, which can be read anyway, but not on who stands where:

- Where both contestants are quick, both replies are waited for, as long as the slower of the two usually takes on
  either side (Speeds). Then both are shown in the same number of steps, each step the same share of either reply.
- Others are shown while they are written: the same number of letters of each at every moment, at the rate of the slower
  contestant, as if that one had written both. The last letters of each are held back until both can be shown whole, so
  that the shorter one does not end first.
"""

import math
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

PATIENCE = 2.5  # seconds that are waited for two whole replies at most
STEP = 4  # letters of the shorter reply, where both are there
HELD = 8  # letters, where they are still being written
FASTEST = 400.0  # letters per second; beyond that nobody can read along anyway
MARGIN = 0.8  # of the rate that a contestant lately kept three times out of four, so that writing seldom falls behind
TELLING_LETTERS = 24  # a shorter reply says little about a rate
KEPT_REPLIES = 20


@dataclass
class Pace:
    """How far one battle has been shown. rate is in letters per second.

    wait: seconds until two replies that are whole by then are shown; None to show them while they are written.
    """

    rate: float
    wait: float | None = None
    letters: float = 0.0  # of the longer side
    elapsed: float = 0.0
    is_whole: bool = False  # both replies were there before anything was shown
    lengths: dict[str, int] = field(default_factory=dict)  # of the replies that have ended

    def advance(self, seconds: float, written: Mapping[str, int], ended: Iterable[str]) -> None:
        """Let time pass: written is the number of letters of each side so far, ended names the sides that are whole."""
        self.elapsed += seconds
        self.lengths = {side: written[side] for side in ended}
        if self.letters == 0 and self.wait is not None:
            self.is_whole = len(self.lengths) == len(written)
            if self.elapsed < (self.wait if self.is_whole else max(PATIENCE, self.wait)):
                return
        reach = [max(0, count - HELD) for side, count in written.items() if side not in self.lengths]
        if 0 in reach:  # nobody begins alone
            return
        rate = max(self.rate, FASTEST) if self.is_whole else self.rate
        self.letters = min(self.letters + rate * seconds, *reach, math.inf)

    def shown(self, side: str) -> int:
        """Return how many letters of a side may be shown while the battle runs."""
        letters = int(min(self.letters, sys.maxsize))
        length = self.lengths.get(side)
        if self.is_whole and length:
            steps = max(1, min(n for n in self.lengths.values() if n) // STEP)
            share = min(1.0, self.letters / max(self.lengths.values()))
            return length * int(share * steps) // steps
        return letters if length is None else min(letters, max(min(1, length), length // 2, length - HELD))

    @property
    def is_done(self) -> bool:
        """Say whether both sides have ended and the longer one has had its time."""
        return len(self.lengths) == 2 and self.letters >= max(1, *self.lengths.values())


class _Timed(NamedTuple):
    rate: float | None  # letters per second, of a reply that is long enough to tell
    seconds: float  # from the request to the end


class Speeds:
    """How fast each contestant has written lately."""

    def __init__(self) -> None:
        self._timed: dict[str, deque[_Timed]] = {}

    def learn(self, name: str, letters: int, seconds: float, first_seconds: float) -> None:
        """Take a reply's length, its time from request to end and the part of it before the first token."""
        rate = letters / max(seconds - first_seconds, 1e-3) if letters >= TELLING_LETTERS else None
        self._timed.setdefault(name, deque(maxlen=KEPT_REPLIES)).append(_Timed(rate, seconds))

    def pace(self, names: Iterable[str]) -> Pace:
        """Return how a battle between these begins to be shown."""
        chosen = list(names)
        return Pace(self._rate(chosen), self._wait(chosen))

    def _rate(self, names: list[str]) -> float:
        """Return the slower one's letters per second; one that was never timed is as slow as the slowest that was."""
        rates = {name: [each.rate for each in timed if each.rate] for name, timed in self._timed.items()}
        usual = {name: sorted(kept)[len(kept) // 4] for name, kept in rates.items() if kept}
        unknown = min(usual.values(), default=FASTEST / MARGIN)
        return min(FASTEST, MARGIN * min(usual.get(name, unknown) for name in names))

    def _wait(self, names: list[str]) -> float | None:
        """Return how long the slower one takes for a reply, nine times out of ten; None where that is too long.

        One that was never timed is taken to be quick: its first battle shows how quick.
        """
        usual = {name: sorted(t.seconds for t in timed)[9 * len(timed) // 10] for name, timed in self._timed.items()}
        wait = max(usual.get(name, 0.0) for name in names)
        return wait if wait <= PATIENCE else None
