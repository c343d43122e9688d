"""Which prompts are the same."""

import pytest

from common.prompts import prompt_key


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("Why?", "why", True),
        ("Why is  the\n sky blue?", "why is the sky blue ?!.", True),
        ("ﬁne", "FINE", True),
        ("straße", "STRASSE", True),
        ("café", "cafe\u0301", True),
        ("Why?", "Why not?", False),
        ("?", "!", False),
        ("...", "?", False),
        ("a.b", "ab", False),
        ("2 + 2", "2 - 2", False),
        ("C", "C#", False),
    ],
)
def test_prompts_that_ask_the_same_share_a_key(one: str, other: str, is_same: bool) -> None:
    assert (prompt_key(one) == prompt_key(other)) is is_same
    assert prompt_key(prompt_key(one)) == prompt_key(one)
