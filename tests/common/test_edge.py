"""Whatever happens inside a command, its user reads one line and its caller a status."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from common.edge import DONE, FAULT, REFUSED, STOPPED, run_command
from tests.paths import ROOT


class Named(Exception):
    """An error whose message is for people."""


def failing(problem: BaseException) -> Callable[[], Iterable[str]]:
    def work() -> Iterable[str]:
        raise problem

    return work


@pytest.mark.parametrize(
    ("problem", "status", "said"),
    [
        (Named("no such thing 'x'\x1b[2J\nfoo; give y"), REFUSED, r"no such thing 'x'\x1b[2J\nfoo; give y"),
        (KeyboardInterrupt(), STOPPED, "stopped by Ctrl-C"),
        (MemoryError(), REFUSED, "not enough memory"),
        (RecursionError("maximum depth"), REFUSED, "nested too deeply"),
        (OSError(errno.ENOSPC, "No space left on device", "out/x"), REFUSED, "out/x: No space left on device"),
        (ZeroDivisionError("float\ndivision"), FAULT, "fault of this program, not of your input: ZeroDivisionError"),
        (AssertionError(), FAULT, "ARENA_TRACEBACK=1"),
    ],
)
def test_every_error_is_one_line_and_a_status(
    capsys: pytest.CaptureFixture[str], problem: BaseException, status: int, said: str
) -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        assert run_command(failing(problem), (Named,)) == status
    finally:
        signal.signal(signal.SIGINT, before)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert said in told.err
    assert told.err.count("\n") == 1


def test_long_message_keeps_its_beginning_and_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(failing(Named(f"file {'x' * 5000}: no such file; give another")), (Named,))
    said = capsys.readouterr().err
    assert len(said) < 420
    assert said.startswith("error: file xxx")
    assert said.endswith("no such file; give another\n")


def test_traceback_is_shown_where_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_command(failing(ValueError("odd")), (Named,), shows_faults=True)
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setenv("ARENA_TRACEBACK", "1")
    run_command(failing(ValueError("odd")), (Named,))
    assert "Traceback" in capsys.readouterr().err


CODE = "import sys; from common.edge import run_command; sys.exit(run_command(lambda: {work}, ()))"


def run(work: str, **given: object) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-c", CODE.format(work=work)]
    return subprocess.run(command, cwd=ROOT, check=False, stderr=subprocess.PIPE, **given)  # type: ignore[call-overload,no-any-return]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_full_device_is_one_line() -> None:
    with open("/dev/full", "wb") as full:
        done = run("['x' * 100_000]", stdout=full)
    assert done.returncode == REFUSED
    assert done.stderr.decode() == (
        "error: the standard output cannot be written: No space left on device; all else is done\n"
    )


@pytest.mark.parametrize("work", ["['x']", "['x' * 1_000_000] * 3", "[print('x'), print('y')]"])
def test_closed_pipe_is_a_quiet_success(work: str) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = run(work, stdout=write)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (DONE, b"")


@pytest.mark.parametrize(
    "place", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_name_that_the_terminal_cannot_show_is_escaped(place: dict[str, str]) -> None:
    done = run("['mod\\u00e8le \\u2713 \\ud800']", stdout=subprocess.PIPE, env=os.environ | place)
    assert done.returncode == DONE
    assert done.stdout == b"mod\\xe8le \\u2713 \\ud800\n"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no way to see how far a process is")
def test_ctrl_c_that_meets_a_callback_of_the_interpreter_is_not_lost() -> None:
    program = """
import signal, time, weakref
from common.edge import run_command
class Thing: pass
def work():
    thing = Thing()
    weakref.finalize(thing, lambda: None)
    kept = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing
    time.sleep(20)
    return ["done"]
raise SystemExit(run_command(work, ()))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (STOPPED, b"", LINE)


def test_ctrl_c_at_any_moment_leaves_no_traceback(tmp_path: Path) -> None:
    votes = tmp_path / "votes.csv"
    votes.write_text("model_a,model_b,winner\n" + "a,b,model_a\nb,c,model_a\nc,a,model_a\n" * 200_000)
    for moment in (0, 0.2, 0.5, 0.9, 1.4):
        command = [sys.executable, "-m", "ratings", "compute", "--votes", str(votes), "--out", str(tmp_path / "out")]
        command += ["--interval", "bootstrap"]
        started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        maps = Path(f"/proc/{started.pid}/maps")
        while "numpy" not in maps.read_text():  # from here on it is our code that runs
            time.sleep(0.01)
        time.sleep(moment)
        started.send_signal(signal.SIGINT)
        _, said = started.communicate()
        # Python ends by the signal itself where it met the exception in some exec(), and when it is ending anyway.
        assert started.returncode in (DONE, STOPPED, -signal.SIGINT)
        assert said in (b"", LINE)
        assert said or started.returncode != STOPPED
        assert not list((tmp_path / "out").glob(".*"))


LINE = b"error: stopped by Ctrl-C; nothing is left half written\n"
