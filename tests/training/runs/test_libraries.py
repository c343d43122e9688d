"""The libraries stay offline unless a recipe needs them, and keep what the user has set."""

import os

import pytest

from training.runs.libraries import prepare_libraries


@pytest.mark.parametrize(("is_offline", "offline"), [(True, "1"), (False, None)])
def test_the_hub_is_asked_only_where_a_recipe_needs_it(
    monkeypatch: pytest.MonkeyPatch, is_offline: bool, offline: str | None
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    prepare_libraries(is_offline=is_offline)
    assert os.environ.get("HF_HUB_OFFLINE") == offline
    assert os.environ["TOKENIZERS_PARALLELISM"] == "true"
