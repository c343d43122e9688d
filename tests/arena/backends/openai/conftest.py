"""Endpoints that rest only briefly, for the tests that are about something else."""

import pytest

from arena.backends.openai import pool


@pytest.fixture
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "FIRST_REST", 0.02)
    monkeypatch.setattr(pool, "LOOK_SECONDS", 0.005)
