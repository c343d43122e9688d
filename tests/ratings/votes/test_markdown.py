"""Looks of a reply are counted by simple rules, and in no time whatever the reply is."""

import time

import pytest

from ratings.votes.markdown import FEATURES, Style, measure_style


@pytest.mark.parametrize(
    ("text", "headers", "bold", "lists"),
    [
        ("", 0, 0, 0),
        ("plain **words** and __more__ of **them**", 0, 3, 0),
        ("# One\n## Two\n#no\n####### seven\n   ### Three\n#", 4, 0, 0),
        ("- a\n* b\n+ c\n1. d\n  2) e\n-no\n1.no\n-", 0, 0, 5),
        ("```\n# no\n- no\n**no**\n```\n# yes", 1, 0, 0),
        ("~~~~\n- no\n~~~\n- no\n~~~~\n- yes", 0, 0, 1),
        ("```py\n# never closed", 0, 0, 0),
        ("* * *\n---\n***\n___", 0, 0, 0),
        ("`**no**` 2 ** 3 ** 4 and snake__case__name", 0, 0, 0),
        ("**open\nclose**", 0, 0, 0),
        ("- **a**: b\n- ***c***", 0, 2, 2),
        ("****", 0, 0, 0),
    ],
)
def test_markdown_is_counted_by_simple_rules(text: str, headers: int, bold: int, lists: int) -> None:
    assert measure_style(text) == Style(len(text), headers, bold, lists)
    assert tuple(Style.__annotations__) == FEATURES


def test_length_leaves_out_the_white_space_around() -> None:
    assert measure_style("  \n ab c \n").length == 4


@pytest.mark.parametrize("text", ["**a " * 50_000, "__" * 100_000, "`" * 100_001, "- " * 100_000, "* " * 100_000 + "x"])
def test_hostile_markdown_takes_no_time(text: str) -> None:

    start = time.process_time()
    measure_style(text)
    assert time.process_time() - start < 2
