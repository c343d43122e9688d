"""app.py as a process of its own, with real tiny checkpoints, and incomplete requests to it."""

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from arena.server.gate import JOIN, STREAM
from tests.arena.helpers.played import PATIENCE
from tests.arena.helpers.talking import event

START_SECONDS = 60.0  # for a program to import everything on a busy machine


@dataclass
class Program:
    """A running program that has printed where it listens. log: what it wrote to stderr."""

    process: "subprocess.Popen[str]"
    url: str
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.split("/")[2].rsplit(":", 1)[1])

    def connect(self, sent: bytes = b"", *, buffer: int | None = None) -> socket.socket:
        """Return a connection on which this was sent; buffer is how many bytes it takes in without being read."""
        connection = socket.socket()
        if buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(sent)
        return connection

    def stop(self, *signals: int) -> tuple[int, str, float]:
        """Send signals, wait for the end, and return exit code, the rest of the output, and the seconds it took."""
        began = time.monotonic()
        for each in signals or (signal.SIGTERM,):
            self.process.send_signal(each)
        assert self.process.stdout is not None
        with killed_after(PATIENCE, self.process):
            output = self.process.stdout.read()
        return self.process.wait(PATIENCE), output, time.monotonic() - began


@contextmanager
def killed_after(seconds: float, process: "subprocess.Popen[str]") -> Iterator[None]:
    """Kill a process that takes longer than this, so that reading its output comes to an end."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def running(
    root: Path, words: Sequence[str | Path], log: Path, prepare: Callable[[], object] | None = None
) -> Iterator[Program]:
    """Run a Python program until it prints where it listens; kill it at the end, if it still runs."""
    with log.open("w") as errors:
        command = [sys.executable, *map(str, words)]
        process = subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, stderr=errors, text=True, preexec_fn=prepare
        )
    try:
        yield Program(process, read_url(process, log), log)
    finally:
        process.kill()
        process.wait(PATIENCE)
        assert process.stdout is not None
        process.stdout.close()


def read_url(process: "subprocess.Popen[str]", log: Path) -> str:
    assert process.stdout is not None
    with killed_after(START_SECONDS, process):
        for line in process.stdout:
            if url := re.search(r"on (http://\S+)", line):
                return url[1]
    raise AssertionError(f"it never listened: {log.read_text()}")


def arena_words(models: Path, db: Path, *more: str | Path) -> list[str | Path]:
    return ["app.py", "--models", models, "--db", db, "--port", "0", *more]


def write_models(file: Path, checkpoint: Path) -> Path:
    """Write a models.yaml of two contestants that share one checkpoint and write until they are cut."""
    prompt, sampling = {"style": "chat"}, {"max_tokens": 120}
    contestants = [
        {"name": name, "stage": "sft", "path": str(checkpoint), "prompt": prompt, "sampling": sampling}
        for name in ("alder", "birch")
    ]
    file.write_text(yaml.safe_dump({"contestants": contestants}), encoding="utf-8")
    return file


def request(path: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    """Return a whole request; a header of its length comes along."""
    lines = [f"{method} {path} HTTP/1.1", "host: x", *headers, f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


HALVES = {
    "nothing": b"",
    "half a line": b"GET / HT",
    "half a head": b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-",
    "half a body": request(JOIN, method="POST", body=b"x" * 100)[:-50],
    "half a chunk": b"POST " + JOIN.encode() + b" HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{",
}
"""What is sent of a request that never ends."""


class Visitor:
    """A browser's part in a battle, by hand: its cookie, its session, and the event that asks."""

    def __init__(self, program: Program) -> None:
        self.program = program
        answer = httpx.get(program.url, timeout=PATIENCE)
        self.cookie = answer.headers["set-cookie"].split(";")[0]

    def ask(self, text: str = "Tell me a story.") -> socket.socket:
        """Start a battle and return the open stream of its answers, of which some have come."""
        asked = event(data=[text], session_hash="s1")
        answer = httpx.post(self.program.url + JOIN, json=asked, headers={"cookie": self.cookie}, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        stream = self.program.connect(request(STREAM + "?session_hash=s1", f"cookie: {self.cookie}"))
        seen, until = b"", time.monotonic() + PATIENCE
        while b"process_generating" not in seen:
            assert time.monotonic() < until, seen[-300:]
            piece = stream.recv(1 << 16)
            assert piece, seen[-300:]
            seen += piece
        return stream
