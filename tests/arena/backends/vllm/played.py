"""Engines that run the fake vLLM, and what is left of them."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from arena.backends.vllm import engine
from arena.backends.vllm.engine import Engine
from tests.arena.helpers.played import PATIENCE

FAKE = Path(__file__).with_name("fake_vllm.py")


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let engines be looked at often, and wait for little."""
    for name, seconds in (("POLL_SECONDS", 0.02), ("FIRST_PAUSE", 0.05), ("END_SECONDS", 0.5)):
        monkeypatch.setattr(engine, name, seconds)


class Play:
    """What a fake vLLM plays at its starts, one mood each, and what it did."""

    def __init__(self, folder: Path, *moods: str) -> None:
        self.file = folder / "play.txt"
        self.file.write_text("\n".join(moods), encoding="utf-8")
        self.log = folder / "engines" / "cold.log"

    def launch(self, port: int, key: str) -> tuple[list[str], Mapping[str, str]]:
        command = [sys.executable, str(FAKE), "--port", str(port)]
        return command, {**os.environ, "FAKE_VLLM": str(self.file), "VLLM_API_KEY": key}

    def start(self) -> Engine:
        return Engine(self.launch, self.log, "cold")

    @property
    def starts(self) -> list[tuple[int, int]]:
        """Return the server and the engine of each start."""
        file = self.file.with_suffix(".pids")
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [(int(line.split()[0]), int(line.split()[1])) for line in lines]


def wait_for(what: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


def are_gone(*starts: tuple[int, int]) -> bool:
    """Wait until the processes of some starts have ended."""
    wait_for(lambda: all(is_gone(pid) for start in starts for pid in start))
    return True


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; one whose end nobody has asked for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
