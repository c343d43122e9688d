"""What an engine prints: kept in a file that stays small, and searched for the reason when the engine ends."""

import contextlib
import re
from collections import deque
from logging import LogRecord, makeLogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path

from arena.backends.vllm.leash import ENDED

BYTES = 1_000_000  # of the file and of the one before it
KEPT = 1000  # lines that are searched; usage of the command line alone takes 300
WIDTH = 2000  # characters of a line
REASON = 400  # characters

PROCESS = re.compile(r"^\(\w[^)]*\) ")
LEVEL = re.compile(r"^ERROR [\d-]+ [\d:]+ \[[^\]]*\] ?")
RAISED = re.compile(r"^(?:[\w.]*?)(\w*(?:Error|Exception|Interrupt)): (.+)|^[\w.]+: error: (.+)")
GENERIC = ("See root cause above",)  # errors that only say that there was another


class Unfailing(RotatingFileHandler):
    """A file for lines; those that a full disk does not take are lost, and stop no engine."""

    def handleError(self, record: LogRecord) -> None:
        """Do nothing."""


class EngineLog:
    """The log file of one engine, over all its restarts. secret: a text that never gets into it."""

    def __init__(self, path: Path, secret: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._secret = secret
        self._lines: deque[str] = deque(maxlen=KEPT)
        self._file = Unfailing(path, maxBytes=BYTES, backupCount=1, encoding="utf-8", errors="replace")

    def begin(self) -> None:
        """Forget the lines of the last start; the file keeps them."""
        self._lines.clear()

    def write(self, line: bytes) -> None:
        """Keep a line."""
        text = line.decode(errors="replace").rstrip().replace(self._secret, "***")[:WIDTH]
        self._lines.append(text)
        self._file.handle(makeLogRecord({"msg": text}))

    def find_reason(self) -> str:
        """Return in one line why the engine ended, as far as its last lines tell."""
        lines = [LEVEL.sub("", PROCESS.sub("", line)) for line in self._lines]
        for number, line in enumerate(lines):
            if (raised := RAISED.match(line)) and not any(words in line for words in GENERIC):
                what, said, usage = raised.groups()
                if what == "ValidationError":  # pydantic says on the next line what is wrong
                    said = " ".join(lines[number + 1 : number + 2])
                return printable(usage or f"{what}: {said}")
        ended = [line for line in lines if line.startswith(ENDED)]
        return printable(ended[-1] if ended else "vLLM was killed")

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._file.close()


def printable(text: str) -> str:
    """Return a text in one line, without what a terminal would obey, cut where it is long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= REASON else f"{line[:REASON]}..."
