"""Replies to safe HTML. A reply is hostile text: a model can be led to write anything.

Markdown is turned into HTML on the server by a CommonMark parser with raw HTML off, images off and links limited to
web and mail addresses, so what reaches the browser holds only tags that this file can produce: no scripts, styles,
forms, ids or remote content. The page's content security policy and the containment of each side are further walls.
"""

import html
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

SCHEMES = ("https://", "http://", "mailto:")


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
    parser.validateLink = lambda url: url.lower().startswith(SCHEMES)  # type: ignore[method-assign]
    parser.add_render_rule("link_open", _open_link)
    return parser


def _open_link(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    href = html.escape(str(tokens[index].attrGet("href") or ""))
    if not href:
        return "<a>"  # an empty address would open this page again
    return f'<a href="{href}" target="_blank" rel="nofollow noopener noreferrer">'


MARKDOWN = _parser()


def render_reply(text: str, *, is_final: bool) -> str:
    """Return a reply as HTML.

    While it grows, only its finished blocks are rendered and the last block stays escaped plain text, so that what
    is sent mostly grows at its end and an update costs a few bytes.
    """
    if is_final:
        return str(MARKDOWN.render(text))
    last = max((t.map[0] for t in MARKDOWN.parse(text) if t.level == 0 and t.map), default=0)
    lines = text.split("\n")
    finished, growing = "\n".join(lines[:last]), "\n".join(lines[last:])
    return f'{MARKDOWN.render(finished)}<p class="growing">{html.escape(growing)}'
