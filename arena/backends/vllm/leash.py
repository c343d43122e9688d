"""Runs vLLM on a leash: ``leash.py SECONDS COMMAND...`` ends it, and all that it has started, when standard input ends.

The arena holds the other end of that pipe and never writes, so the pipe ends when the arena does, kill -9 included. A
server that is killed leaves its engine and workers behind, with all their memory; PR_SET_PDEATHSIG would reach the
server alone. They share this process's group, and the group ends as one, this process with it.

A script of the standard library alone, run without the arena's packages.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

ENDED = "vLLM ended with status"


def main(seconds: float, command: list[str]) -> None:
    """Run a command until it or standard input ends; then end the group, which has some seconds to do so itself."""
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, lambda *_: None)  # not ignored, which the command would inherit
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        sys.exit(f"leash.py: error: {command[0]} does not run: {error.strerror}")
    threading.Thread(target=end_with, args=(child,), daemon=True).start()
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(seconds)
    os.killpg(0, signal.SIGKILL)


def end_with(child: "subprocess.Popen[bytes]") -> None:
    """Wait for the command's end, tell it in the log, and end what it left behind."""
    status = child.wait()
    with contextlib.suppress(OSError):  # the arena may be gone
        os.write(1, f"\n{ENDED} {status}\n".encode())
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
