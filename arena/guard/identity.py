"""Names in texts: whether a reply names a contestant.

A vote is blind as long as the voter reads no name. Models write names in many ways, so a text and a name are compared
by their letters and digits alone: ignoring case, accents, invisible characters and Markdown's emphasis, with
compatibility forms folded (NFKD). A name must be a word of its own: no letter of the same script precedes or follows
it, unless that script has no spaces. It may be split where it has a separator, a capital or a digit of its own
(demo-sft, "demo sft", demosft), or after every letter (d-e-m-o).
"""

import html
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

DIGIT, LATIN = "DIGIT", "LATIN"
UNSPACED = frozenset(("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR"))  # any letter may begin a word
MAX_GAP = 3  # characters between two parts of one name
EMPHASIS = dict.fromkeys(map(ord, "*`~\\"))
UNSEEN = ("Cf", "Mn", "Mc", "Me")
FILLERS = "\u115f\u1160"  # letters by their category, but invisible; NFKD maps all of Hangul's fillers to these


def find_name(text: str, words: Iterable[str]) -> str | None:
    """Return the first of the words that occurs in the text as a word of its own, or None.

    A word that ends with a letter may be followed by a digit (Qwen in "Qwen2") or an apostrophe, but not by another
    letter (no "alder" in "balderdash" or "alders"). Words without a letter, or of one letter, are skipped.
    """
    # No name extends over an empty line, so that is made wider than the widest gap within a name.
    text = text.replace("\n\n", "\n" * (MAX_GAP + 1))
    plain = _strip(html.unescape(text) if "&" in text else text).translate(EMPHASIS)
    places = [place for place, letter in enumerate(plain) if letter.isalnum()]
    line = _Letters("".join([plain[place] for place in places]), places)
    return next((word for word in words if can_be_looked_for(word) and line.hold(word)), None)


def can_be_looked_for(word: str) -> bool:
    """Return whether a word is long enough to be looked for: two letters or digits, one of them a letter."""
    letters = [letter for letter in _strip(word) if letter.isalnum()]
    return len(letters) > 1 and any(letter.isalpha() for letter in letters)


def fold_name(name: str) -> str:
    """Return a key that is equal for names that look alike: up to case, compatibility forms and kind of separator."""
    folded = "".join(letter if letter.isalnum() or letter in ".:+" else " " for letter in _strip(name))
    return " ".join(folded.split())


def _strip(text: str) -> str:
    if text.isascii():
        return text.casefold()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    seen = [c for c in folded if c.isascii() or (unicodedata.category(c) not in UNSEEN and c not in FILLERS)]
    return "".join(seen)


@dataclass(frozen=True)
class _Letters:
    """The letters and digits of a text, and the position of each in the text."""

    letters: str
    places: list[int]

    def hold(self, word: str) -> bool:
        """Return whether a word occurs as a word of its own."""
        parts = _split(word)
        wanted = "".join(parts)
        joints = {sum(map(len, parts[:n])) for n in range(1, len(parts))}
        at = self.letters.find(wanted)
        while at >= 0:
            nth = bisect_left(self._edges, at)
            if self._edges[nth] == at and self._ends(at + len(wanted)) and self._is_one(at, len(wanted), joints):
                return True
            # Go on at the next place where a word may begin.
            at = self.letters.find(wanted, self._edges[bisect_right(self._edges, at)])
        return False

    @cached_property
    def _edges(self) -> list[int]:
        """Return where a word may begin or end: at gaps between letters, and where the script changes."""
        size = len(self.letters)
        scripts = {letter: _script(letter) for letter in set(self.letters)}
        inner = [
            at
            for at in range(1, size)
            if self.places[at] - self.places[at - 1] > 1
            or _is_edge(scripts[self.letters[at - 1]], scripts[self.letters[at]])
        ]
        return [0, *inner, size]

    def _ends(self, at: int) -> bool:
        """Return whether a word may end before a letter; a number may follow a word."""
        nth = bisect_left(self._edges, at)
        return self._edges[nth] == at or (self.letters[at].isdigit() and self.letters[at - 1].isalpha())

    def _is_one(self, start: int, length: int, joints: set[int]) -> bool:
        """Return whether letters are one word: whole, split only at its joints, or spelled letter by letter."""
        gaps = [self.places[at + 1] - self.places[at] - 1 for at in range(start, start + length - 1)]
        broken = {n + 1 for n, gap in enumerate(gaps) if gap}
        is_spelled = length > 2 and len(broken) == len(gaps)
        return max(gaps) <= MAX_GAP and (broken <= joints or is_spelled)


def _is_edge(before: str, after: str) -> bool:
    """Return whether adjacent letters may belong to two words: 是 and q may, 2 and 는, but not 2 and q."""
    return bool({before, after} & UNSPACED) or (before != after and {before, after} != {DIGIT, LATIN})


def _script(letter: str) -> str:
    return DIGIT if letter.isdigit() else unicodedata.name(letter, "?").split()[0]


def _split(word: str) -> list[str]:
    """Return a word's parts, folded: it may be split at a separator, a capital or a digit."""
    parts = [""]
    before = " "
    for letter in unicodedata.normalize("NFKC", word):
        is_joint = (before.islower() and letter.isupper()) or before.isdigit() != letter.isdigit()
        if is_joint or not letter.isalnum():
            parts.append("")
        parts[-1] += "".join(each for each in _strip(letter) if each.isalnum())
        before = letter
    return [part for part in parts if part]
