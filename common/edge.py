"""The edge of a command: whatever happens inside, a person reads one line, and a script an exit status.

What is wrong with the input has an error with a name, raised where it is met with the value and the way out. This is
the net beneath: a full disk, a closed pipe, Ctrl-C, too little memory, and last a fault of the program itself, which
says so and how to see the traceback.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType
from typing import IO

from common.words import one_line

DONE, REFUSED, FAULT, STOPPED = 0, 2, 70, 130
"""Exit statuses: done; the input or the machine did not allow it; a fault of the program (EX_SOFTWARE); Ctrl-C."""

AGAIN_SECONDS = 0.01

TRACEBACK = "ARENA_TRACEBACK"
"""Environment variable under which the traceback of whatever went wrong is shown before its line."""


def run_command(
    work: Callable[[], Iterable[str]], named: tuple[type[Exception], ...], *, shows_faults: bool = False
) -> int:
    """Print the lines that `work` returns and return DONE, or print why there are none and return another status.

    `named` are the errors whose messages are written for people. Nothing but SystemExit is let through. A name that
    the terminal cannot show is escaped, and a reader who closed the pipe has seen enough. With `shows_faults` the
    traceback of a fault of the program is shown at once, for work that nobody wants to do again to see it.
    """
    if sys.stdout and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    interrupts = _watched()
    try:
        return _show(work())
    except BaseException as problem:
        if isinstance(problem, SystemExit):  # of the help or a mistake on the command line
            return _ended(problem)
        line, status = _told(KeyboardInterrupt() if interrupts.came else problem, named)
        if os.environ.get(TRACEBACK) or (shows_faults and status == FAULT):
            traceback.print_exc()
        return _fail(line, status)


class _Interrupts:
    """The handler of Ctrl-C: it does what Python's does, and remembers it.

    A library in C that is interrupted may raise an error of its own in the place of KeyboardInterrupt.
    """

    came = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take the signal."""
        self.came = True
        signal.default_int_handler(number, frame)


def _watched() -> _Interrupts:
    """Return the handler of Ctrl-C, put in the place of Python's; any other stays."""
    present = signal.getsignal(signal.SIGINT)
    if isinstance(present, _Interrupts):
        return present
    made = _Interrupts()
    if present is signal.default_int_handler:
        with suppress(ValueError):  # only the main thread has signals
            signal.signal(signal.SIGINT, made)
            sys.unraisablehook = _interrupt_again
    return made


def _interrupt_again(ignored: "sys.UnraisableHookArgs") -> None:
    """Send Ctrl-C once more where it met a callback of the interpreter, which cannot let it through."""
    if ignored.exc_type is KeyboardInterrupt:
        threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(ignored)


def _told(problem: BaseException, named: tuple[type[Exception], ...]) -> tuple[str, int]:
    """Return what to say of an error, and the exit status."""
    if isinstance(problem, named):
        return str(problem), REFUSED
    match problem:
        case KeyboardInterrupt():
            with suppress(ValueError):
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would only interrupt this
            return "stopped by Ctrl-C; nothing is left half written", STOPPED
        case BrokenPipeError():
            return "", DONE
        case MemoryError():
            return "there is not enough memory for this; give fewer votes or a machine with more", REFUSED
        case RecursionError():
            return "the input is nested too deeply; give votes as plain rows", REFUSED
        case OSError():
            place = f"{problem.filename}: " if problem.filename else ""
            return f"{place}{problem.strerror or problem}; see that it is there, readable and not full", REFUSED
    text = " ".join(str(problem).split())
    return (
        f"a fault of this program, not of your input: {type(problem).__name__}: {one_line(text, 200)}; "
        f"please report it with the traceback, which {TRACEBACK}=1 shows",
        FAULT,
    )


def _show(lines: Iterable[str]) -> int:
    """Print the lines, all of them or none of the errors of printing."""
    whole = list(lines)
    try:
        print(*whole, sep="\n", flush=True)
    except BrokenPipeError:
        _drop(sys.stdout)
    except OSError as problem:
        _drop(sys.stdout)
        return _fail(f"the standard output cannot be written: {problem.strerror}; all else is done", REFUSED)
    return DONE


def _ended(end: SystemExit) -> int:
    """Return the status of a command that ended itself, once what it printed is out."""
    _flush()
    raise end


def _fail(line: str, status: int) -> int:
    if line and sys.stderr:
        try:
            print(f"error: {one_line(line)}", file=sys.stderr, flush=True)
        except OSError:
            _drop(sys.stderr)
    _flush()
    return status


def _flush() -> None:
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        _drop(sys.stdout)


def _drop(stream: IO[str]) -> None:
    """Let what could not be written go nowhere; Python would complain once more when it closes the stream."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
