"""How often one visitor, and one network address, may start a battle; every vote needs a battle of its own.

A visitor is a cookie, which is easily deleted, so addresses are limited as well, to what a classroom behind one address
needs. Addresses are kept in memory only, for as long as the longest window.
"""

import ipaddress
import math
import time
from dataclasses import dataclass

from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

VISITOR = "15/minute; 300/hour"
ADDRESS = "200/minute; 2000/hour"
SWEEP_SECONDS = 60.0


@dataclass(eq=False)  # not frozen: Python itself writes to an exception on its way
class TooMany(Exception):
    """A limit is reached. seconds: until there is room again; whose: "visitor" or "address"."""

    whose: str
    seconds: int


class Limits:
    """The buckets of every visitor and address; use from one thread."""

    def __init__(self, visitor: str = VISITOR, address: str = ADDRESS) -> None:
        """Take limits such as "15/minute; 300/hour".

        Raises:
            ValueError: not in this form, or a limit of zero.
        """
        self._rates = {"visitor": parse_many(visitor), "address": parse_many(address)}
        if any(rate.amount < 1 for rates in self._rates.values() for rate in rates):
            raise ValueError("a limit of zero would refuse every battle")
        self._kept = MemoryStorage()
        self._window = MovingWindowRateLimiter(self._kept)
        self._swept = 0.0

    def take(self, visitor: str, address: str) -> None:
        """Count one battle, unless a limit is reached. An empty address has no limit.

        Raises:
            TooMany: the visitor's or the address's limit is reached; nothing was counted.
        """
        self._sweep()
        keys = {"visitor": visitor, "address": network(address)}
        wanted = [(whose, rate, key) for whose, key in keys.items() if key for rate in self._rates[whose]]
        full = [TooMany(whose, self._wait(rate, whose, key)) for whose, rate, key in wanted
                if not self._window.test(rate, whose, key)]  # fmt: skip
        if full:
            raise max(full, key=lambda each: each.seconds)
        for whose, rate, key in wanted:
            self._window.hit(rate, whose, key)

    def describe(self) -> str:
        """Return the limits as a sentence for the page."""
        visitor, address = (
            " and ".join(_words(rate) for rate in self._rates[whose]) for whose in ("visitor", "address")
        )
        return f"Battles are limited to {visitor} for each visitor, and to {address} for a whole network address."

    def _sweep(self) -> None:
        """Remove visitors and addresses without recent battles: the storage only empties their lists."""
        if time.time() - self._swept > SWEEP_SECONDS:
            self._swept = time.time()
            for key in [key for key, events in self._kept.events.items() if not events]:
                self._kept.clear(key)

    def _wait(self, rate: RateLimitItem, whose: str, key: str) -> int:
        reset = self._window.get_window_stats(rate, whose, key).reset_time
        return max(1, math.ceil(reset - time.time()))


def network(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 network of an IPv6 address (one household)."""
    try:
        parsed = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _words(rate: RateLimitItem) -> str:
    each = rate.GRANULARITY.name if rate.multiples == 1 else f"{rate.multiples} {rate.GRANULARITY.name}s"
    return f"{rate.amount:,} per {each}"
