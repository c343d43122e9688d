"""Replies to safe HTML. A reply is hostile text: a model can be led to write anything.

The browser gets only the tags that markdown.py can write: no scripts, styles, forms, ids or remote content. The page's
content security policy and the CSS containment of each side protect it further.

A reply may also be written to stall the page: everything after FORMATTED_MARKS Markdown marks is shown unformatted,
which is cheap, and stacks of accents and everything after MOST_CHARACTERS are left out, with a note. The ledger keeps
the whole reply.
"""

import itertools
import re
import unicodedata
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from markupsafe import Markup

from arena.ui.markdown import make_parser, plain_html

MOST_CHARACTERS = 100_000
FORMATTED_CHARACTERS = 50_000
FORMATTED_MARKS = 3_000  # at most a tenth of a second of parsing
MARK = re.compile(r"[\n\[\]*_`~<>&|!\\]")
MOST_ACCENTS = 16  # on one letter; no language needs more than a few
UNUSUAL = re.compile(f"[^\x00-\u02ff\\s]{{{MOST_ACCENTS + 1},}}")
NOTE = Markup('<p class="note">{}</p>\n')
GROWING = Markup('{}<p class="growing" dir="auto">{}{}')
UNFORMATTED = NOTE.format("The rest is shown without formatting.")

MARKDOWN = make_parser()
BLOCKS = make_parser()
BLOCKS.core.ruler.enableOnly(["normalize", "block"])


def render_reply(text: str) -> Markup:
    """Return a complete reply as HTML."""
    text, left_out = text[:MOST_CHARACTERS], text[MOST_CHARACTERS:]
    limit = _formatted_length(text)
    end = len(text) if limit == len(text) else _last_block(text[:limit])
    rest = UNFORMATTED + plain_html(_tame(text[end:])) if end < len(text) else Markup()
    return _format(_tame(text[:end])) + rest + _omission(left_out)


class GrowingReply:
    """One reply while it is written, in pieces of HTML.

    Finished blocks are rendered once, and the last block stays plain text: between two updates only the last pieces
    change, so an update is cheap even in a long reply.
    """

    def __init__(self) -> None:
        self._begin()

    def render(self, text: str) -> list[Markup]:
        """Return the reply so far; usually it continues the text of the last call."""
        text, left_out = text[:MOST_CHARACTERS], text[MOST_CHARACTERS:]
        if not text.startswith(self._source):
            self._begin()
        limit = _formatted_length(text)
        self._finish_blocks(text[len(self._source) : limit])
        note = UNFORMATTED if limit < len(text) else ""
        rest = _tame(text[len(self._source) :]).rstrip("\n")
        return [*self._pieces, GROWING.format(note, rest, _omission(left_out))]

    def _begin(self) -> None:
        self._source, self._pieces = "", list[Markup]()  # of the finished blocks
        self._headings: dict[str, Any] = {}
        self._look_at = 0  # length of the last block at which it is parsed again

    def _finish_blocks(self, tail: str) -> None:
        if len(tail) < self._look_at:
            return
        end = _last_block(tail)
        if end:
            self._pieces.append(_format(_tame(tail[:end]), self._headings))
            self._source += tail[:end]
        # A long block is not parsed again for every character, or its cost would grow quadratically.
        growing = len(tail) - end
        self._look_at = growing + growing // 16


class GrowingReplies:
    """Growing replies by key, at most so many; one that was dropped is rendered again from its text."""

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
    """Return the position of the last top-level block, 0 if there is only one."""
    line = max((token.map[0] for token in BLOCKS.parse(text) if token.level == 0 and token.map), default=0)
    return sum(len(line) + 1 for line in text.split("\n", line)[:line])


def _formatted_length(text: str) -> int:
    """Return how many characters may be formatted: all, or as many as can be parsed quickly."""
    marks = itertools.islice(MARK.finditer(text), FORMATTED_MARKS, None)
    beyond = next(marks, None)
    return min(len(text), FORMATTED_CHARACTERS, beyond.start() if beyond else len(text))


def _tame(text: str) -> str:
    """Leave out stacks of accents and invisible characters: shaping them would stall the browser."""
    return text if text.isascii() else UNUSUAL.sub(lambda run: _without_heaps(run.group()), text)


def _without_heaps(text: str) -> str:
    kept, heap = [], 0
    for character in [*text, ""]:
        is_heaped = character != "" and unicodedata.category(character) in ("Mn", "Me", "Mc", "Cf")
        if heap > MOST_ACCENTS and not is_heaped:
            kept.append(f"[{heap - MOST_ACCENTS:,} accents left out]")
        heap = heap + 1 if is_heaped else 0
        if heap <= MOST_ACCENTS:
            kept.append(character)
    return "".join(kept)


def _omission(left_out: str) -> Markup:
    return NOTE.format(f"{len(left_out):,} more characters are not shown.") if left_out else Markup()
