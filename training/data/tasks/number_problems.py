"""Problems about numbers: sums, counting, comparing, and small stories of things gained and lost."""

from random import Random

from training.data.world.examples import Draw, Problem
from training.data.world.lexicon import Lexicon
from training.data.world.pools import join
from training.data.world.scenes import PRONOUNS, draw_name


def sum_(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw two numbers up to ten and their sum."""
    a, b = rng.randint(1, 10), rng.randint(1, 10)
    return {"a": str(a), "b": str(b), "answer": str(a + b)}


def difference(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a number up to fifteen and what is left of it."""
    a = rng.randint(1, 15)
    b = rng.randint(0, min(a, 10))
    return {"a": str(a), "b": str(b), "answer": str(a - b)}


def gain(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a word problem: somebody has things and gets more."""
    return _story_of_things(lexicon, rng, is_heldout) | sum_(lexicon, rng, is_heldout)


def loss(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a word problem: somebody has things and gives some away."""
    a = rng.randint(3, 12)
    b = rng.randint(1, a - 2)  # nobody has "1 balls"
    return _story_of_things(lexicon, rng, is_heldout) | {"a": str(a), "b": str(b), "answer": str(a - b)}


def count_to(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw three to eight numbers in a row."""
    a = rng.randint(1, 15)
    b = a + rng.randint(2, 7)
    return {"a": str(a), "b": str(b), "answer": ", ".join(str(n) for n in range(a, b + 1))}


def next_number(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a number and the next."""
    a = rng.randint(1, 40)
    return {"a": str(a), "answer": str(a + 1)}


def before_number(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a number and the one before."""
    a = rng.randint(1, 40)
    return {"a": str(a), "answer": str(a - 1)}


def compare_numbers(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw two numbers and the larger."""
    a, b = rng.sample(range(1, 31), 2)
    return {"a": str(a), "b": str(b), "answer": str(max(a, b))}


def sort_numbers(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw three or four numbers and their order."""
    numbers = rng.sample(range(1, 21), rng.randint(3, 4))
    return {"list": join(numbers), "answer": join(sorted(numbers))}


def _story_of_things(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    name, sex = draw_name(lexicon, rng, is_heldout=is_heldout)
    he = PRONOUNS[sex][0]
    things = rng.choice(lexicon.by_fact["carry"]).plural
    return {"name": name, "he": he, "He": he.capitalize(), "things": things}


DRAWS: dict[str, Draw] = {
    "sum": sum_,
    **{f.__name__: f for f in (difference, gain, loss, count_to, next_number, before_number)},
    **{f.__name__: f for f in (compare_numbers, sort_numbers)},
}
