"""docs/extending.md works: its changes are applied to a copy of the checkout, and its commands run there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
COPIED = ("arena", "common", "ratings", "training", "benchmarks")
SECONDS = 300.0  # that any one command may take


def blocks(section: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL)


def hunks(section: str) -> Iterator[tuple[str, str, str]]:
    """Yield the file, the text before and the text after of each change that a section shows."""
    for block in blocks(section, "diff"):
        for name, body in re.findall(r"^@@ (\S+) @@\n((?:[ +-].*\n|\n)+)", block, re.MULTILINE):
            lines = body.splitlines(keepends=True)
            yield name, "".join(n[1:] for n in lines if n[0] != "+"), "".join(n[1:] for n in lines if n[0] != "-")


def apply_changes(section: str, folder: Path) -> list[str]:
    """Apply a section's changes below a folder; return the files that were touched."""
    touched = []
    for name, before, after in hunks(section):
        path = folder / name
        text = path.read_text(encoding="utf-8") if before else ""
        assert before or not path.exists(), f"{name} exists: its change needs a line to hold on to"
        assert not before or text.count(before) == 1, f"{name} holds these lines {text.count(before)} times:\n{before}"
        path.write_text(text.replace(before, after) if before else after, encoding="utf-8")
        touched.append(name)
    return list(dict.fromkeys(touched))


def run_commands(section: str, folder: Path, more: tuple[str, ...] = ()) -> None:
    """Run a section's commands and look for what the page says they print."""
    for block in blocks(section, "console"):
        for command, expected in re.findall(r"^\$ (.*)\n((?:[^$\n].*\n|\n)*)", block, re.MULTILINE):
            words = [sys.executable, *shlex.split(command)[1:], *more]
            environment = {**os.environ, "PYTHONPATH": str(folder)}
            done = subprocess.run(
                words, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stderr[-2000:]}"
            assert set(expected.splitlines()) <= {line.rstrip() for line in done.stdout.splitlines()}, done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the code that a test may change."""
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def named_files(section: str) -> list[str]:
    """Return the files and folders that the table on top of the page names for a section."""
    (row,) = re.findall(rf"^\| \[{section}\][^|]*\| (.*) \|$", PAGE, re.MULTILINE | re.IGNORECASE)
    return re.findall(r"`([^`]+)`", row)


@pytest.mark.parametrize("section", [name for name in SECTIONS if blocks(name, "diff")])
def test_the_table_names_every_file_that_a_change_touches(section: str) -> None:
    touched = {name for name, _, _ in hunks(section) if name.split("/")[0] in COPIED}
    assert touched
    for name in touched:
        assert any(name.startswith(named) or name.endswith(named) for named in named_files(section)), name


@pytest.mark.parametrize(
    "section",
    [
        "A column of the leaderboard",
        "A vote format",
        "An interval method",
        "A backend",
        "A task",
        "An outcome",
    ],
)
def test_what_the_page_adds_works(section: str, checkout: Path) -> None:
    assert apply_changes(section, checkout)
    assert blocks(section, "console")
    run_commands(section, checkout)


@pytest.mark.slow
def test_the_trainer_that_the_page_adds_trains(checkout: Path, tiny_family: Path, tiny_settings: list[str]) -> None:
    apply_changes("A trainer", checkout)
    shutil.copytree(tiny_family, checkout / "family")
    run_commands("A trainer", checkout, tuple(tiny_settings))
    assert (checkout / "family" / "kto" / "stage.json").is_file()
