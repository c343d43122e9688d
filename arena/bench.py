"""Contestants that failed are benched for a while, so that a broken one does not void battle after battle.

The pause doubles with every failure in a row; after it the contestant is tried again, and a reply clears its record.
Benched contestants are not drawn, and the probability stored with a battle is that among the others.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

FIRST_PAUSE = 15.0  # seconds
LONGEST_PAUSE = 900.0
MOST_DOUBLINGS = 16  # without a limit, the power would overflow after some days of failures

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Absence:
    """Why a contestant is benched and until when, by the clock of the bench."""

    failures: int
    until: float
    reason: str


class Bench:
    """Which contestants may be drawn. clock returns seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._absent: dict[str, Absence] = {}

    def fail(self, name: str, reason: str) -> None:
        """Bench a contestant; a failure while it is benched changes nothing."""
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
        """Return the contestants that may be drawn now."""
        return [name for name in names if name not in self.absent()]

    def absent(self) -> dict[str, tuple[int, float]]:
        """Return the benched contestants: failures in a row, and the seconds that are left."""
        now = self._clock()
        return {n: (a.failures, a.until - now) for n, a in self._absent.items() if a.until > now}
