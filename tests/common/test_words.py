"""Numbers in sentences."""

from common.words import plural


def test_the_noun_follows_the_number() -> None:
    assert [plural(n, "vote") for n in (0, 1, 2, 1200)] == ["0 votes", "1 vote", "2 votes", "1,200 votes"]
    assert [plural(n, "entry", "entries") for n in (1, 2)] == ["1 entry", "2 entries"]
