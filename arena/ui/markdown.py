"""Markdown to the few HTML tags that a reply may contain.

A CommonMark parser with tables and strikethrough, restricted for text by strangers: no HTML, no ids, links only to web
and mail addresses, images as words. Every line end is kept (models write verses and lists that CommonMark would join),
list numbers stay as written, headings continue the page's levels, and boxes that scroll can be scrolled from the
keyboard. Where CommonMark would drop text (too deep nesting, table rows longer than the head) it is shown as written.
"""

from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.table import escapedSplit, table
from markdown_it.token import Token
from markupsafe import Markup, escape

SCHEMES = ("https://", "http://", "mailto:")
DEEPEST = 14  # nested quotes and lists; a list and its item count one each
HEADINGS = (3, 4, 5, 6)  # the page's own are 1 and 2
SCROLLS = Markup('<div class="scroll" role="group" aria-label="{}" tabindex="0">')
CODE = SCROLLS + Markup("<pre><code>{}</code></pre></div>\n")
LINK = Markup('<a href="{}" target="_blank" rel="nofollow noopener noreferrer">{}')
PLAIN = Markup('<p class="plain" dir="auto">{}</p>\n')


class ReplyRenderer(RendererHTML):
    """Writes tokens as HTML; each method writes the token it is named after.

    The parser concatenates what they return, so it is plain str: Markup would escape the str that it is added to.
    """

    def renderToken(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write a tag; a block at the top level takes its direction from its own text."""
        token = tokens[idx]
        if token.block and token.level == 0 and token.nesting == 1:
            token.attrSet("dir", "auto")
        return super().renderToken(tokens, idx, options, env)

    def heading_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write a heading one level below the nearest larger one; env holds the open ones."""
        open_levels: list[str] = env.setdefault("headings", [])
        token = tokens[idx]
        while open_levels and open_levels[-1] >= token.tag:
            open_levels.pop()
        open_levels.append(token.tag)
        level = HEADINGS[min(len(open_levels), len(HEADINGS)) - 1]
        # A screen reader would announce a heading without words as an empty one.
        token.tag = tokens[idx + 2].tag = f"h{level}" if tokens[idx + 1].content.strip() else "p"
        return self.renderToken(tokens, idx, options, env)

    def list_item_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write an item with its own number: 4, 9, 12 does not become 4, 5, 6."""
        if tokens[idx].info:
            tokens[idx].attrSet("value", str(int(tokens[idx].info)))
        return self.renderToken(tokens, idx, options, env)

    def ordered_list_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write a list without a start number: its items have their own."""
        tokens[idx].attrs.pop("start", None)
        return self.renderToken(tokens, idx, options, env)

    def softbreak(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write a line break."""
        return "<br>"

    hardbreak = softbreak

    def plain(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write text as it is."""
        return str(plain_html(tokens[idx].content))

    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write an image's description; nothing is fetched, and there is no link."""
        alt = self.renderInlineAsText(tokens[idx].children, options, env)
        return str(escape(f"[image: {alt}]" if alt.strip() else "[image]"))

    def link_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write a link to a web or mail address; other addresses stay as written, without a link."""
        address = str(tokens[idx].attrGet("href") or "")
        if not address.lower().startswith(SCHEMES):
            return "&lt;" if tokens[idx].info == "auto" else "["
        return str(LINK.format(address, address if tokens[idx + 1].type == "link_close" else ""))

    def link_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write the end of a link."""
        begun = next(token for token in reversed(tokens[:idx]) if token.type == "link_open")
        address = str(begun.attrGet("href") or "")
        if address.lower().startswith(SCHEMES):
            return "</a>"
        return "&gt;" if begun.info == "auto" else str(escape(f"]({address})"))

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write code in a box that scrolls."""
        return str(CODE.format("Code", tokens[idx].content))

    code_block = fence

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write a table in a box that scrolls."""
        return str(SCROLLS.format("Table")) + self.renderToken(tokens, idx, options, env)

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Close the table and its box."""
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Write a head cell; without words it is an ordinary cell."""
        if tokens[idx + 1].content.strip():
            tokens[idx].attrSet("scope", "col")
        else:
            tokens[idx].tag = tokens[idx + 2].tag = "td"
        return self.renderToken(tokens, idx, options, env)


def plain_html(text: str) -> Markup:
    """Return text as a block in which every space and line end shows."""
    return PLAIN.format(text)


def make_parser() -> MarkdownIt:
    """Return the parser of replies."""
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 100}, renderer_cls=ReplyRenderer)
    # A reference definition would make its line disappear.
    parser.enable(["table", "strikethrough"]).disable(["reference", "html_block", "html_inline"])
    parser.validateLink = lambda url: True  # type: ignore[method-assign]  # link_open decides
    parser.block.ruler.before("table", "too_deep", _keep_too_deep, {"alt": []})
    parser.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    return parser


def _keep_too_deep(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse blocks deeper than DEEPEST as plain text; the parser itself would drop them."""
    if state.level < DEEPEST:
        return False
    line = start + 1
    while line < end and (state.isEmpty(line) or state.sCount[line] >= state.blkIndent):
        line += 1
    token = state.push("plain", "p", 0)
    token.content = state.getLines(start, line, state.blkIndent, False)
    token.map = [start, line]
    state.line = line
    return True


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a table; if a row has more cells than the head, which would be dropped, as plain text."""
    before = len(state.tokens)
    if not table(state, start, end, silent):
        return False
    if silent:
        return True
    rows = [_cells(state, line) for line in range(start, state.line) if line != start + 1]
    if max(rows) > rows[0]:
        del state.tokens[before:]
        token = state.push("plain", "p", 0)
        token.content = state.getLines(start, state.line, state.blkIndent, False)
        token.map = [start, state.line]
    return True


def _cells(state: StateBlock, line: int) -> int:
    text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].strip()
    cells = escapedSplit(text)
    return len(cells) - (cells[0] == "") - (len(cells) > 1 and cells[-1] == "")
