"""Problems about words: their letters, their forms, and what is true of the things that they name."""

from functools import cache
from itertools import combinations
from random import Random

from training.data.world.examples import Draw, Problem
from training.data.world.lexicon import SIZES, Lexicon, article
from training.data.world.pools import noun_kinds, nouns, short_words, spell_out, things_with
from training.data.world.scenes import TRIES, draw_distinct
from training.data.yaml_files import DataError

CLUES = {
    "colour": "I am {}.",
    "size": "I am {} in size.",
    "sound": "I say {}.",
    "legs": "I have {} legs.",
    "at": "You can find me {}.",
    "use": "People use me {}.",
    "made_of": "I am made of {}.",
    "eats": "I eat {}.",
    "young": "My young one is called a {}.",
}
NAMED_KINDS = {  # kinds that do not take "a" as they are
    "clothing": "piece of clothing",
    "furniture": "piece of furniture",
    "sky": "thing in the sky",
    "weather": "kind of weather",
}
UTENSILS = (
    "tool",
    "furniture",
    "clothing",
    "instrument",
    "container",
    "kitchen thing",
    "school thing",
    "machine",
    "vehicle",
)


def draw_fact(fact: str, *also: str) -> Draw:
    """Return a function that draws a word with a fact, which is the answer; further facts become slots."""

    def draw(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
        word = rng.choice(things_with(lexicon, fact))
        slots = {key: word.facts[key] for key in also if key in word.facts}
        return {"word": word.word, "answer": word.facts[fact], **slots}

    return draw


def rhyme(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a word of a rhyme group; every other one of the group is right."""
    group = rng.choice(lexicon.rhymes)
    i = rng.randrange(len(group))
    others = group[i + 1 :] + group[:i]  # always the next one first, since one partner is learnt sooner than all
    return {"word": group[i], "answer": others[0], "answers": others}


def plural(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a noun that can be counted, and its plural."""
    word = rng.choice(nouns(lexicon))
    return {"word": word.word, "answer": word.plural}


def spell(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a short word and its letters."""
    word = rng.choice(short_words(lexicon, 5))
    return {"word": word, "answer": spell_out(word)}


def reverse_word(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a word of up to four letters and its letters backwards, "t-a-c" or "tac"."""
    word = rng.choice(short_words(lexicon, 4))
    backwards = spell_out(word[::-1])
    return {"word": word, "answer": backwards, "answers": (backwards, word[::-1]), "letters": spell_out(word)}


def first_letter(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a word and its first letter."""
    word = rng.choice(short_words(lexicon, 9))
    return {"word": word, "answer": word[0]}


def last_letter(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a word and its last letter."""
    word = rng.choice(short_words(lexicon, 5))
    return {"word": word, "answer": word[-1], "letters": spell_out(word)}


def category(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a noun and its kind."""
    word = rng.choice(nouns(lexicon))
    return {"word": word.word, "answer": word.kind}


def parts(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a word and one or two of its parts."""
    word = rng.choice(lexicon.by_fact["parts"])
    return {"word": word.word, "answer": " and ".join(article(part) for part in word.parts[:2])}


def size(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw two things of different size and the bigger.

    Raises:
        DataError: the lexicon has none.
    """
    for _ in range(TRIES):
        one, other = rng.sample(lexicon.by_fact["size"], 2)
        gap = SIZES.index(one.facts["size"]) - SIZES.index(other.facts["size"])
        if gap:
            return {"a": one.word, "b": other.word, "answer": one.word if gap > 0 else other.word}
    raise DataError("size: the lexicon has no two words of different size: add some")


def is_a(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a noun and a kind, its own every second time."""
    word = rng.choice(nouns(lexicon))
    kind, truth = word.kind, "yes"
    if rng.random() < 0.5:
        kind, truth = draw_distinct(lambda: rng.choice(noun_kinds(lexicon)), 1, {word.kind})[0], "no"
    return {"word": word.word, "kind": _name_kind(kind), "answer": _name_kind(word.kind), "answers": (truth,)}


def definition(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a thing with its kind and its use, or an animal with its kind and its place.

    Raises:
        DataError: the lexicon has none.
    """
    for _ in range(TRIES):
        word = rng.choice(lexicon.by_fact["use"] if rng.random() < 0.5 else lexicon.by_fact["at"])
        if word.kind in UTENSILS and "use" in word.facts:
            return {"word": word.word, "answer": f"{article(_name_kind(word.kind))}. We use it {word.facts['use']}"}
        if word.kind in ("animal", "bird", "insect", "fish") and "at" in word.facts:
            return {"word": word.word, "answer": f"{article(word.kind)}. It lives {word.facts['at']}"}
    raise DataError("definition: the lexicon has no thing with a use and no animal with a place: add some")


def riddle(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw three clues that fit one word only."""
    word, clues = rng.choice(_riddles(lexicon))
    chosen = rng.choice(clues)
    return {"clues": " ".join(rng.sample(chosen, len(chosen))), "answer": word}


def day_after(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a day and the next."""
    i = rng.randrange(7)
    return {"day": lexicon.days[i], "answer": lexicon.days[(i + 1) % 7]}


def day_before(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a day and the one before."""
    i = rng.randrange(7)
    return {"day": lexicon.days[i], "answer": lexicon.days[i - 1]}


def month_after(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a month and the next."""
    i = rng.randrange(12)
    return {"month": lexicon.months[i], "answer": lexicon.months[(i + 1) % 12]}


def _name_kind(kind: str) -> str:
    return NAMED_KINDS.get(kind, kind)


@cache
def _riddles(lexicon: Lexicon) -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
    """Return for each word its sets of three clues that fit no other word."""
    clues: dict[str, list[str]] = {}
    owners: dict[str, set[str]] = {}
    for word in nouns(lexicon):
        hints = [f"I am {article(_name_kind(word.kind))}."]
        hints += [text.format(word.facts[fact]) for fact, text in CLUES.items() if fact in word.facts]
        hints += [f"I have {' and '.join(article(part) for part in word.parts[:2])}."] if word.parts else []
        clues[word.word] = hints
        for clue in hints:
            owners.setdefault(clue, set()).add(word.word)
    riddles = []
    for name, hints in clues.items():
        sets = tuple(c for c in combinations(hints, 3) if set.intersection(*(owners[clue] for clue in c)) == {name})
        if sets:
            riddles.append((name, sets))
    return tuple(riddles)


DRAWS: dict[str, Draw] = {
    **{
        fact: draw_fact(fact)
        for fact in ("opposite", "past", "sound", "legs", "colour", "use", "made_of", "eats", "young")
    },
    "home": draw_fact("home", "at"),
    **{f.__name__: f for f in (rhyme, plural, spell, reverse_word, first_letter, last_letter, category, parts, size)},
    **{f.__name__: f for f in (is_a, definition, riddle, day_after, day_before, month_after)},
}
