"""The arena stops within seconds, even if clients keep connections open, and leaves the ledger complete."""

import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from arena.battle import Battle
from arena.ledger.store import Store
from arena.pairing import Draw
from tests.arena.helpers.played import PATIENCE
from tests.arena.helpers.program import HALVES, Program, Visitor, arena_words, request, running, write_models

SECONDS = 5.0  # within which it has to end
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

# A server whose answers would hold it up for ever, each in its own way.
STUBBORN = """
import asyncio, sys, time
from pathlib import Path
from app import leave
from arena.server.listening import address_of, listen
from arena.server.serving import serve
from arena.server.stopping import Stopping

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.sleep(0.05)
    while scope["path"] == "/deaf":
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
    if scope["path"] == "/thread":
        await asyncio.to_thread(time.sleep, 60)
    if scope["path"] == "/unread":
        await send({"type": "http.response.body", "body": bytes(50_000_000), "more_body": True})
    if scope["path"] == "/slow":
        await asyncio.sleep(1)
    await send({"type": "http.response.body", "body": b"whole"})

stopping = Stopping()
with stopping.by_signal():
    listener = listen("127.0.0.1", 0)
    print("on", address_of("127.0.0.1", listener), flush=True)
    serve(app, listener, stopping)
    print("closed", flush=True)
leave(0)
"""


@pytest.fixture(scope="module")
def models(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models") / "models.yaml", checkpoint)


def until_loaded(program: Program) -> None:
    until = time.monotonic() + PATIENCE
    while httpx.get(program.url + "/healthz", timeout=PATIENCE).json()["models"] != "loaded":
        assert time.monotonic() < until
        time.sleep(0.05)


def until_it_hears(process: int) -> None:
    """Wait until a process has its handler for SIGTERM: some milliseconds in which Python itself starts."""
    until, is_caught = time.monotonic() + PATIENCE, False
    while not is_caught:
        assert time.monotonic() < until
        caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{process}/status").read_text())
        is_caught = caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.slow
def test_a_battle_and_every_kind_of_held_connection_do_not_hold_up_the_end(
    root: Path, models: Path, tmp_path: Path
) -> None:
    db = tmp_path / "arena.db"
    with running(root, arena_words(models, db), tmp_path / "log") as program, ExitStack() as held:
        until_loaded(program)
        for sent in HALVES.values():
            held.enter_context(program.connect(sent))
        idle = held.enter_context(program.connect(request("/healthz")))
        assert b"200 OK" in idle.recv(1000)
        held.enter_context(Visitor(program).ask())
        with closing(Store(db)) as store:  # one more that is being written, however fast the models are
            store.begin(Battle("somebody", "Still being written?", Draw("alder", "birch", 1.0)))
        code, output, seconds = program.stop()
        shutil.copy(db, tmp_path / "copied.db")
        assert (code, output) == (0, "stopped\n")
        assert seconds < SECONDS
        assert sorted(path.name for path in tmp_path.glob("arena*")) == ["arena.db", "arena.key"]
        assert program.log.read_text() == ""
    with closing(sqlite3.connect(tmp_path / "copied.db")) as ledger:
        states = dict(ledger.execute("SELECT visitor, state FROM battles"))
        assert states.pop("somebody") == "void"
        assert set(states.values()) <= {"ready", "void"}
        assert len(states) == 1
        assert ledger.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.slow
def test_an_end_during_the_start_leaves_the_ledger_whole(root: Path, models: Path, tmp_path: Path) -> None:
    """At moments of imports, of the ledger's first tables, of the page and of the models."""
    rng = random.Random(5)
    for number, latest in enumerate([0.6, 2.5, 6.0]):
        folder = tmp_path / str(number)
        words = [sys.executable, *map(str, arena_words(models, folder / "arena.db"))]
        process = subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            until_it_hears(process.pid)
            time.sleep(rng.uniform(0, latest))
            began = time.monotonic()
            process.send_signal(SIGNALS[number])
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        assert (process.returncode, out.splitlines()[-1], err) == (0, "stopped", "")
        assert time.monotonic() - began < SECONDS
        assert {path.name for path in folder.glob("*")} <= {"arena.db", "arena.key"}


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/stream", "/deaf", "/thread", "/unread"])
@pytest.mark.parametrize("is_pressed_twice", [False, True], ids=["once", "twice"])
def test_an_answer_that_never_ends_is_cut(root: Path, tmp_path: Path, path: str, is_pressed_twice: bool) -> None:
    with running(root, ["-c", STUBBORN], tmp_path / "log") as program:
        with program.connect(request(path), buffer=4096) as held:
            assert b"200 OK" in held.recv(100)
            signals = (signal.SIGINT, signal.SIGTERM) if is_pressed_twice else (signal.SIGINT,)
            code, output, seconds = program.stop(*signals)
        assert (code, output) == (0, "closed\n")
        assert seconds < (2.0 if is_pressed_twice else SECONDS)
        assert "Traceback" not in program.log.read_text()


@pytest.mark.slow
def test_an_answer_that_is_being_written_gets_to_its_end(root: Path, tmp_path: Path) -> None:
    with running(root, ["-c", STUBBORN], tmp_path / "log") as program:
        with program.connect(request("/slow")) as held:
            seen = held.recv(1000)
            program.process.send_signal(signal.SIGTERM)
            while piece := held.recv(1000):
                seen += piece
        assert b"whole" in seen
        assert program.stop()[0] == 0


def test_a_ledger_that_another_program_reads_is_closed_and_says_that_its_log_is_needed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    db = tmp_path / "arena.db"
    store = Store(db)
    with closing(sqlite3.connect(db, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM battles").fetchone()
        store.begin(Battle("ann", "Why?", Draw("alder", "birch", 1.0)))
        began = time.monotonic()
        store.close()
        assert time.monotonic() - began < SECONDS / 2
    assert f"{db} is in use elsewhere: a copy of it needs arena.db-wal too" in caplog.text
