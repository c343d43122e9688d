"""Every command that the README and the docs show is run, in a folder that looks like a used checkout."""

import random
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from arena.backends.base import Reply
from arena.battle import Battle
from arena.ledger.store import Store
from arena.pairing import draw_pair
from ratings.outcomes import Outcome
from tests.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = ["demo-base", "demo-sft", "demo-rlhf"]
SERVER_SECONDS = 60.0  # to answer, on a busy machine
COMMAND_SECONDS = 900.0  # training commands among them


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def fill_ledger(path: Path) -> None:
    """Store battles and votes through the arena's own store."""
    store, rng = Store(path), random.Random(0)
    for number in range(40):
        battle = Battle("visitor", f"Prompt {number}?", draw_pair(NAMES, rng))
        store.begin(battle)
        for side in ("a", "b"):
            battle.finish(side, Reply(f"Reply {side} to {number}.", "end", 3, 5, 0.1, 0.01, {"seed": number}))
        store.finish(battle)
        store.vote(battle.id, "visitor", rng.choice(list(Outcome)))
    store.close()


@pytest.fixture(scope="module")
def checkout(tiny_family: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "checkpoints").mkdir()
    for name in ("nano", "demo", "mini"):
        (folder / "checkpoints" / name).symlink_to(tiny_family)
    for name in ("app.py", "models.yaml", "Makefile", "arena", "ratings", "training", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    models = (ROOT / "models.yaml").read_text(encoding="utf-8")
    (folder / "models.yaml").unlink()
    # The tiny family stands in for the shipped ones; its context holds no long replies.
    (folder / "models.yaml").write_text(models.replace("max_tokens: 140", "max_tokens: 24"), encoding="utf-8")
    (folder / "data").mkdir()
    fill_ledger(folder / "data" / "arena.db")
    return folder


def serve_until_healthy(words: list[str], folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = [*words[: words.index("--port")], "--port", port] if "--port" in words else [*words, "--port", port]
    process = subprocess.Popen(words, cwd=folder)
    until = time.monotonic() + SERVER_SECONDS
    try:
        while True:
            assert process.poll() is None, "the server ended by itself"
            assert time.monotonic() < until, "the server does not answer"
            try:
                assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
                return
            except httpx.TransportError:
                time.sleep(0.1)
    finally:
        process.kill()
        process.wait(SERVER_SECONDS)


def test_the_docs_show_commands() -> None:
    shown = [command for page in PAGES for command in commands(page)]
    assert {"make arena", "make test"} <= set(shown)
    assert len(shown) > 10


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_shown_works(page: Path, checkout: Path, tiny_settings: list[str]) -> None:
    for command in commands(page):
        words = shlex.split(command)
        if words[0] == "make":
            # Targets are run by whoever runs the tests; here it is enough that they exist and resolve.
            subprocess.run([*words, "--dry-run"], cwd=ROOT, check=True, capture_output=True, timeout=60)
            continue
        assert words[0] == "python", f"{page.name} shows a command that no test runs: {command}"
        words[0] = sys.executable
        if words[1] == "app.py":
            serve_until_healthy(words, checkout)
            continue
        if words[2:4] == ["training", "evaluate"]:
            words += ["--prompts", "1"]
        elif words[2] == "benchmarks.board":
            words += ["--battles", "10"]
        elif words[2:4] != ["training", "chat"] and words[2] == "training":
            words += tiny_settings
        done = subprocess.run(
            words, cwd=checkout, capture_output=True, text=True, input="Hello!\n", timeout=COMMAND_SECONDS
        )
        assert done.returncode == 0, f"{command}\n{done.stderr[-2000:]}"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_pinned_packages_are_explained() -> None:
    explained = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "-")):
            name, equals, _ = line.partition("==")
            assert equals, f"{line} is not pinned exactly"
            assert name.lower() in explained, name
