"""Replies to HTML: any text of a model produces only a few harmless tags."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.arena.helpers.rendered import check

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
def test_an_honest_link_opens_a_new_tab_without_referrer(address: str) -> None:
    assert check(f"See [here]({address}).").links == [address]


@pytest.mark.parametrize(
    "image",
    ["![a cat](https://evil.example/pixel.png)", "![a cat](pixel.png)", "![a cat](data:image/png;base64,x 't')"],
)
def test_an_image_is_named_neither_loaded_nor_linked(image: str) -> None:
    checker = check(f"See {image}!")
    assert checker.text.strip() == "See [image: a cat]!"
    assert checker.links == []


def test_an_image_inside_a_link_or_without_words_is_named_too() -> None:
    assert check("[![a cat](x.png)](https://example.org)").text.strip() == "[image: a cat]"
    assert check("![](x.png)").text.strip() == "[image]"
    assert check("![a [b](https://c.example) ![d](e.png)](f.png)").links == []


@given(st.text(alphabet="<>&\"'`*_~[]()!#-+=|\\:/ \n\tajhtps1.", max_size=60))
@example("<a\n[x](javascript:1)")
@example("| a |\n|---|\n<script>")
def test_no_text_gives_more_than_the_allowed_tags(text: str) -> None:
    check(text)
