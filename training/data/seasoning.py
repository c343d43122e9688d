"""Text that people wrote: our own prompt-response pairs and the small talk of chatterbot-corpus (BSD).

Only the harmless files of chatterbot-corpus are read; its politics, tech and gossip files date badly or would teach
opinions. docs/data.md lists the licences.
"""

from functools import cache
from pathlib import Path

from training.data.examples import Example
from training.data.reading import DataError, read_jsonl

PAIRS = Path(__file__).with_name("pairs")
FILES = ("greetings", "conversations", "emotion", "food", "humor", "literature", "science", "sports", "trivia")
MAX_LETTERS = 160


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
    import yaml

    folder = Path(chatterbot_corpus.__file__).parent / "data" / "english"
    examples: dict[str, Example] = {}
    for name in FILES:
        tree = yaml.safe_load((folder / f"{name}.yml").read_text(encoding="utf-8"))
        for prompt, *replies in tree["conversations"]:
            if replies and _is_plain(prompt) and _is_plain(replies[0]):
                examples.setdefault(prompt, Example("small talk", prompt, replies[0]))
    return tuple(examples.values())


def read_small_talk() -> list[Example]:
    """Read chatterbot's pairs whose two sides are short plain text, in the package's order, each prompt once."""
    return list(_small_talk())


def _is_plain(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and 0 < len(text) <= MAX_LETTERS and "\n" not in text
