"""A wish to stop, heard at every moment: SIGTERM, SIGINT (Ctrl+C) and SIGHUP, from the first import to the last write.

A process that a signal ends by itself leaves its ledger open, with its votes in the write-ahead log beside the file.
So a signal only says that the end is wanted, and never breaks off what it comes upon: an exception out of a signal
handler may be swallowed by whoever runs at that moment. What takes long runs in a thread of its own, and the main
thread waits for it to end or for the wish, whichever is first.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOOK_SECONDS = 0.1


class Stopping:
    """How often an end was asked for, and who is told."""

    def __init__(self) -> None:
        self.times = 0
        self._tell: Callable[[int], object] | None = None

    @contextmanager
    def by_signal(self) -> Iterator[None]:
        """Let the signals ask for the end from here on; to be entered in the main thread."""
        # nohup ignores SIGHUP so that the program outlives its terminal: it stays so.
        heard = [each for each in SIGNALS if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
        before = {each: signal.signal(each, lambda *_: self.ask()) for each in heard}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def ask(self) -> None:
        """Ask for the end."""
        self.times += 1
        if self._tell:
            self._tell(self.times)

    def tell(self, listener: Callable[[int], object]) -> None:
        """Call this from now on with the number of times an end was asked for, at once where it was before."""
        self._tell = listener
        if self.times:
            listener(self.times)

    def run(self, work: Callable[[], object]) -> None:
        """Do some work in a thread, until it ends; or, while nobody is told, until an end is asked for.

        What the work raises is raised here, unless an end was asked for.
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
        while thread.is_alive() and (self._tell or not self.times):
            thread.join(LOOK_SECONDS)
        if raised and not self.times:
            raise raised[0]
