"""Copies of the corpus's files, which a test may break."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from training.data.tasks import tasks
from training.data.world import lexicon, skeletons


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Copies of the lexicon, the tasks and the stories that a test may break, their caches emptied."""
    for name in ("lexicon", "tasks", "stories", "forms"):
        shutil.copytree(skeletons.FOLDER / name, tmp_path / name)
    monkeypatch.setattr(lexicon, "FOLDER", tmp_path / "lexicon")
    monkeypatch.setattr(tasks, "FOLDER", tmp_path / "tasks")
    monkeypatch.setattr(skeletons, "FOLDER", tmp_path)
    monkeypatch.setattr(skeletons, "ENDINGS", tmp_path / "endings.yaml")
    caches = (
        *(lexicon.read_lexicon, tasks.read_tasks),
        *(skeletons.read_stories, skeletons.read_forms, skeletons.read_endings),
    )
    for cached in caches:
        cached.cache_clear()
    yield tmp_path
    for cached in caches:
        cached.cache_clear()
