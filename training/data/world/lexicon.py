"""The words of the world and what is true of them, read from text/lexicon/*.yaml.

A word is one line: ``{word: cow, kind: animal, sound: moo, legs: four, home: the farm, at: on the farm}``. Questions,
riddles and explanations are composed from these facts. ``carry: true`` marks what a child in a story can carry,
``visit: true`` where it may go. The words and names in heldout.yaml are in no training text.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from training.data.world.phrasing import VOWEL_SOUND
from training.data.yaml_files import TEXT, DataError, Text, read_yaml

FOLDER = TEXT / "lexicon"
HELDOUT = TEXT / "heldout.yaml"
COLOURS = ("red", "blue", "green", "yellow", "brown", "black", "white", "orange", "purple", "pink", "grey")
SIZES = ("tiny", "small", "big", "huge")
LEGS = ("no", "two", "four", "six", "eight")
FACTS = (
    *("colour", "size", "sound", "legs", "home", "at", "use", "made_of", "eats", "young"),
    *("opposite", "past", "means", "plural"),
)
FLAGS = ("mass", "carry", "visit")
BARE = frozenset(
    [
        "teeth",
        "feet",
        "fur",
        "wool",
        "hair",
        "skin",
        "bark",
        "sand",
        "water",
        "grass",
        "juice",
        "ink",
        "wax",
        "paint",
        "soil",
        "people",
    ]
)
TABLES = ("names.yaml", "rhymes.yaml", "plurals.yaml", "orders.yaml")


@dataclass(frozen=True)
class Word:
    """A word, its kind, its facts by name, its parts and its flags."""

    word: str
    kind: str
    facts: dict[str, str] = field(hash=False)
    parts: tuple[str, ...] = ()
    flags: frozenset[str] = frozenset()

    @property
    def plural(self) -> str:
        """The plural, by rule unless a fact says otherwise."""
        if "plural" in self.facts:
            return self.facts["plural"]
        if self.word.endswith(("s", "x", "ch", "sh", "z")):
            return self.word + "es"
        if self.word.endswith("y") and self.word[-2] not in "aeiou":
            return self.word[:-1] + "ies"
        return self.word + "s"


@dataclass(frozen=True, eq=False)
class Lexicon:
    """All words and tables. heldout: words and names that are kept for measuring.

    by_fact[f]: the countable words to train on that have the fact f (or "parts", or a flag). by_kind[k]: all words to
    train on of a kind.
    """

    words: dict[str, Word]
    names: dict[str, tuple[str, ...]]  # girls, boys, heldout_girls, heldout_boys
    rhymes: tuple[tuple[str, ...], ...]
    days: tuple[str, ...]
    months: tuple[str, ...]
    heldout: frozenset[str]
    by_fact: dict[str, tuple[Word, ...]]
    by_kind: dict[str, tuple[Word, ...]]


@cache
def read_lexicon(limit: int | None = None) -> Lexicon:
    """Read the lexicon; with a limit only about so many words, spread evenly over the files, for very small models.

    Raises:
        DataError: a broken file, a word that is there twice, an unknown key or value, a held-out word without an entry.
    """
    entries = [
        (path, row) for path in sorted(FOLDER.glob("*.yaml")) if path.name not in TABLES for row in read_yaml(path)
    ]
    if not entries:
        raise DataError(f"{FOLDER}: no words: restore the files from the repository")
    tables = {name: read_yaml(FOLDER / name) for name in TABLES}
    words = _words_of(entries, tables["plurals.yaml"])
    kept_apart = read_yaml(HELDOUT)["words"]
    if unknown := [word for word in kept_apart if word not in words]:
        raise DataError(f"{unknown[0].where}: {str(unknown[0])!r} has no entry in lexicon/: add one, or remove it here")
    stride = 1 if limit is None else max(1, len(words) // limit)
    words = {name: word for i, (name, word) in enumerate(words.items()) if i % stride == 0 or name in kept_apart}
    names = {key: tuple(str(n) for n in table) for key, table in tables["names.yaml"].items()}
    heldout = frozenset({*map(str, kept_apart), *names["heldout_girls"], *names["heldout_boys"]})
    known = [word for word in words.values() if word.word not in heldout and not _mentions(word, heldout)]
    return Lexicon(
        words,
        names,
        tuple(tuple(str(w) for w in group) for group in tables["rhymes.yaml"]),
        tuple(str(d) for d in tables["orders.yaml"]["days"]),
        tuple(str(m) for m in tables["orders.yaml"]["months"]),
        heldout,
        _by_fact(known),
        _by_kind(known),
    )


def _words_of(entries: list[tuple[Path, Any]], plurals: dict[str, str]) -> dict[str, Word]:
    words: dict[str, Word] = {}
    for path, row in entries:
        word = _word_of(row, path, plurals)
        if word.word in words:
            raise DataError(f"{row['word'].where}: {word.word!r} is there twice: remove one of the two")
        words[word.word] = word
    return words


def _by_fact(words: list[Word]) -> dict[str, tuple[Word, ...]]:
    found: dict[str, list[Word]] = defaultdict(list)
    for word in words:
        if "mass" not in word.flags:  # "a rice" is not English
            for fact in (*word.facts, *word.flags, *(["parts"] if word.parts else [])):
                found[fact].append(word)
    return {fact: tuple(group) for fact, group in found.items()}


def _by_kind(words: list[Word]) -> dict[str, tuple[Word, ...]]:
    found: dict[str, list[Word]] = defaultdict(list)
    for word in words:
        found[word.kind].append(word)
    return {kind: tuple(group) for kind, group in found.items()}


def article(noun: str) -> str:
    """Return a noun with "a" or "an" before it; plurals and uncountable nouns have no article."""
    if noun in BARE or (noun.endswith("s") and not noun.endswith("ss")):
        return noun
    return f"an {noun}" if VOWEL_SOUND.match(noun) else f"a {noun}"


def _mentions(word: Word, heldout: frozenset[str]) -> bool:
    mentioned = " ".join([*word.facts.values(), *word.parts]).split()
    return not heldout.isdisjoint(mentioned)


def _word_of(row: Any, path: Path, plurals: dict[str, str]) -> Word:
    if not isinstance(row, dict) or not isinstance(row.get("word"), Text) or not isinstance(row.get("kind"), Text):
        raise DataError(f"{path}: a row has no word or no kind: {row!r}: give it both")
    where = row["word"].where
    for key in row:
        if key not in ("word", "kind", "parts", *FACTS, *FLAGS):
            raise DataError(f"{where}: unknown fact {str(key)!r}: use one of {', '.join((*FACTS, *FLAGS, 'parts'))}")
    for key, values in (("colour", COLOURS), ("size", SIZES), ("legs", LEGS)):
        if key in row and row[key] not in values:
            raise DataError(f"{where}: {key} {row[key]!r}: use one of {', '.join(values)}")
    facts = {str(key): str(row[key]) for key in FACTS if key in row}
    if row["word"] in plurals:
        facts.setdefault("plural", str(plurals[row["word"]]))
    parts = row.get("parts", [])
    parts = parts if isinstance(parts, list) else [parts]
    flags = frozenset(flag for flag in FLAGS if row.get(flag) is True)
    return Word(str(row["word"]), str(row["kind"]), facts, tuple(str(p) for p in parts), flags)
