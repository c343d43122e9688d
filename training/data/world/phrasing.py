"""Phrasings: sentences with slots, compiled once, since a corpus fills millions of them.

When slots are filled, "a" becomes "an" before the sound of a vowel, and a slot that opens a sentence gets a capital.
"""

import re
from collections.abc import Iterable, Mapping

from training.data.yaml_files import DataError, Text

SLOT = re.compile(r"\{(\w+)\}")
SENTENCE_START = re.compile(r"(^|[.!?][\"')]* |\n|[,:] (?=\"$))[\"(]?$")
AS_WRITTEN = ("he", "him", "his")  # which have capital slots of their own: "It works!" he said
VOWEL_SOUND = re.compile(r"(?!uni|use|ukul|euro|one\b|once)[aeiou]|hour|honest|heir", re.IGNORECASE)


class Phrasing:
    """A compiled sentence. slots: the names it needs."""

    __slots__ = ("_parts", "_tail", "slots", "text")

    def __init__(self, text: str) -> None:
        self.text = str(text)
        self._parts: list[tuple[str, str, bool, bool]] = []  # literal, slot, after an article, opens a sentence
        position = 0
        for match in SLOT.finditer(self.text):
            literal = self.text[position : match.start()]
            is_article = bool(re.search(r"(^|\W)[Aa] $", literal))
            opens = bool(SENTENCE_START.search(literal)) if literal or not position else False
            self._parts.append((literal[:-1] if is_article else literal, match.group(1), is_article, opens))
            position = match.end()
        self._tail = self.text[position:]
        self.slots = frozenset(slot for _, slot, _, _ in self._parts)

    def fill(self, slots: Mapping[str, str]) -> str:
        """Return the sentence with every slot replaced.

        Raises:
            KeyError: a slot that has no value.
        """
        pieces = []
        for literal, slot, is_article, opens in self._parts:
            value = slots[slot]
            pieces.append(literal)
            if is_article:
                pieces.append("n " if VOWEL_SOUND.match(value) else " ")
            pieces.append(value[:1].upper() + value[1:] if opens and slot not in AS_WRITTEN else value)
        pieces.append(self._tail)
        return "".join(pieces)


def compile_phrasings(texts: Iterable[str], allowed: Iterable[str], *, what: str) -> tuple[Phrasing, ...]:
    """Compile sentences whose slots must all be among the allowed ones. what: their name in an error.

    Raises:
        DataError: no sentence at all, one that is not text, or a slot that nothing fills.
    """
    allowed = frozenset(allowed)
    phrasings = []
    for text in texts:
        where = text.where if isinstance(text, Text) else what
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{where}: {what}: {text!r} is no sentence: write one, or remove it")
        phrasing = Phrasing(text)
        if unknown := sorted(phrasing.slots - allowed):
            raise DataError(
                f"{where}: {what}: nothing fills the slot {{{unknown[0]}}} of {str(text)[:60]!r}: "
                f"use one of {', '.join(sorted(allowed))}"
            )
        if SLOT.sub("", str(text)).count("{") or SLOT.sub("", str(text)).count("}"):
            raise DataError(f"{where}: {what}: a brace stands alone in {str(text)[:60]!r}: close it or remove it")
        phrasings.append(phrasing)
    if not phrasings:
        raise DataError(f"{what}: no phrasing: write one at least")
    return tuple(phrasings)
