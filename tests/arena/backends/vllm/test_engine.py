"""The engine beside the arena: started, watched, started again, and never left behind."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arena.backends.base import BackendError
from arena.backends.vllm import engine as module
from arena.backends.vllm.engine import Engine
from tests.arena.backends.vllm.played import Play, are_gone, hurry, wait_for
from tests.arena.helpers.played import PATIENCE
from tests.paths import ROOT

Begin = Callable[..., tuple[Play, Engine]]


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Return a function that starts an engine with these moods; its processes are gone in the end."""
    hurry(monkeypatch)
    begun: list[tuple[Play, Engine]] = []

    def start(*moods: str) -> tuple[Play, Engine]:
        folder = tmp_path / str(len(begun))
        folder.mkdir()
        play = Play(folder, *moods)
        begun.append((play, play.start()))
        return begun[-1]

    yield start
    for _, engine in begun:
        engine.close()
    for play, engine in begun:
        assert engine.join(PATIENCE)
        assert are_gone(*play.starts)


def test_an_engine_serves_once_it_says_that_it_is_well(begin: Begin) -> None:
    _, engine = begin("works")
    assert engine.is_loading
    asyncio.run(engine.wait_until_ready(0))
    assert engine.is_ready
    assert not engine.is_loading
    assert engine.failure == ""


def test_closing_leaves_neither_the_server_nor_what_it_has_started(begin: Begin) -> None:
    play, engine = begin("works")
    asyncio.run(engine.wait_until_ready(0))
    engine.close()
    assert engine.failure == "vLLM was stopped"
    assert engine.join(PATIENCE)
    assert are_gone(play.starts[0])
    with pytest.raises(BackendError, match="stopped"):
        asyncio.run(engine.wait_until_ready(0))


def test_an_engine_that_ignores_the_signal_is_killed(begin: Begin) -> None:
    play, engine = begin("stubborn")
    asyncio.run(engine.wait_until_ready(0))
    engine.close()
    assert engine.join(PATIENCE)
    assert are_gone(play.starts[0])


@pytest.mark.parametrize(
    ("mood", "reason"),
    [("crashes", "ValueError: no room for [31m the cache"), ("refuses", "unrecognized arguments: --bogus")],
)
def test_a_first_start_that_fails_is_final_and_says_why_in_one_line(
    begin: Begin, mood: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    play, engine = begin(mood)
    with pytest.raises(BackendError, match="does not start"):
        asyncio.run(engine.wait_until_ready(0))
    assert engine.failure == f"vLLM does not start: {reason} (more in {play.log})"
    assert not engine.is_loading
    assert engine.join(PATIENCE)  # it writes the log after it has failed
    assert caplog.messages == [f"cold: {engine.failure}"]
    assert len(play.starts) == 1


def test_a_command_that_is_not_there_is_a_failure_too(tmp_path: Path) -> None:
    engine = Engine(lambda port, key: (["/nowhere/python"], {}), tmp_path / "a.log", "cold")
    assert engine.join(PATIENCE)
    assert "/nowhere/python does not run: No such file or directory" in engine.failure


def test_an_engine_that_never_answers_is_given_up(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "START_SECONDS", 0.3)
    _, engine = begin("mute")
    with pytest.raises(BackendError, match=r"its server did not answer for 0\.3 s"):
        asyncio.run(engine.wait_until_ready(0))


@pytest.mark.parametrize("victim", [0, 1])
def test_an_engine_that_is_killed_is_started_again(begin: Begin, victim: int) -> None:
    play, engine = begin("works", "slow")
    asyncio.run(engine.wait_until_ready(0))
    before = engine.address
    leash = int(Path(f"/proc/{play.starts[0][0]}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill([play.starts[0][0], leash][victim], signal.SIGKILL)
    wait_for(lambda: engine.is_loading)
    with pytest.raises(BackendError, match="started again"):
        asyncio.run(engine.wait_until_ready(0.1))
    asyncio.run(engine.wait_until_ready(PATIENCE))
    assert engine.address != before
    assert len(play.starts) == 2
    assert are_gone(play.starts[0])


def test_a_server_whose_engine_is_dead_is_started_again(begin: Begin) -> None:
    play, _ = begin("sick", "works")
    wait_for(lambda: len(play.starts) == 2)
    assert are_gone(play.starts[0])


def test_a_restart_that_fails_is_tried_again_after_pauses_that_grow(
    begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    play, engine = begin("sick", "crashes", "crashes", "works")
    wait_for(lambda: engine.failure)
    assert "does not start again: ValueError" in engine.failure
    wait_for(lambda: engine.is_ready)
    assert engine.failure == ""
    assert len(play.starts) == 4
    starts = [float(line.split()[2]) for line in play.file.with_suffix(".pids").read_text().splitlines()]
    assert starts[3] - starts[2] > 0.2  # 0.05, 0.1, 0.2


def test_engines_start_one_after_another(begin: Begin) -> None:
    engines = [begin("slow") for _ in range(2)]
    for _, engine in engines:
        asyncio.run(engine.wait_until_ready(0))
    plays = sorted((play.file for play, _ in engines), key=lambda file: file.with_suffix(".ready").read_text())
    ready = float(plays[0].with_suffix(".ready").read_text())
    assert float(plays[1].with_suffix(".pids").read_text().split()[2]) > ready


def test_an_engine_that_waits_for_its_turn_can_be_closed(begin: Begin) -> None:
    begin("mute")
    play, engine = begin("works")
    time.sleep(0.1)
    engine.close()
    assert engine.join(PATIENCE)
    assert not play.starts


def test_the_key_is_in_no_log_and_on_no_command_line(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    play, engine = begin("works")
    asyncio.run(engine.wait_until_ready(0))
    wait_for(lambda: "with the key ***" in play.log.read_text(encoding="utf-8"))
    assert engine.key not in play.log.read_text(encoding="utf-8") + caplog.text
    assert all(engine.key.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in play.starts[0])


ARENA = """
import sys, time
from pathlib import Path
from tests.arena.backends.vllm.played import Play
play = Play(Path(sys.argv[1]), "works")
play.start()
time.sleep(600)
"""


def test_an_arena_that_is_killed_leaves_no_engine_behind(tmp_path: Path) -> None:
    arena = subprocess.Popen([sys.executable, "-c", ARENA, str(tmp_path)], cwd=ROOT)
    play = Play(tmp_path, "works")
    wait_for(play.file.with_suffix(".ready").exists)
    arena.kill()
    arena.wait()
    assert are_gone(play.starts[0])
