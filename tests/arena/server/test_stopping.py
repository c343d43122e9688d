"""Being asked to stop, by signals and by calls."""

import signal
import threading

import pytest

from arena.server.stopping import Stopping
from tests.arena.helpers.played import PATIENCE, Signal


def test_work_without_a_listener_is_abandoned_and_its_errors_are_raised() -> None:
    stopping, begun = Stopping(), Signal()

    def work() -> None:
        begun.set()
        Signal().wait_here()

    asking = threading.Thread(target=lambda: (begun.wait_here(), stopping.ask()))
    asking.start()
    stopping.run(work)
    asking.join(PATIENCE)
    with pytest.raises(ZeroDivisionError):
        Stopping().run(lambda: 1 // 0)


def test_work_is_not_begun_after_a_request_to_stop() -> None:
    stopping = Stopping()
    stopping.ask()
    stopping.run(lambda: pytest.fail("begun"))


def test_a_late_listener_gets_the_number_of_earlier_requests() -> None:
    stopping = Stopping()
    stopping.ask()
    heard: list[int] = []
    stopping.notify(heard.append)
    stopping.ask()
    assert heard == [1, 2]


def test_handlers_are_put_back_and_nohup_is_respected() -> None:
    before = signal.getsignal(signal.SIGTERM)
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stopping().by_signal():
            assert signal.getsignal(signal.SIGTERM) != before
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == before
    finally:
        signal.signal(signal.SIGHUP, ignored)
