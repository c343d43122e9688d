"""Pools of words that problems draw from, each made once per lexicon, and how lists and numbers are written."""

from functools import cache
from random import Random
from typing import Any

from training.data.world.lexicon import Lexicon, Word
from training.data.world.scenes import draw_distinct

NUMBER_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
)
NO_NOUNS = ("quality", "action", "number", "direction", "time", "feeling", "day", "month")
PEOPLE = ("job", "relative")


@cache
def noun_kinds(lexicon: Lexicon) -> tuple[str, ...]:
    """Return the kinds of nouns with at least three words."""
    return tuple(sorted(k for k, words in lexicon.by_kind.items() if k not in NO_NOUNS and len(words) >= 3))


@cache
def nouns(lexicon: Lexicon) -> tuple[Word, ...]:
    """Return the countable nouns."""
    return tuple(w for kind in noun_kinds(lexicon) for w in lexicon.by_kind[kind] if "mass" not in w.flags)


@cache
def things_with(lexicon: Lexicon, fact: str) -> tuple[Word, ...]:
    """Return the words with a fact, people left out: nobody asks what a baker is for or made of."""
    return tuple(word for word in lexicon.by_fact[fact] if word.kind not in PEOPLE)


@cache
def short_words(lexicon: Lexicon, letters: int) -> tuple[str, ...]:
    """Return nouns, qualities and actions of at most so many letters."""
    kinds = (*noun_kinds(lexicon), "quality", "action")
    return tuple(w.word for kind in kinds for w in lexicon.by_kind.get(kind, ()) if len(w.word) <= letters)


def draw_words(lexicon: Lexicon, rng: Random, count: int) -> list[str]:
    """Draw ``count`` different words."""
    return draw_distinct(lambda: rng.choice(short_words(lexicon, 8)), count)


def join(items: list[Any]) -> str:
    """Return items as a list is written: "7, 3, 9"."""
    return ", ".join(str(item) for item in items)


def number_off(items: list[str]) -> str:
    """Return items counted one by one: "1 lamp, 2 river"."""
    return ", ".join(f"{i} {item}" for i, item in enumerate(items, start=1))


def spell_out(word: str) -> str:
    """Return the letters of a word: "c-a-t"."""
    return "-".join(word)
