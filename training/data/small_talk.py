"""Small talk from the package chatterbot-corpus (BSD licence): seasoning, and the only text here that people wrote.

Only the harmless files are read; its politics, tech and gossip files date badly or would teach opinions.
"""

from pathlib import Path

import yaml

from training.data.world import Example

FILES = ("greetings", "conversations", "emotion", "food", "humor", "literature", "science", "sports", "trivia")
MAX_LETTERS = 160


def read_small_talk() -> list[Example]:
    """Read the pairs whose two sides are short plain text, in the package's order, each prompt once."""
    import chatterbot_corpus

    folder = Path(chatterbot_corpus.__file__).parent / "data" / "english"
    examples: dict[str, Example] = {}
    for name in FILES:
        tree = yaml.safe_load((folder / f"{name}.yml").read_text(encoding="utf-8"))
        for prompt, *replies in tree["conversations"]:
            if replies and _is_plain(prompt) and _is_plain(replies[0]):
                examples.setdefault(prompt, Example("small talk", prompt, replies[0]))
    return list(examples.values())


def _is_plain(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and 0 < len(text) <= MAX_LETTERS and "\n" not in text
