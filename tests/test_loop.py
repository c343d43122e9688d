"""The whole loop with real checkpoints, a real browser and real commands, the server killed in the middle of it.

click -> row -> leaderboard -> preference pairs -> a reward model trained on them.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.paths import ROOT

PROMPTS = [f"What is the opposite of {word}?" for word in ("hot", "up", "big", "fast", "old", "wet", "rich", "loud")]
VOTES = ["vote-a", "vote-b", "vote-a", "vote-tie", "vote-b", "vote-a", "vote-both-bad", "vote-b"]
PATIENCE = 60_000  # milliseconds; the machine may be busy
COMMAND_SECONDS = 900.0  # training commands among them

MODELS = """
contestants:
  - name: tiny-base
    stage: base
    path: {family}/base
    prompt:
      style: few-shot
      examples: [{{question: "What is the opposite of in?", answer: "The opposite of in is out."}}]
    sampling: {{temperature: 1.0, max_tokens: 24}}
  - name: tiny-sft
    stage: sft
    parent: tiny-base
    path: {family}/sft
    prompt: {{style: chat}}
    sampling: {{temperature: 1.0, max_tokens: 24}}
  - name: tiny-rlhf
    stage: rlhf
    parent: tiny-sft
    path: {family}/rlhf
    prompt: {{style: chat}}
    sampling: {{temperature: 1.0, max_tokens: 24}}
"""


@dataclass
class Arena:
    """An app.py process that can be killed and started again on the same ledger."""

    folder: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    started_in: list[float] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def db(self) -> Path:
        return self.folder / "arena.db"

    def start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        words = ["app.py", "--models", self.folder / "models.yaml", "--db", self.db, "--port", str(self.port)]
        began = time.monotonic()
        self.process = subprocess.Popen([sys.executable, *map(str, words)], cwd=ROOT)
        while True:
            assert self.process.poll() is None, "app.py ended by itself"
            assert time.monotonic() < began + PATIENCE / 1000, "app.py does not answer"
            try:
                httpx.get(self.address, timeout=5).raise_for_status()
                break
            except httpx.TransportError:
                time.sleep(0.1)
        self.started_in.append(time.monotonic() - began)

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(PATIENCE / 1000)


@pytest.fixture
def arena(tiny_family: Path, tmp_path: Path) -> Iterator[Arena]:
    (tmp_path / "models.yaml").write_text(MODELS.format(family=tiny_family), encoding="utf-8")
    running = Arena(tmp_path)
    running.start()
    yield running
    running.kill()


def run(*words: object) -> str:
    """Run a module of the project as a user would; return what it prints."""
    command = [sys.executable, "-m", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=COMMAND_SECONDS)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def fight(page: Page, prompt: str, vote: str) -> tuple[str, str]:
    """Fight one battle by clicks; return the names revealed on side A and side B."""
    page.locator("#prompt textarea").fill(prompt)
    page.locator("#send").click()
    expect(page.locator(f"#{vote}")).to_be_enabled(timeout=PATIENCE)
    for name in ("tiny-base", "tiny-sft", "tiny-rlhf"):
        expect(page.locator("body")).not_to_contain_text(name)
    page.locator(f"#{vote}").click()
    expect(page.locator("#reveal")).to_contain_text("Your vote is stored", timeout=PATIENCE)
    a, b = (card.inner_text() for card in page.locator("#reveal .card strong").all())
    page.locator("#new-battle").click()
    expect(page.locator("#reveal")).to_be_hidden()
    expect(page.locator("#prompt textarea")).to_have_value("")
    return a, b


def open_page(browser: Browser, arena: Arena) -> Page:
    page = browser.new_page()
    page.goto(arena.address)
    expect(page.locator("#send")).to_be_visible(timeout=PATIENCE)
    return page


@pytest.mark.slow
def test_votes_by_click_become_a_leaderboard_then_pairs_then_a_reward_model(
    arena: Arena, browser: Browser, tiny_family: Path, tmp_path: Path
) -> None:
    page = open_page(browser, arena)
    revealed = [fight(page, prompt, vote) for prompt, vote in zip(PROMPTS[:4], VOTES[:4], strict=True)]
    page.locator("#prompt textarea").fill(PROMPTS[0])
    page.locator("#send").click()
    arena.kill()
    arena.start()
    page = open_page(browser, arena)
    revealed += [fight(page, prompt, vote) for prompt, vote in zip(PROMPTS[4:], VOTES[4:], strict=True)]
    page.get_by_role("tab", name="Leaderboard").click()
    expect(page.locator("#leaderboard")).to_contain_text("tiny-sft", timeout=PATIENCE)
    page.close()

    clicked = [
        (a, b, {"vote-a": "model_a", "vote-b": "model_b", "vote-tie": "tie", "vote-both-bad": "both_bad"}[vote])
        for (a, b), vote in zip(revealed, VOTES, strict=True)
    ]
    with closing(sqlite3.connect(arena.db)) as ledger:
        stored = ledger.execute("SELECT model_a, model_b, outcome FROM votes ORDER BY rowid").fetchall()
        replies = {
            battle: (prompt, a, b)
            for battle, prompt, a, b in ledger.execute("SELECT id, prompt, reply_a, reply_b FROM battles")
        }
        outcomes = dict(ledger.execute("SELECT battle_id, outcome FROM votes").fetchall())
    assert stored == clicked

    printed = run("ratings.compute", "--db", arena.db, "--out", tmp_path / "board")
    board = json.loads((tmp_path / "board" / "leaderboard.json").read_text(encoding="utf-8"))
    assert board["votes"]["read"] == len(VOTES)
    wins = Counter(a if outcome == "model_a" else b for a, b, outcome in clicked if outcome.startswith("model"))
    assert {row["model"]: row["wins"] for row in board["rows"] if row["wins"]} == dict(wins)
    assert all(row["model"] in printed for row in board["rows"])

    run("ratings.export", "--db", arena.db, "--out", tmp_path / "pairs")
    pairs = [
        json.loads(line)
        for name in ("train.jsonl", "test.jsonl")
        for line in (tmp_path / "pairs" / name).read_text(encoding="utf-8").splitlines()
    ]
    assert pairs
    for pair in pairs:
        prompt, a, b = replies[pair["battle_id"]]
        better, worse = (a, b) if outcomes[pair["battle_id"]] == "model_a" else (b, a)
        assert pair["prompt"][0]["content"] == prompt
        assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == (better, worse)

    out = tmp_path / "reward"
    printed = run("training", "reward", "--pairs", tmp_path / "pairs", "--model", tiny_family / "sft", "--out", out)
    assert "pair_accuracy" in printed
    record = json.loads((out / "stage.json").read_text(encoding="utf-8"))
    assert record["stage"] == "reward"
    assert 0 <= record["heldout"]["pair_accuracy"] <= 1


@pytest.mark.slow
def test_a_killed_server_comes_back_with_the_open_battle(arena: Arena, browser: Browser) -> None:
    page = open_page(browser, arena)
    page.locator("#prompt textarea").fill(PROMPTS[0])
    page.locator("#send").click()
    expect(page.locator("#vote-a")).to_be_enabled(timeout=PATIENCE)
    arena.kill()
    port = arena.port
    arena.start()
    cookies = page.context.cookies(f"http://127.0.0.1:{port}/")
    assert cookies
    page.goto(arena.address)  # another port, the same host: the visitor's cookie comes along
    expect(page.locator("#vote-a")).to_be_enabled(timeout=PATIENCE)
    expect(page.locator("#asked")).to_contain_text(PROMPTS[0])
    page.locator("#vote-a").click()
    expect(page.locator("#reveal")).to_contain_text("Your vote is stored", timeout=PATIENCE)
    page.close()


@pytest.mark.slow
def test_app_stops_quietly_when_it_is_asked_to(arena: Arena) -> None:
    assert arena.process is not None
    arena.process.send_signal(signal.SIGINT)
    assert arena.process.wait(timeout=20) in (0, -signal.SIGINT, 130)
    assert os.path.exists(arena.db)
