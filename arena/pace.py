"""The pace at which both replies are shown, so that speed does not tell who is who.

Both sides show the same number of letters at every moment, begin at the same moment and end at the same moment. The
number grows at the rate of the slower of the two contestants (Speeds, from their own earlier replies), whichever side
it stands on: a battle takes as long as if the slower one had written both replies. So the times of a stream depend on
the two lengths, which can be read anyway, and on who fights, but not on who stands where. Were the faster reply shown
as it comes, or the longer one at its own speed once the shorter has ended, a stopwatch would tell the sides apart.

The last letters of each side are held back until both can be shown whole, so that the shorter one does not end first.
"""

import sys
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

HELD = 8  # letters
FASTEST = 400.0  # letters per second; beyond that nobody can read along anyway
MARGIN = 0.8  # of the rate that a contestant lately kept three times out of four, so that writing seldom falls behind
TELLING_LETTERS = 24  # a shorter reply says little about a rate
KEPT_RATES = 20


@dataclass
class Pace:
    """How far one battle has been shown. rate is in letters per second."""

    rate: float
    letters: float = 0.0
    lengths: dict[str, int] = field(default_factory=dict)  # of the replies that have ended

    def advance(self, seconds: float, written: Mapping[str, int], ended: Iterable[str]) -> None:
        """Let time pass: written is the number of letters of each side so far, ended names the sides that are whole."""
        self.lengths = {side: written[side] for side in ended}
        reach = [max(0, count - HELD) for side, count in written.items() if side not in self.lengths]
        if 0 in reach:  # nobody begins alone
            return
        self.letters = min(self.letters + self.rate * seconds, *reach, float("inf"))

    def shown(self, side: str) -> int:
        """Return how many letters of a side may be shown while the battle runs."""
        letters = int(min(self.letters, sys.maxsize))
        if side not in self.lengths:
            return letters
        length = self.lengths[side]
        return min(letters, max(min(1, length), length // 2, length - HELD))

    @property
    def is_done(self) -> bool:
        """Say whether both sides have ended and the longer one has had its time."""
        return len(self.lengths) == 2 and self.letters >= max(self.lengths.values())


class Speeds:
    """How fast each contestant has written lately."""

    def __init__(self) -> None:
        self._rates: dict[str, deque[float]] = {}

    def learn(self, name: str, letters: int, seconds: float, first_seconds: float) -> None:
        """Take a reply's length, its time from request to end and the part of it before the first token."""
        if letters >= TELLING_LETTERS:
            rate = letters / max(seconds - first_seconds, 1e-3)
            self._rates.setdefault(name, deque(maxlen=KEPT_RATES)).append(rate)

    def rate(self, names: Iterable[str]) -> float:
        """Return letters per second for a battle between these: the slower one's, at most FASTEST.

        A contestant that was never timed is taken to be as slow as the slowest that was.
        """
        usual = {name: sorted(rates)[len(rates) // 4] for name, rates in self._rates.items()}
        unknown = min(usual.values(), default=FASTEST / MARGIN)
        return min(FASTEST, MARGIN * min(usual.get(name, unknown) for name in names))
