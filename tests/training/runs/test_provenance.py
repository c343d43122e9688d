"""Where a checkpoint says that it comes from."""

import subprocess

import pytest

from tests.paths import ROOT
from training.runs.provenance import source_commit


def test_the_source_is_the_commit_of_this_checkout() -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    commit, _, changes = source_commit().partition("+")
    assert commit == head.strip()
    assert changes in ("", "changes")


def test_without_git_the_source_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert source_commit() == "unknown"
