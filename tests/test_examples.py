"""The examples do what their pages say: every command shown is run, on a family that is small enough."""

import csv
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arena.config import load_models
from tests.paths import ROOT
from training.recipe import load_recipe

EXAMPLES = ROOT / "examples"
PAGES = sorted(EXAMPLES.rglob("README.md"))
SECONDS = 300.0  # that any one command may take


def commands(page: Path) -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line.strip()]


def run(words: list[str], folder: Path, **more: Any) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *words[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        **more,
    )
    assert done.returncode == 0, f"{words}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder in which the commands write, with what they read; modules come from the checkout itself."""
    for name in ("app.py", "checkpoints", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, f"{path}.{key}".removeprefix("."))
    else:
        yield path, tree


def test_every_example_has_a_page_that_shows_a_command() -> None:
    folders = [path for path in EXAMPLES.iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert len(folders) == 3
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for folder in folders:
        assert f"]({folder.name})" in listed
        assert all(words[0] == "python" for words in commands(folder / "README.md"))
        assert commands(folder / "README.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_own_votes_are_said_to_be_simulated_and_counted_right() -> None:
    page = (EXAMPLES / "own_votes" / "README.md").read_text(encoding="utf-8")
    with (EXAMPLES / "own_votes" / "simulated_votes.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert f"{len(rows)} votes" in page
    assert sum(row["winner"] == "" for row in rows) == 5
    assert "drawn at random" in page


def test_own_votes_become_a_board_and_a_page(checkout: Path) -> None:
    (command,) = commands(EXAMPLES / "own_votes" / "README.md")
    printed = run(command, checkout)
    assert "355 votes on 5 models, 5 left out (5 missing outcome)" in printed
    assert "rlhf against dpo" in printed
    assert "<h1>" in (checkout / "boards" / "own_votes" / "leaderboard.html").read_text(encoding="utf-8")


def test_own_checkpoints_are_contestants() -> None:
    models = load_models(EXAMPLES / "own_checkpoints" / "models.yaml")
    assert [contestant.name for contestant in models.contestants] == [
        "our-chat-model",
        "our-tuned-model",
        "our-tuned-model-greedy",
    ]


@pytest.mark.slow
def test_own_checkpoints_are_voted_on_and_rated(checkout: Path) -> None:
    serve, rate = commands(EXAMPLES / "own_checkpoints" / "README.md")
    models, db = serve[serve.index("--models") + 1], serve[serve.index("--db") + 1]
    # Synthetic voters take the place of the people at the page.
    run(["python", "-m", "benchmarks.board", "--battles", "12", "--models", models, "--db", db], checkout)
    assert "our-tuned-model" in run(rate, checkout)
    assert (checkout / "boards" / "own_checkpoints" / "leaderboard.html").is_file()


def test_own_recipe_differs_from_nano_where_a_comment_says_so() -> None:
    path = EXAMPLES / "own_recipe" / "storyteller.yaml"
    own, nano = (dict(leaves(load_recipe(name).model_dump())) for name in (str(path), "nano"))
    changed = {key.rpartition(".")[2] for key in own if own.get(key) != nano.get(key)} - {"name"}
    lines = path.read_text(encoding="utf-8").splitlines()
    marked = {line.strip().partition(":")[0] for line in lines if "  # " in line}
    assert marked == {"seed", "mixture", "tasks", "context", "algorithm"}
    assert changed - {"stories", "questions", "statements"} == marked - {"mixture"}


@pytest.mark.slow
def test_own_recipe_makes_a_family_that_can_be_asked(checkout: Path, tiny_settings: list[str]) -> None:
    make, chat = commands(EXAMPLES / "own_recipe" / "README.md")
    (checkout / "checkpoints").unlink()
    run([*make, *tiny_settings], checkout)
    run(chat, checkout, input="Hello!\n")
