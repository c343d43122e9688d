"""What a reply looks like: its length and its Markdown.

Markdown is counted by simple rules, line by line and outside fenced code: a header is a line that
opens with one to six # and a space; a list item opens with -, *, + or a number with . or ) and a
space; bold is what stands between two ** or two __ on one line. Length is in characters, without the
white space at both ends.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ratings.errors import SettingsError

FEATURES = ("length", "headers", "bold", "lists")
"""The fields of `Style`, in order."""

ALL_FEATURES = "all"


def features_named(names: Iterable[str]) -> tuple[str, ...]:
    """Return the features of these names in the order of FEATURES, all for "all"; raise SettingsError for another."""
    wanted = [name.strip() for name in names]
    for name in wanted:
        if name not in (*FEATURES, ALL_FEATURES):
            raise SettingsError(f"style has no feature {name!r}; choose some of {', '.join(FEATURES)}, or all")
    return FEATURES if ALL_FEATURES in wanted else tuple(name for name in FEATURES if name in wanted)


_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADER = re.compile(r" {0,3}#{1,6}(\s|$)")
_ITEM = re.compile(r"\s*([-*+]|\d{1,9}[.)])\s+\S")
_RULE = re.compile(r"\s*([-*_])\s*(\1\s*){2,}$")
_CODE = re.compile(r"`[^`]*`")
_MARK = re.compile(r"\*{2,}|_{2,}")


@dataclass(frozen=True)
class Style:
    """What a reply looks like."""

    length: int
    """Characters."""
    headers: int
    bold: int
    lists: int
    """Items of lists, numbered or not."""


def measure_style(text: str) -> Style:
    """Return the style of a Markdown text; its cost grows with the length of the text alone."""
    headers = bold = lists = 0
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if fence:
            # A fence closes at a bare line of at least as many of the same character.
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = ""
        elif mark:
            fence = mark[1]
        elif not _RULE.match(line):
            headers += bool(_HEADER.match(line))
            lists += bool(_ITEM.match(line))
            bold += _count_bold(line)
    return Style(len(text.strip()), headers, bold, lists)


def _count_bold(line: str) -> int:
    """Return the pairs of ** or __ on a line; one pass, so no reply can make it slow."""
    line = _CODE.sub("", line)
    bold = 0
    opened: dict[str, int] = {}
    for mark in _MARK.finditer(line):
        kind, start, end = mark[0][0], mark.start(), mark.end()
        before, after = line[start - 1 : start], line[end : end + 1]
        if kind == "_" and before.isalnum() and after.isalnum():
            continue  # snake__case
        if kind in opened and before.strip() and start > opened[kind]:
            bold += 1
            del opened[kind]
        elif kind not in opened and after.strip():
            opened[kind] = end
    return bold
