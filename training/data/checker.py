"""Score a reply by what can be checked: right, finished, in real words, not repeating, and kind where it is a story.

The checker orders the first preference pairs, before any person has voted. Its pairs are marked synthetic.
"""

import re

from training.data.world import Example

KIND_WORDS = frozenset({"happy", "smiled", "friends", "thank", "helped", "fun"})
WORDS = re.compile(r"[a-z']+")


def score_reply(example: Example, reply: str, vocabulary: frozenset[str], *, is_finished: bool) -> float:
    """Score a reply to an example's prompt: 0 where it is empty, at most 6.

    Two points for the expected words, one for an end of its own, one for words of the vocabulary (lower case), half a
    point for the end of a sentence, half for not repeating itself, and for a story up to one point for kind words, a
    taste that even a very small reward model can learn.
    """
    words = split_words(reply)
    if not words:
        return 0.0
    score = 2.0 * share_expected(example, reply)
    score += 1.0 if is_finished else 0.0
    score += sum(word in vocabulary for word in words) / len(words)
    score += 0.5 if reply.rstrip().endswith((".", "!", "?")) else 0.0
    score += 0.5 if repeated_share(words) < 0.2 else 0.0
    score += 1.0 if example.kind != "story" else min(1.0, len(KIND_WORDS & set(words)) / 2)
    return score


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case, without digits and punctuation."""
    return WORDS.findall(text.lower())


def share_expected(example: Example, reply: str) -> float:
    """Return the share of the expected words that the reply contains as whole words; 1.0 where none is expected."""
    if not example.expected:
        return 1.0
    words = set(split_words(reply))
    return sum(word.lower() in words for word in example.expected) / len(example.expected)


def repeated_share(words: list[str]) -> float:
    """Return the share of word trigrams that occurred before in the same reply, 0.0 to 1.0."""
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    return 1.0 - len(set(trigrams)) / len(trigrams) if trigrams else 0.0
