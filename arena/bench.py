"""Contestants that failed sit on the bench for a while, so that one that is broken does not void battle after battle.

The pause doubles with every failure in a row and ends with a try; a reply that works clears the record. Nobody on the
bench is drawn, and the chance that is stored with a battle is that among those who could be drawn.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

FIRST_PAUSE = 15.0  # seconds
LONGEST_PAUSE = 900.0
MOST_DOUBLINGS = 16  # more would be no number any more after some days of failures

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Absence:
    """Why a contestant is on the bench and until when, on the clock of the bench."""

    failures: int
    until: float
    reason: str


class Bench:
    """Which contestants may be drawn. clock is in seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._absent: dict[str, Absence] = {}

    def fail(self, name: str, reason: str) -> None:
        """Put a contestant on the bench, or, when it fails while it sits there, leave it at that."""
        before = self._absent.get(name)
        if before and before.until > self._clock():
            return
        failures = 1 + (before.failures if before else 0)
        pause = min(FIRST_PAUSE * 2 ** min(failures - 1, MOST_DOUBLINGS), LONGEST_PAUSE)
        self._absent[name] = Absence(failures, self._clock() + pause, reason)
        log.warning("%s is not drawn for %.0f s (failure %d in a row): %s", name, pause, failures, reason)

    def succeed(self, name: str) -> None:
        """Forget the failures of a contestant that has just written a reply."""
        if self._absent.pop(name, None):
            log.warning("%s writes again", name)

    def clear(self) -> None:
        """Forget everybody's failures."""
        self._absent.clear()

    def available(self, names: Iterable[str]) -> list[str]:
        """Return those who may be drawn now."""
        return [name for name in names if name not in self.absent()]

    def absent(self) -> dict[str, tuple[int, float]]:
        """Return who sits on the bench: failures in a row, and the seconds that are left."""
        now = self._clock()
        return {n: (a.failures, a.until - now) for n, a in self._absent.items() if a.until > now}
