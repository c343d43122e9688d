"""Replies to safe HTML. A reply is hostile text: a model can be led to write anything.

What reaches the browser holds only the tags that markdown.py can write: no scripts, styles, forms, ids or remote
content. The page's content security policy and the containment of each side are further walls.

A reply may also be meant to stall: what follows on FORMATTED_MARKS marks of Markdown is shown as it was written, which
costs nothing, and heaps of accents and what follows on MOST_LETTERS are left out with a word that says so. The ledger
keeps the whole.
"""

import itertools
import re
import unicodedata
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from markupsafe import Markup

from arena.ui.markdown import make_parser, plain_html

MOST_LETTERS = 100_000
FORMATTED_LETTERS = 50_000
FORMATTED_MARKS = 3_000  # a tenth of a second of parsing, whatever they are
MARK = re.compile(r"[\n\[\]*_`~<>&|!\\]")
MOST_ACCENTS = 16  # on one letter; no language needs more than a handful
UNUSUAL = re.compile(f"[^\x00-\u02ff\\s]{{{MOST_ACCENTS + 1},}}")
NOTE = Markup('<p class="note">{}</p>\n')
GROWING = Markup('{}<p class="growing" dir="auto">{}{}')
UNFORMATTED = NOTE.format("What follows is shown as it was written, without formatting.")

MARKDOWN = make_parser()
BLOCKS = make_parser()
BLOCKS.core.ruler.enableOnly(["normalize", "block"])


def render_reply(text: str) -> Markup:
    """Return a whole reply as HTML."""
    text, left_out = text[:MOST_LETTERS], text[MOST_LETTERS:]
    limit = _formatted_letters(text)
    end = len(text) if limit == len(text) else _last_block(text[:limit])
    rest = UNFORMATTED + plain_html(_tame(text[end:])) if end < len(text) else Markup()
    return _format(_tame(text[:end])) + rest + _omission(left_out)


class GrowingReply:
    """One reply while it is written, in pieces of HTML.

    Its finished blocks are rendered once, each with those that ended at the same time, and the last block stays plain
    text: from one look to the next only the last pieces change, and an update costs little however long the reply is.
    """

    def __init__(self) -> None:
        self._begin()

    def render(self, text: str) -> list[Markup]:
        """Return the reply so far. It usually begins with the text of the last call."""
        text, left_out = text[:MOST_LETTERS], text[MOST_LETTERS:]
        if not text.startswith(self._source):
            self._begin()
        limit = _formatted_letters(text)
        self._finish_blocks(text[len(self._source) : limit])
        note = UNFORMATTED if limit < len(text) else ""
        rest = _tame(text[len(self._source) :]).rstrip("\n")
        return [*self._pieces, GROWING.format(note, rest, _omission(left_out))]

    def _begin(self) -> None:
        self._source, self._pieces = "", list[Markup]()  # of the finished blocks
        self._headings: dict[str, Any] = {}
        self._look_at = 0  # letters of the last block from which on it is looked at again

    def _finish_blocks(self, tail: str) -> None:
        if len(tail) < self._look_at:
            return
        end = _last_block(tail)
        if end:
            self._pieces.append(_format(_tame(tail[:end]), self._headings))
            self._source += tail[:end]
        # A long block is not read again for every letter, or its cost would grow with its square.
        growing = len(tail) - end
        self._look_at = growing + growing // 16


class GrowingReplies:
    """Replies that grow side by side, each known by a key; where a forgotten one stood is found again from its text."""

    def __init__(self, kept: int = 256) -> None:
        self._kept, self._replies = kept, OrderedDict[Hashable, GrowingReply]()

    def render(self, key: Hashable, text: str) -> list[Markup]:
        """Return the reply so far, in pieces of HTML."""
        reply = self._replies.setdefault(key, GrowingReply())
        self._replies.move_to_end(key)
        if len(self._replies) > self._kept:
            self._replies.popitem(last=False)
        return reply.render(text)


def _format(text: str, headings: dict[str, Any] | None = None) -> Markup:
    return Markup(MARKDOWN.render(text, headings))  # safe: markdown.py escapes all that it does not write itself


def _last_block(text: str) -> int:
    """Return at which letter the last block at the top begins, 0 where there is one."""
    line = max((token.map[0] for token in BLOCKS.parse(text) if token.level == 0 and token.map), default=0)
    return sum(len(line) + 1 for line in text.split("\n", line)[:line])


def _formatted_letters(text: str) -> int:
    """Return how many letters may be formatted: all, or as many as are parsed in a moment."""
    marks = itertools.islice(MARK.finditer(text), FORMATTED_MARKS, None)
    beyond = next(marks, None)
    return min(len(text), FORMATTED_LETTERS, beyond.start() if beyond else len(text))


def _tame(text: str) -> str:
    """Leave out accents and invisible letters that are heaped up: shaping them would stall the browser."""
    return text if text.isascii() else UNUSUAL.sub(lambda run: _without_heaps(run.group()), text)


def _without_heaps(text: str) -> str:
    kept, heap = [], 0
    for letter in [*text, ""]:
        is_heaped = letter != "" and unicodedata.category(letter) in ("Mn", "Me", "Mc", "Cf")
        if heap > MOST_ACCENTS and not is_heaped:
            kept.append(f"[{heap - MOST_ACCENTS:,} accents left out]")
        heap = heap + 1 if is_heaped else 0
        if heap <= MOST_ACCENTS:
            kept.append(letter)
    return "".join(kept)


def _omission(left_out: str) -> Markup:
    return NOTE.format(f"{len(left_out):,} more characters are not shown.") if left_out else Markup()
