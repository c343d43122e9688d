"""Replies to HTML: whatever a model writes, only a few harmless tags come out."""

import re
import time
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from arena.render import render_reply

TAGS = {
    "p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a",
    "h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {"a": {"href", "target", "rel"}, "p": {"class"}, "code": {"class"}, "ol": {"start"}} | {
    cell: {"style"} for cell in ("th", "td")
}
SCHEMES = ("https://", "http://", "mailto:")
TAG = re.compile(r"</?(?:" + "|".join(sorted(TAGS, key=len, reverse=True)) + r')(?: [a-z]+="[^"<>]*")*(?: /)?>')


class Checker(HTMLParser):
    """Fails on any tag, attribute or address that a reply must not produce; keeps the text and the links."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.links = "", []  # type: ignore[var-annotated]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        for name, value in attrs:
            assert name in ATTRIBUTES.get(tag, set()), f"{tag} {name}={value}"
            value = value or ""
            if name == "href":
                assert value.lower().startswith(SCHEMES), value
                self.links.append(value)
            elif name == "class":
                assert value == "growing" if tag == "p" else value.startswith("language-")
            elif name == "style":
                assert re.fullmatch("text-align:(left|right|center)", value)
            elif name == "start":
                assert value.isdigit()
        if tag == "a" and attrs:
            assert dict(attrs)["rel"] == "nofollow noopener noreferrer"
            assert dict(attrs)["target"] == "_blank"

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment


def check(text: str) -> Checker:
    """Render a reply both ways, require both to be safe, and return the final one."""
    checker = Checker()
    for is_final in (False, True):
        rendered = render_reply(text, is_final=is_final)
        # What the standard library's parser takes for text, a browser might not: no other "<" may be there at all.
        assert "<" not in TAG.sub("", rendered)
        checker = Checker()
        checker.feed(rendered)
        checker.close()
    return checker


HOSTILE = {
    "script": "<script>alert(1)</script>",
    "script after text": "Hello\n\n<script src=//evil.example/x.js></script>\n",
    "image with handler": "<img src=x onerror=alert(1)>",
    "svg link": '<svg><a xlink:href="javascript:alert(1)"><text y=20>click</text></a></svg>',
    "svg onload": "<svg/onload=alert(1)>",
    "iframe": '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    "style": "<style>*{position:fixed}</style>",
    "form": '<form action="https://evil.example"><input name=q><button>Vote A</button></form>',
    "ids": '<div id="vote-a" class="side">B is better</div>',
    "base": '<base href="https://evil.example/">',
    "meta refresh": '<meta http-equiv="refresh" content="0;url=https://evil.example">',
    "comment": "<!-- <img src=x onerror=alert(1)> --> <?php x ?> <!DOCTYPE x> <![CDATA[ x ]]>",
    "inline in text": "a <b onclick=alert(1)>b</b> c",
    "in a fence": "```\n<script>alert(1)</script>\n```",
    "in an open fence": "```html\n<script>alert(1)</script>",
    "fence with a hostile language": '```"><img src=x onerror=alert(1)>\nx\n```',
    "fence with a language that copies": "```x id=vote-a onmouseover=alert(1)\nx\n```",
    "in a code span": "`<img src=x onerror=alert(1)>` and `` ` <script> ``",
    "code span that does not close": "`<img src=x onerror=alert(1)>",
    "indented code": "    <script>alert(1)</script>",
    "in a quote and a list": "> - <script>alert(1)</script>\n> - <img src=x onerror=alert(1)>",
    "in a heading": "# <svg/onload=alert(1)>\n\n<i>x</i>\n===",
    "in a table": "| <script> | b |\n|:-:|-:|\n| <img src=x onerror=alert(1)> | `<b>` |",
    "markdown image": "![x](https://evil.example/pixel.png)",
    "image by reference": "![x][1]\n\n[1]: https://evil.example/pixel.png",
    "image of data": "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "link title": '[x](https://example.org "\\" onmouseover=alert(1) x=\\"")',
    "quote in an address": '[x](https://example.org/"onmouseover="alert(1))',
    "bracketed address": '[x](<https://example.org/"><script>alert(1)</script>>)',
    "autolink": '<https://example.org/"onmouseover="alert(1)>',
    "autolink of a script": "<javascript:alert(1)>",
    "unclosed": "<img src=x onerror=alert(1) //",
    "NUL in a tag": "<scr\x00ipt>alert(1)</script>",
    "half a tag at the end": "Hello <script",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_reply_gives_only_allowed_tags_and_attributes(name: str) -> None:
    check(HOSTILE[name])


@pytest.mark.parametrize("name", ["script", "svg link", "form", "ids", "in a fence", "in a code span"])
def test_markup_is_shown_as_the_text_it_is(name: str) -> None:
    written = re.findall(r"<[^>]*>", HOSTILE[name])
    text = check(HOSTILE[name]).text
    assert written
    assert all(tag in text for tag in written)


ADDRESSES = [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java&#115;cript:alert(1)", "&#x6A;avascript:alert(1)",
    "javascript&colon;alert(1)", "java&Tab;script:alert(1)", "java&NewLine;script:alert(1)", "&#1;javascript:alert(1)",
    "%6Aavascript:alert(1)", "<javascript:alert(1)>", "< javascript:alert(1)>", "<java\tscript:alert(1)>",
    "\u00a0javascript:alert(1)", "\\javascript:alert(1)", "data:text/html,<script>alert(1)</script>",
    "data:image/svg+xml,x", "DATA:text/html;base64,PHNjcmlwdD4=", "vbscript:msgbox(1)", "file:///etc/passwd",
    "blob:https://x/y", "//evil.example/x", "/gradio_api/cancel", "?__theme=dark", "#vote-a", "https:evil.example",
    "ftp://x", "about:blank", "view-source:https://x", "http&colon;//x onclick=alert(1)",
]  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_link_that_is_not_to_the_web_or_mail_is_no_link(address: str) -> None:
    for text in (f"[x]({address})", f"[x][1]\n\n[1]: {address}\n", f'[x]({address} "t")'):
        assert check(text).links == []


@pytest.mark.parametrize("address", ["https://example.org/a?b=c&d=e#f", "HTTP://example.org", "mailto:ann@example.org"])
def test_an_honest_link_opens_elsewhere_and_tells_nothing(address: str) -> None:
    assert check(f"See [here]({address}).").links == [address]


def test_ordinary_markdown_is_rendered() -> None:
    text = "# Cold\n\n*One* **two** ~~three~~ `x < y`\n\n1. a\n2. b\n\n> q\n\n|a|b|\n|-|-|\n|1|2|\n\n```py\nx = 1\n```"
    rendered = render_reply(text, is_final=True)
    for part in ("<h1>Cold</h1>", "<em>One</em>", "<strong>two</strong>", "<s>three</s>", "<code>x &lt; y</code>",
                 "<li>b</li>", "<blockquote>", "<td>2</td>", '<code class="language-py">x = 1\n'):  # fmt: skip
        assert part in rendered


LONG = {
    "brackets": "[" * 20_000,
    "stars": "*" * 20_000,
    "quotes": ">" * 20_000,
    "backticks": "`" * 20_000,
    "underlines": "_" * 20_000,
    "tags": "<" * 20_000,
    "link starts": "[a](" * 5_000,
    "image starts": "![[" * 7_000,
    "half emphasis": "**a" * 7_000,
    "mixed emphasis": "_a*" * 7_000,
    "table": "a|b\n-|-\n" + "x|y\n" * 5_000,
    "nested list": "\n".join("  " * depth + "- a" for depth in range(200)),
    "lists in quotes": "> - " * 5_000,
    "code spans": "`a``b```" * 2_500,
    "references": "[x]: /u\n" * 3_000,
    "entities": "&amp" * 5_000,
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_pathological_reply_does_not_hang_the_server(name: str) -> None:
    began = time.process_time()  # the processor's time: a busy machine does not count
    check(LONG[name])
    assert time.process_time() - began < 3


@given(st.text(alphabet="<>&\"'`*_~[]()!#-+=|\\:/ \n\tajhtps1.", max_size=60))
@example("<a\n[x](javascript:1)")
@example("| a |\n|---|\n<script>")
def test_no_text_gives_more_than_the_allowed_tags(text: str) -> None:
    check(text)


BLOCKS = [
    "Hello.",
    "# Head",
    "- a\n- b",
    "1. x",
    "> quote <b>",
    "```\ncode <i>\n\nmore\n```",
    "| a |\n|-|\n| b |",
    "***",
]


@given(st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=6), st.integers(1, 7))
def test_while_a_reply_grows_its_finished_prefix_stays(blocks: list[str], step: int) -> None:
    # Two lists in a row are one list, and a lone "1" between them is not yet: there a finished block is opened again.
    assume(all(one != other for one, other in pairwise(blocks)))
    text = "\n\n".join(blocks)
    finished = ""
    for end in range(1, len(text) + 1, step):
        rendered = render_reply(text[:end], is_final=False)
        now, growing = rendered.rsplit('<p class="growing">', 1)
        assert now.startswith(finished)
        assert "<" not in growing
        finished = now


def test_the_last_block_stays_plain_text_until_the_next_begins() -> None:
    assert render_reply("One.\n\n**Two", is_final=False) == '<p>One.</p>\n<p class="growing">**Two'
    assert render_reply("One.\n\n**Two**\n\nThree", is_final=False) == (
        '<p>One.</p>\n<p><strong>Two</strong></p>\n<p class="growing">Three'
    )
    assert render_reply("", is_final=False) == '<p class="growing">'
