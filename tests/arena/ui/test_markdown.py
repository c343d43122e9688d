"""Markdown of replies: every line, number and word that was written is shown."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.ui.render import GrowingReply, render_reply
from tests.arena.helpers.rendered import Checker, lines


def test_ordinary_markdown_is_rendered() -> None:
    text = "# Cold\n\n*One* **two** ~~three~~ `x < y`\n\n- a\n- b\n\n> q\n\n|a|b|\n|-|-|\n|1|2|\n\n```py\nx = 1\n```"
    rendered = render_reply(text)
    for part in ('<h3 dir="auto">Cold</h3>', "<em>One</em>", "<strong>two</strong>", "<s>three</s>", "<li>b</li>",
                 "<code>x &lt; y</code>", "<blockquote dir", "<td>2</td>", "<pre><code>x = 1\n</code>"):  # fmt: skip
        assert part in rendered


VERSES = {
    "a verse": "Roses are red,\nviolets are blue,\nsugar is sweet.",
    "two verses": "One,\ntwo.\n\nThree,\nfour.",
    "spaces at line ends": "One, \ntwo,  \nthree.",
    "lines in an item": "- One,\n  two.\n- Three,\n  four.",
    "lines in a quote": "> One,\n> two.",
    "lines in emphasis": "*One,\ntwo.*",
    "indented lines": "One,\n   two,\n three.",
    "a conversation": "A: Hello.\nB: Hello to you.\nA: And to you.",
    "paragraphs of an item": "- One.\n\n  Two.\n- Three.",
    "Windows line ends": "One,\r\ntwo.",
    "lines of code": "```\none\n\ntwo\n```",
}


@pytest.mark.parametrize("name", VERSES)
def test_a_reply_that_has_ended_has_the_lines_that_it_had_while_it_grew(name: str) -> None:
    written = [re.sub(r"^[-> *]+|\*$", "", line).strip() for line in re.split(r"\r?\n", VERSES[name])]
    assert lines(render_reply(VERSES[name])) == [line for line in written if line and line != "```"]


def test_the_numbers_of_a_list_stay_as_they_were_written() -> None:
    rendered = render_reply("4. four\n9. nine\n12. twelve")
    assert re.findall(r'<li value="(\d+)">(\w+)', rendered) == [("4", "four"), ("9", "nine"), ("12", "twelve")]


def test_headings_begin_below_those_of_the_page_and_skip_no_level() -> None:
    rendered = render_reply("### Deep\n\n# High\n\n#### Deeper\n\n##### Deepest\n\n## Middle\n\nSetext\n===")
    levels = [int(level) for level in re.findall(r"<h(\d)", rendered)]
    assert levels == [3, 3, 4, 5, 4, 3]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8))
def test_no_heading_lies_more_than_one_level_below_the_one_before(written: list[int]) -> None:
    text = "\n\n".join(f"{'#' * level} x" for level in written)
    grown = GrowingReply()
    for end in range(1, len(text) + 1):
        growing = "".join(grown.render(text[:end]))
    for rendered in (render_reply(text), growing):
        levels = [2, *(int(level) for level in re.findall(r"<h(\d)", rendered))]
        assert all(3 <= level <= before + 1 for before, level in pairwise(levels))


def test_a_heading_a_head_cell_or_a_link_without_words_is_none() -> None:
    assert "<h" not in render_reply("#\n\n##   ")
    table = render_reply("|  | b |\n|-|-|\n| 1 | 2 |")
    assert table.count("<th") - table.count("<thead") == 1
    assert '<th scope="col">b' in table
    assert ">https://example.org/a</a>" in render_reply("[](https://example.org/a)")


KEPT = {
    "a reference": "[1]: https://example.org",
    "a used reference": "See [this][1].\n\n[1]: https://example.org",
    "a cell too many": "| a |\n|---|\n| b | c |",
    "deep quotes": ">" * 300 + " deep",
    "deep lists": "\n".join("  " * depth + f"- item{depth}" for depth in range(90)),
    "deep mixture": "> - " * 20 + "deep",
    "a bad link": "[docs](docs/readme.md)",
    "an odd link": "<javascript:alert(1)>",
    "HTML": "<div>\nx\n</div>",
}


@pytest.mark.parametrize("name", KEPT)
def test_nothing_that_was_written_is_lost(name: str) -> None:
    shown = render_reply(KEPT[name])
    checker = Checker()
    checker.feed(shown)
    for word in re.findall(r"\w+", KEPT[name]):
        assert word in checker.text or word in checker.links


def test_what_can_scroll_can_be_reached_by_keyboard_and_has_a_name() -> None:
    rendered = render_reply("```\nx\n```\n\n    indented\n\n|a|\n|-|\n|b|")
    assert re.findall(r'<div class="scroll" role="group" aria-label="(\w+)" tabindex="0">', rendered) == [
        "Code", "Code", "Table",
    ]  # fmt: skip


def test_every_block_takes_its_direction_from_its_own_text() -> None:
    rendered = render_reply("مرحبا\n\n# عنوان\n\n- واحد\n\n> قول\n\nHello.")
    assert re.findall(r'<(\w+) dir="auto"', rendered) == ["p", "h3", "ul", "blockquote", "p"]
    assert GrowingReply().render("مرحبا") == ['<p class="growing" dir="auto">مرحبا']
