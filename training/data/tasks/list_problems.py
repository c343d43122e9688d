"""Problems about lists of words: their order, their length, their ends, and the word that does not belong."""

from random import Random

from training.data.world.examples import Draw, Problem
from training.data.world.lexicon import Lexicon
from training.data.world.pools import NUMBER_WORDS, draw_words, join, noun_kinds, number_off, short_words
from training.data.world.scenes import TRIES
from training.data.yaml_files import DataError


def sort_words(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw three words of different first letters and their alphabetical order.

    Raises:
        DataError: the lexicon has none.
    """
    for _ in range(TRIES):
        words = [rng.choice(short_words(lexicon, 7)) for _ in range(3)]
        if len({word[0] for word in words}) == 3:
            keys, sorted_keys = (join([f"{word[0]} {word}" for word in row]) for row in (words, sorted(words)))
            return {"list": join(words), "answer": join(sorted(words)), "keys": keys, "sorted_keys": sorted_keys}
    raise DataError("sort_words: the lexicon has no three short words of different first letters: add some")


def reverse_list(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw three or four words and the list backwards."""
    words = draw_words(lexicon, rng, rng.randint(3, 4))
    counted = number_off(words)
    backwards = join(counted.split(", ")[::-1])
    return {"list": join(words), "answer": join(words[::-1]), "counted": counted, "backwards": backwards}


def count_list(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw two to six words and how many they are."""
    words = draw_words(lexicon, rng, rng.randint(2, 6))
    number = NUMBER_WORDS[len(words)]
    return {
        "list": join(words),
        "answer": number,
        "answers": (number, str(len(words))),
        "counted": number_off(words),
    }


def first_of_list(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a list of words and its first."""
    words = draw_words(lexicon, rng, rng.randint(3, 5))
    return {"list": join(words), "answer": words[0]}


def last_of_list(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a list of words and its last."""
    words = draw_words(lexicon, rng, rng.randint(3, 5))
    return {"list": join(words), "answer": words[-1]}


def repeat(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a word and how often to say it."""
    word, n = draw_words(lexicon, rng, 1)[0], rng.randint(2, 5)
    return {"word": word, "n": NUMBER_WORDS[n], "answer": " ".join([word] * n)}


def odd_one_out(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw three words of one kind and one of another."""
    kinds = [kind for kind in noun_kinds(lexicon) if len(lexicon.by_kind[kind]) >= 12]
    kind, other = rng.sample(kinds, 2)
    words = rng.sample(lexicon.by_kind[kind], 3)
    odd = rng.choice(lexicon.by_kind[other])
    words.insert(rng.randrange(4), odd)
    kinds_of_words = ", ".join(f"{word.kind}: {word.word}" for word in words)
    return {
        "list": join([word.word for word in words]),
        "answer": odd.word,
        "told": kinds_of_words,
        "most": kind,
        "least": other,
    }


DRAWS: dict[str, Draw] = {
    **{f.__name__: f for f in (sort_words, reverse_list, count_list, first_of_list, last_of_list, repeat, odd_one_out)}
}
