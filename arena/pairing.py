"""Which two contestants meet, and which is on which side.

Uniform for now: every unordered pair is equally likely, which needs no votes and favours nobody. The probability of the
pair is stored with the battle, so that later estimates can be weighted by its inverse (Horvitz and Thompson, 1952).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Draw:
    """The contestants on side a and side b; probability is that of the unordered pair, 0 to 1."""

    a: str
    b: str
    probability: float

    @property
    def pair(self) -> tuple[str, str]:
        """Return both, side a first."""
        return self.a, self.b


def draw_pair(names: Sequence[str], rng: random.Random) -> Draw:
    """Draw two different contestants, uniformly over unordered pairs, and put them on random sides.

    Raises:
        ValueError: fewer than two names.
    """
    if len(names) < 2:
        raise ValueError(f"a battle needs two contestants, got {len(names)}")
    a, b = rng.sample(list(names), 2)
    return Draw(a, b, 2 / (len(names) * (len(names) - 1)))
