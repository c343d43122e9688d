"""The endpoints of one contestant: the less busy of two drawn ones is asked, and one that fails rests for a while.

Power of two choices (Mitzenmacher 2001, IEEE TPDS 12:1094): nearly as even as asking the least busy one of all, and
no rush of everybody to the one that has just come back. Health is passive: what happens to requests tells it. A failure
begins a rest that doubles with each failure in a row; after it one request at a time tries the endpoint (half-open),
until a token arrives.
"""

import asyncio
import random
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from arena.backends.base import BackendError
from arena.backends.openai.client import Endpoint

FIRST_REST = 0.5  # seconds; half to whole of it, by chance, so that those who wait do not come back together
LONGEST_REST = 10.0  # short of the bench's pauses (arena/bench.py), which hold for the contestant
MOST_DOUBLINGS = 10
LOOK_SECONDS = 0.05  # between two looks at an endpoint that one request is trying


@dataclass(eq=False)
class Member:
    """One endpoint: requests that it is writing now, its failures in a row, and until when it rests."""

    endpoint: Endpoint
    in_flight: int = 0
    failures: int = 0
    rests_until: float = float("-inf")
    is_being_tried: bool = False
    trouble: str = ""


@dataclass(frozen=True)
class Turn:
    """One request's use of an endpoint; is_trial: the only one at the moment, since the endpoint has failed before."""

    member: Member
    is_trial: bool


class Pool:
    """Who is asked next. clock returns seconds and never goes back. Use from one event loop."""

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self.members = tuple(Member(endpoint) for endpoint in endpoints)
        self._clock, self._rng = clock, rng or random.Random()

    async def take(self, *, without: Collection[Member] = (), until: float) -> Turn:
        """Return the endpoint to ask, one of the others if any of them is well; wait while all rest.

        Raises:
            BackendError: all rest beyond `until`; names the last trouble.
        """
        while (member := self._draw(without)) is None:
            soonest = min(self.members, key=lambda member: member.rests_until)
            wait = max(soonest.rests_until - self._clock(), LOOK_SECONDS)
            if self._clock() + wait >= until:
                raise BackendError(f"no endpoint is well within sampling.max_seconds; last, {soonest.trouble}")
            await asyncio.sleep(wait)
        member.in_flight += 1
        member.is_being_tried = member.failures > 0
        return Turn(member, is_trial=member.is_being_tried)

    def any_ready(self) -> Member | None:
        """Return an endpoint for a question beside the replies, None while all rest."""
        return self._draw(())

    def rests_for(self, seconds: float) -> str:
        """Return the last trouble, if every endpoint rests for longer than that, "" if one does not."""
        soonest = min(self.members, key=lambda member: member.rests_until)
        return soonest.trouble if soonest.rests_until - self._clock() > seconds else ""

    def is_well(self, turn: Turn) -> None:
        """Note that a token has arrived."""
        member = turn.member
        member.failures, member.is_being_tried, member.rests_until = 0, False, float("-inf")

    def has_failed(self, turn: Turn, reason: str, retry_after: float = 0.0) -> None:
        """Let an endpoint rest, at least as long as it asks for; what fails while it rests does not double the rest."""
        now, member = self._clock(), turn.member
        rest = retry_after
        if now >= member.rests_until:
            longest = min(FIRST_REST * 2 ** min(member.failures, MOST_DOUBLINGS), LONGEST_REST)
            rest = max(rest, longest * self._rng.uniform(0.5, 1))
            member.failures += 1
        member.rests_until = max(member.rests_until, now + rest)
        member.trouble = reason

    def give_back(self, turn: Turn) -> None:
        """Note that a request has ended, however it did."""
        turn.member.in_flight -= 1
        if turn.is_trial:
            turn.member.is_being_tried = False

    def _draw(self, without: Collection[Member]) -> Member | None:
        now = self._clock()
        ready = [m for m in self.members if m.rests_until <= now and not m.is_being_tried]
        ready = [m for m in ready if m not in without] or ready
        drawn = self._rng.sample(ready, min(2, len(ready)))
        return min(drawn, key=lambda member: member.in_flight, default=None)
