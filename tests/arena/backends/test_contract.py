"""The backends that need no server keep the contract."""

import pytest

from arena.backends.base import Backend
from arena.backends.scripted import ScriptedBackend
from tests.arena.helpers.contract import Contract

WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"


class TestScripted(Contract):
    test_a_prompt_that_does_not_fit_is_refused = None  # it takes prompts of any length

    @pytest.fixture
    def backend(self) -> Backend:
        return ScriptedBackend([WORDS, f"{WORDS} and so on"], seconds_per_word=0.002)


class TestTransformers(Contract):
    """By the fixture of the whole session, one tiny checkpoint."""
