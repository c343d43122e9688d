"""One run of an engine: a process on a leash, whose output goes into the log."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

from arena.backends.vllm import leash
from arena.backends.vllm.log import EngineLog

SPARE_SECONDS = 5.0
LINE = 1 << 16  # bytes; longer ones are read in parts


class Child:
    """A command that runs until it ends, or is ended, or the arena does."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], log: EngineLog, end_seconds: float) -> None:
        """Start a command; once asked to end it has so many seconds before it is killed."""
        self._log, self._end_seconds = log, end_seconds
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", leash.__file__, str(end_seconds), *command],
            env=dict(environ),
            stdin=subprocess.PIPE,  # never written to: its end is the sign
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, which Ctrl+C in the terminal does not reach
        )
        self._reader = threading.Thread(target=self._read, name="engine log", daemon=True)
        self._reader.start()

    @property
    def has_ended(self) -> bool:
        """Return whether the command, or its leash, has ended."""
        if self._process.returncode is not None:
            return True
        # Not reaped here: until end() has killed what is left, no other group shall get this number.
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, how) is not None

    def end(self) -> None:
        """Ask it to end, kill it if it does not, and wait until nothing is left of its group."""
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()  # lets go of the leash
        deadline = time.monotonic() + self._end_seconds + SPARE_SECONDS
        while not self.has_ended and time.monotonic() < deadline:
            time.sleep(0.05)
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(SPARE_SECONDS)  # a process that left the group may still write

    def _read(self) -> None:
        """Copy the output into the log until every process that writes it has ended."""
        assert self._process.stdout is not None
        with self._process.stdout as output:
            while line := output.readline(LINE):
                self._log.write(line)
