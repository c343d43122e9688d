"""Names that stay on their line."""

from ratings.wording import printable


def test_name_cannot_break_its_line_or_colour_the_terminal() -> None:
    assert printable("rlhf ✓\n\x1b[31m") == "rlhf ✓\\n\\x1b[31m"
