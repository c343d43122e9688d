"""The log reports what happens, and strangers cannot make it grow."""

import io
import logging
from typing import Any

import pytest

from arena.server.logs import MINUTE, OWN_LINES, Sparing


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def written(clock: Clock) -> Any:
    """Let the loggers of this test write into a text, sparingly."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.addFilter(Sparing(clock))
    loggers = [logging.getLogger(name) for name in ("uvicorn.test", "arena.test")]
    for logger in loggers:
        logger.addHandler(handler)
    yield text
    for logger in loggers:
        logger.removeHandler(handler)


def warn(number: int, name: str = "uvicorn.test") -> None:
    logging.getLogger(name).warning("broken request %d", number)


def test_a_kind_of_line_of_a_library_is_written_once_a_minute_and_the_next_says_how_often_it_was(
    clock: Clock, written: io.StringIO
) -> None:
    for number in range(500):
        warn(number)
    assert written.getvalue() == "broken request 0\n"
    clock.now += MINUTE
    for number in range(500, 502):
        warn(number)
    assert written.getvalue().splitlines()[1:] == ["broken request 500 (499 more like this were left out)"]
    clock.now += 10 * MINUTE
    warn(600)
    assert written.getvalue().splitlines()[2:] == ["broken request 600 (1 more like this were left out)"]


def test_a_line_that_comes_now_and_then_is_always_written(clock: Clock, written: io.StringIO) -> None:
    for number in range(5):
        warn(number)
        clock.now += MINUTE
    assert written.getvalue().splitlines() == [f"broken request {number}" for number in range(5)]


def test_the_arenas_own_lines_are_written_more_often(written: io.StringIO) -> None:
    for number in range(2 * OWN_LINES):
        warn(number, "arena.test")
    assert len(written.getvalue().splitlines()) == OWN_LINES


def test_other_kinds_are_other_lines_and_errors_differ_by_where_they_were_raised(written: io.StringIO) -> None:
    warn(1)
    logging.getLogger("uvicorn.test").warning("something else")
    for divide in (lambda: 1 // 0, lambda: int("x"), lambda: 2 // 0):
        for _ in range(3):
            try:
                divide()
            except (ZeroDivisionError, ValueError):
                logging.getLogger("uvicorn.test").exception("failed")
    assert written.getvalue().count("failed") == 2  # the two divisions stand in one line
    assert written.getvalue().count("something else") == 1


def test_kinds_without_end_take_no_memory_without_end(clock: Clock) -> None:
    sparing = Sparing(clock)
    for number in range(5000):
        sparing.filter(logging.LogRecord(f"lib{number}", logging.WARNING, "x.py", 1, "m", None, None))
    assert len(sparing._seen) <= 1000
