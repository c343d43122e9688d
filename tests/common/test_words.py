"""One vote, two votes."""

from common.words import plural


def test_one_is_singular_and_all_else_plural() -> None:
    assert [plural(n, "vote") for n in (0, 1, 2, 1200)] == ["0 votes", "1 vote", "2 votes", "1200 votes"]
    assert plural(2, "entry", "entries") == "2 entries"
    assert plural(1200, "vote", commas=True) == "1,200 votes"
