"""The log, with a limit on repeated lines.

Libraries log a line for each broken request that a stranger sends, so anybody could fill the disk. Each kind of line
(from the same place in the code) is written at most so many times per minute; the first one after that minute says how
many were left out.
"""

import logging
import time
from collections.abc import Callable

MINUTE = 60.0  # seconds
OWN_LINES = 60  # of one kind per minute, from our own code
OTHER_LINES = 1  # the same from libraries
KINDS = 1000  # remembered at most

Kind = tuple[str, str, int, str]


class Sparing(logging.Filter):
    """Limits the lines of each kind per minute. clock returns seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[Kind, tuple[float, int]] = {}  # when the kind's minute began, and its lines since then

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is written; add to the first of a new minute how many were left out before."""
        now, kind = self._clock(), kind_of(record)
        most = OWN_LINES if record.name.split(".")[0] in ("arena", "ratings") else OTHER_LINES
        began, lines = self._seen.get(kind, (now, 0))
        left_out = 0
        if now - began >= MINUTE:
            left_out = max(0, lines - most)
            began, lines = now, 0
        if kind not in self._seen and len(self._seen) >= KINDS:
            self._seen.clear()
        self._seen[kind] = began, lines + 1
        if left_out:
            record.msg, record.args = f"{record.getMessage().rstrip()} ({left_out} more like this were left out)", None
        return lines < most


def kind_of(record: logging.LogRecord) -> Kind:
    """Return what lines of one kind share: where they were logged, and where their error was raised."""
    error = record.exc_info[1] if record.exc_info else None
    trace = error.__traceback__ if error else None
    while trace and trace.tb_next:
        trace = trace.tb_next
    raised = f"{type(error).__name__} in line {trace.tb_lineno if trace else 0}" if error else ""
    return record.name, record.pathname, record.lineno, raised


def set_up_log() -> None:
    """Write warnings and errors, those of libraries too, to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(Sparing())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for library in ("httpx2", "httpcore2"):  # below this they write what an endpoint answers, a key that it echoes too
        logging.getLogger(library).setLevel(logging.WARNING)
    # peft imports it wherever it is installed, and it then asks for a package that nobody needs.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
