"""Which weights are in memory: as many as fit, the least recently used out first.

Each engine that holds weights works in a thread of its own and asks for room before it loads or uses them. What is in
use stays; of the rest as much goes as the newcomer needs, and where that is not enough, it waits for others to end.
"""

import logging
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

log = logging.getLogger(__name__)

GB = 10**9
SHARE = 0.8  # of what is free, that weights may take unless told otherwise


def in_gb(size: int) -> str:
    """Return bytes in words, such as 1.5 GB or 0.019 GB."""
    return f"{size / GB:.1f} GB" if size >= GB else f"{size / GB:.2g} GB"


def find_free() -> int:
    """Return the bytes for weights unless told otherwise: most of what a GPU has free, or this machine without one.

    Asks nvidia-smi, since torch would take seconds.
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    if tool := shutil.which("nvidia-smi"):
        asked = [tool, "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
        told = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)
        sizes = [int(line) * 2**20 for line in told.stdout.split() if line.isdigit()]
        free = sizes[0] if sizes else free  # weights go to the first one
    return round(free * SHARE)


class Engine(Protocol):
    """Something that holds weights."""

    name: str
    size: int
    """Bytes that it needs while its weights are loaded, estimated."""

    def unload(self) -> None:
        """Forget the weights; called while nobody uses them, from any thread."""


@dataclass
class _Place:
    """The state of one engine: how many use it, and when that was last, in uses of all."""

    users: int = 0
    last: int = 0


class Memory:
    """So many bytes for the weights of all engines together; None for no limit."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self._changed = threading.Condition()
        self._places: dict[Engine, _Place] = {}
        self._uses = 0

    @contextmanager
    def room_for(self, engine: Engine) -> Iterator[None]:
        """Wait until the weights of an engine fit, and keep their room while the block runs and until others need it.

        Raises:
            ValueError: it needs more than there is, so that it never fits.
        """
        if self.limit is not None and engine.size > self.limit:
            raise ValueError(f"{engine.name} needs about {in_gb(engine.size)}, and --memory allows {in_gb(self.limit)}")
        with self._changed:
            self._changed.wait_for(lambda: self._make_room(engine))
            place = self._places.setdefault(engine, _Place())
            place.users += 1
        try:
            yield
        finally:
            with self._changed:
                self._uses += 1
                place.users, place.last = place.users - 1, self._uses
                self._changed.notify_all()

    def has_room_for(self, engine: Engine) -> bool:
        """Return whether the weights of an engine are in memory or fit beside those that are."""
        with self._changed:
            return engine in self._places or self.limit is None or self._used() + engine.size <= self.limit

    def forget(self, engine: Engine) -> None:
        """Give the room of an engine back, whose weights are gone or could not be loaded."""
        with self._changed:
            self._places.pop(engine, None)
            self._changed.notify_all()

    def _used(self) -> int:
        return sum(engine.size for engine in self._places)

    def _make_room(self, engine: Engine) -> bool:
        """Unload what is not in use, the least recently used first, until an engine fits; return whether it does."""
        if engine in self._places or self.limit is None:
            return True
        idle = sorted(
            (one for one, place in self._places.items() if not place.users), key=lambda one: self._places[one].last
        )
        needed = self._used() + engine.size - self.limit
        if needed > sum(one.size for one in idle):
            return False
        for one in idle:
            if needed <= 0:
                break
            log.info("%s makes room for %s", one.name, engine.name)
            del self._places[one]
            try:
                one.unload()
            except Exception:  # the other's fault, which must not end this one's thread
                log.exception("%s could not be unloaded", one.name)
            needed -= one.size
        return True
