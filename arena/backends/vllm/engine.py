"""One vLLM beside the arena: started in the background, watched, started again when it dies, and ended with the arena.

A child process that speaks HTTP on the loopback address, not AsyncLLM in this process: the pins of the two do not fit
into one environment (python.py), AsyncLLM spawns an engine process anyway, and a crash stays where it happens. A
first start that fails is final, as a checkpoint that does not load is; a later one is tried again, after pauses
that grow. Engines start one after another, each with what memory the others have left.
"""

import asyncio
import contextlib
import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx2

from arena.backends.base import BackendError
from arena.backends.prompting import one_line
from arena.backends.vllm.child import Child
from arena.backends.vllm.log import EngineLog, printable

POLL_SECONDS = 0.5  # between two looks at an engine
ANSWER_SECONDS = 10.0  # for one answer about its health
SILENT_SECONDS = 120.0  # a server that does not answer for so long is taken for dead
START_SECONDS = 1800.0  # large weights from a slow disk, and compiling
END_SECONDS = 10.0  # for an engine to end by itself
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0  # seconds before a restart
STEADY_SECONDS = 600.0  # an engine that ran so long begins with the first pause again
PORT_TAKEN = "address already in use"  # between its choice and vLLM's start, which takes seconds

# How an engine is started at a port with a key: the command and its environment.
Launch = Callable[[int, str], tuple[Sequence[str], Mapping[str, str]]]

STARTING = threading.Lock()
ENDING: list[threading.Thread] = []  # which still hold memory
log = logging.getLogger(__name__)


class Engine:
    """A vLLM server and the thread that looks after it. It starts at once, in the background."""

    def __init__(self, launch: Launch, log_file: Path, whose: str) -> None:
        """Take how to start it, where its own log goes, and its contestants' names, for the arena's log."""
        self.key = secrets.token_urlsafe(32)
        self.address = ""
        self._launch, self._whose = launch, whose
        self._log = EngineLog(log_file, self.key)
        self._is_up = self._was_up = self._is_in_doubt = False
        self._failure = ""
        self.users: set[object] = set()  # the engine ends with the last of them
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"engine {log_file.stem}", daemon=True)
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Return whether it serves."""
        return self._is_up and not self._is_in_doubt and not self._closing.is_set()

    @property
    def is_loading(self) -> bool:
        """Return whether it is starting, for the first time or again."""
        return not self.is_ready and not self.failure

    @property
    def failure(self) -> str:
        """Return why it does not serve, "" if it does or is just starting."""
        return self._failure or ("vLLM was stopped" if self._closing.is_set() else "")

    async def wait_until_ready(self, seconds: float) -> None:
        """Wait for the first start however long it takes, for a later one so many seconds at most.

        Raises:
            BackendError: it does not serve.
        """
        deadline = time.monotonic() + seconds
        while not self.is_ready:
            if failure := self.failure:
                raise BackendError(failure)
            if self._was_up and time.monotonic() > deadline:
                raise BackendError(f"vLLM is being started again, which takes longer than {seconds:g} s")
            await asyncio.sleep(0.02)

    def doubt(self) -> None:
        """Take it for ready no more until it has said again that it is well: a reply of it failed."""
        self._is_in_doubt = True

    def close(self) -> None:
        """Ask the engine to end; returns at once."""
        ENDING.append(self._thread)
        self._closing.set()

    def join(self, seconds: float | None = None) -> bool:
        """Wait after close until no process of the engine is left; return whether that is so."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # Everything below runs in the thread.

    def _work(self) -> None:
        pause = FIRST_PAUSE
        while not self._closing.is_set():
            served, reason = self._run()
            if self._closing.is_set():
                break
            if not self._was_up and PORT_TAKEN not in reason.lower():
                self._failure = f"vLLM does not start: {reason} (more in {self._log.path})"
                log.error("%s: %s", self._whose, self._failure)
                break
            pause = FIRST_PAUSE if served > STEADY_SECONDS else pause
            self._failure = "" if served else f"vLLM does not start again: {reason} (more in {self._log.path})"
            log.warning("%s: vLLM is started again in %.0f s, since it ended: %s", self._whose, pause, reason)
            self._closing.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        self._log.close()

    def _run(self) -> tuple[float, str]:
        """Run it until it ends; return for how many seconds it served, and why it ended."""
        child, served = None, 0.0
        try:
            with self._turn() as is_mine:
                if not is_mine:
                    return served, ""
                self._log.begin()
                port = find_free_port()
                child = Child(*self._launch(port, self.key), self._log, END_SECONDS)
                address = f"http://127.0.0.1:{port}"
                if reason := self._watch(child, address, until_up=True):
                    return served, reason
            self.address, self._failure, self._is_in_doubt = address, "", False
            self._is_up = self._was_up = True
            began = time.monotonic()
            reason = self._watch(child, address)
            served = time.monotonic() - began
            return served, reason
        except Exception as error:  # the edge of the thread: no engine without a state that says why
            return served, printable(one_line(error))
        finally:
            self._is_up = False
            if child:
                child.end()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[bool]:
        """Wait until no other engine is starting or ending; yield whether it is still wanted then."""
        while not STARTING.acquire(timeout=POLL_SECONDS):
            if self._closing.is_set():
                yield False
                return
        try:
            while ENDING:
                if (ending := ENDING.pop()) is not threading.current_thread():
                    ending.join()
            yield not self._closing.is_set()
        finally:
            STARTING.release()

    def _watch(self, child: Child, address: str, *, until_up: bool = False) -> str:
        """Look at it until it answers that it is well (then ""), or from then on until it ends; return why."""
        heard = time.monotonic()
        patience = START_SECONDS if until_up else SILENT_SECONDS
        with httpx2.Client(trust_env=False, timeout=ANSWER_SECONDS) as client:
            while not self._closing.wait(POLL_SECONDS):
                was_in_doubt = self._is_in_doubt
                is_well = None if child.has_ended else ask_health(client, address)
                if child.has_ended or (is_well is False and not until_up):
                    child.end()
                    return self._log.find_reason()
                if is_well and until_up:
                    return ""
                if is_well:
                    heard = time.monotonic()
                    self._is_in_doubt = self._is_in_doubt and not was_in_doubt
                elif time.monotonic() - heard > patience:
                    return f"its server did not answer for {patience:g} s"
        return "it was stopped"


def ask_health(client: httpx2.Client, address: str) -> bool | None:
    """Return whether a server says that it is well, None if it says nothing."""
    try:
        return client.get(f"{address}/health").status_code == httpx2.codes.OK
    except httpx2.HTTPError:
        return None


def find_free_port() -> int:
    """Return a port that nobody listens on; vLLM takes it some seconds later."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
