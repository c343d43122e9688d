"""Stopping by signals at any moment: SIGTERM, SIGINT (Ctrl+C) and SIGHUP, from the first import to the last write.

A process that a signal ends directly leaves its ledger open, with votes in the write-ahead log beside the file. So a
signal only asks the program to stop, and interrupts nothing: an exception from a signal handler might be swallowed by
the code that happens to run. Long work runs in a thread of its own, and the main thread waits until it ends or the
program is asked to stop.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOOK_SECONDS = 0.1


class Stopping:
    """How often the program was asked to stop, and the listener to notify."""

    def __init__(self) -> None:
        self.times = 0
        self._listener: Callable[[int], object] | None = None

    @contextmanager
    def by_signal(self) -> Iterator[None]:
        """Let the signals ask to stop from here on; enter it in the main thread."""
        # Under nohup SIGHUP is ignored, so that the program outlives its terminal: that stays so.
        heard = [each for each in SIGNALS if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
        before = {each: signal.signal(each, lambda *_: self.ask()) for each in heard}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def ask(self) -> None:
        """Ask the program to stop."""
        self.times += 1
        if self._listener:
            self._listener(self.times)

    def notify(self, listener: Callable[[int], object]) -> None:
        """Call the listener with the number of requests to stop at each one, and now if there were any before."""
        self._listener = listener
        if self.times:
            listener(self.times)

    def run(self, work: Callable[[], object]) -> None:
        """Do some work in a thread until it ends or, as long as there is no listener, until asked to stop.

        Exceptions of the work are raised here, unless asked to stop.
        """
        raised: list[BaseException] = []

        def do() -> None:
            try:
                work()
            except BaseException as error:  # the edge of the thread
                raised.append(error)

        thread = threading.Thread(target=do, name="arena", daemon=True)
        if not self.times:
            thread.start()
        while thread.is_alive() and (self._listener or not self.times):
            thread.join(LOOK_SECONDS)
        if raised and not self.times:
            raise raised[0]
