"""Degenerate replies, broken by rule, which a reward model has to score low."""

import random

# Of broken_copies: shuffled words, and the reply three times over, look most like decent replies.
BROKEN_WEIGHTS = (2, 4, 6, 1, 1, 1)


def broken_copies(reply: str, rng: random.Random) -> list[str]:
    """Return copies of a reply: cut, three times over, shuffled, one word, a full stop alone, two words repeated."""
    words = reply.split()
    return [
        " ".join(words[: max(1, len(words) // 3)]),
        " ".join([*words, *words, *words]),
        " ".join(rng.choice(words) for _ in range(len(words) + 1)),
        words[0],
        ".",
        " ".join(words[:2] * 8),
    ]
