"""Replies while they grow, and long or nested ones that could stall a server: all of them are cheap."""

import time
from itertools import pairwise, zip_longest

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from arena.ui.render import MOST_CHARACTERS, GrowingReplies, GrowingReply, render_reply
from tests.arena.helpers.rendered import check

MOMENT = 2.0  # seconds of a processor: ten times what was measured, and a hundredth of what a stall would take

LONG = {
    "brackets": "[",
    "stars": "*",
    "quotes": ">",
    "backticks": "`",
    "underlines": "_",
    "tags": "<",
    "tildes": "~",
    "letters": "x",
    "accents": "a\u0301",
    "heaped accents": "\u0301",
    "joiners": "\u200d",
    "link starts": "[a](",
    "links": "[a](http://x.y) ",
    "image starts": "![[",
    "images in images": "![a",
    "half emphasis": "**a",
    "mixed emphasis": "_a*",
    "table": "x|y\n",
    "items": "- a\n",
    "lists in quotes": "> - ",
    "code spans": "`a``b```",
    "references": "[x]: /u\n",
    "entities": "&amp",
    "prose": "It went on and on.\n\n",
    "verses": "It went on.\n",
    "Chinese": "漢字",
}


@pytest.mark.parametrize("letters", [2_900, 100_000])
@pytest.mark.parametrize("name", LONG)
def test_a_long_pathological_reply_takes_the_server_a_moment(name: str, letters: int) -> None:
    text = (("a|b\n-|-\n" if name == "table" else "") + LONG[name] * letters)[:letters]
    check(text)
    growing = GrowingReply()
    for render in (render_reply, growing.render, growing.render):
        began = time.process_time()  # the processor's time: a busy machine does not count
        render(text)
        assert time.process_time() - began < MOMENT


def test_a_deep_list_takes_the_server_a_moment() -> None:
    text = "\n".join("  " * depth + "- a" for depth in range(1000))
    began = time.process_time()
    assert "- a" in render_reply(text)
    assert time.process_time() - began < MOMENT


def test_an_update_of_a_long_reply_is_small_and_quick() -> None:
    text = ("The quick brown fox jumps over it. " * 8 + "\n\n") * 350
    growing, before, sent = GrowingReply(), [""], 0
    began = time.process_time()
    for end in range(0, len(text), 100):
        pieces = growing.render(text[:end])
        for old, new in zip_longest(before, pieces, fillvalue=""):
            sent += len(new.removeprefix(old)) if new != old else 0
        before = pieces
    assert sent < 4 * len(text)
    assert time.process_time() - began < MOMENT * len(text) / 10_000


def test_a_long_block_is_not_read_again_for_every_letter() -> None:
    text = "a|b\n-|-\n" + "x|y\n" * 1400
    growing = GrowingReply()
    began = time.process_time()
    for end in range(0, len(text), 10):
        growing.render(text[:end])
    assert time.process_time() - began < 5 * MOMENT


def test_what_is_too_much_to_format_is_shown_as_it_was_written_and_says_so() -> None:
    text = "# Head\n\n" + "*a* " * 5000
    for rendered in (render_reply(text), "".join(GrowingReply().render(text))):
        assert '<h3 dir="auto">Head</h3>' in rendered
        assert "without formatting" in rendered
        assert "*a* *a* *a*" in rendered
    assert "without formatting" not in render_reply("# Head\n\n" + "*a* " * 500)


def test_a_reply_beyond_all_bounds_says_how_much_of_it_is_not_shown() -> None:
    text = "x" * (MOST_CHARACTERS + 1234)
    for rendered in (render_reply(text), "".join(GrowingReply().render(text))):
        assert "x" * MOST_CHARACTERS in rendered
        assert "1,234 more characters are not shown." in rendered


def test_heaped_accents_are_left_out_with_a_word_and_those_of_languages_stay() -> None:
    rendered = render_reply("a" + "\u0301" * 1016 + "b")
    assert "a" + "\u0301" * 16 + "[1,000 accents left out]b" in rendered
    for text in ("Việt Nam", "\u0e01\u0e33\u0e25\u0e31\u0e07", "👩‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "नमस्ते " * 40):
        assert text.strip() in render_reply(text)


BLOCKS = [
    "Hello.",
    "# Head",
    "## Below",
    "- a\n- b",
    "1. x",
    "> quote <b>",
    "```\ncode <i>\n\nmore\n```",
    "| a |\n|-|\n| b |",
    "***",
]


@given(st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=6), st.integers(1, 7))
def test_while_a_reply_grows_its_finished_pieces_stay(blocks: list[str], step: int) -> None:
    text = "\n\n".join(blocks)
    growing, finished = GrowingReply(), list[str]()
    for end in range(1, len(text) + 1, step):
        *now, last = growing.render(text[:end])
        assert now[: len(finished)] == finished
        assert last.startswith('<p class="growing" dir="auto">')
        assert "<" not in last[3:]
        finished = now


@given(st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=6))
def test_a_reply_that_was_watched_looks_like_one_that_was_not(blocks: list[str]) -> None:
    # Two lists in a row are one list, whose items stand apart.
    assume(all(one != other for one, other in pairwise(blocks)))
    text = "\n\n".join([*blocks, "The end"])
    growing = GrowingReply()
    for end in range(1, len(text) + 1):
        *pieces, last = growing.render(text[:end])
    assert last == '<p class="growing" dir="auto">The end'
    assert "".join(pieces) + '<p dir="auto">The end</p>\n' == render_reply(text)


def test_the_last_block_stays_plain_text_until_the_next_begins() -> None:
    assert GrowingReply().render("One.\n\n**Two") == ['<p dir="auto">One.</p>\n', '<p class="growing" dir="auto">**Two']
    assert GrowingReply().render("One.\n\n**Two**\n\nThree") == [
        '<p dir="auto">One.</p>\n<p dir="auto"><strong>Two</strong></p>\n',
        '<p class="growing" dir="auto">Three',
    ]
    assert GrowingReply().render("") == ['<p class="growing" dir="auto">']


def test_a_reply_that_begins_anew_is_rendered_anew() -> None:
    growing = GrowingReply()
    growing.render("One.\n\nTwo.\n\nThree")
    assert growing.render("Other.\n\nText") == ['<p dir="auto">Other.</p>\n', '<p class="growing" dir="auto">Text']


def test_replies_that_grow_side_by_side_keep_apart_and_a_forgotten_one_is_found_again() -> None:
    replies = GrowingReplies(kept=2)
    for end in range(1, 12):
        for key in "abc":
            text = f"One of {key}.\n\nTwo of {key}"[:end]
            assert replies.render(key, text) == GrowingReply().render(text)
