"""Scenes: who is where with what, drawn from the lexicon, so that a text made of one does not contradict itself.

To bind a colour to a thing and a thing to a child is what small models learn last. Some names and things are therefore
made up on the spot: a word that was never seen before can only be copied, not guessed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random

from training.data.world.lexicon import COLOURS, Lexicon, Word, article
from training.data.yaml_files import DataError

PRONOUNS = {"girls": ("she", "her", "her"), "boys": ("he", "him", "his")}
INVENTED = 0.5  # share of names that are made up, half of them of syllables and half of two names
CONSONANTS = (*"bdfghjklmnprstvwz", "br", "gr", "tr", "st")
CLUSTERS = (*CONSONANTS, "bl", "ch", "cl", "dr", "fl", "gl", "pl", "sc", "sl", "sm", "sn", "sp", "str", "th")
CODAS = (*"bdgklmnprstx", "dge", "ft", "ll", "mp", "nd", "ng", "nk", "pe", "rn", "sh", "sk", "st", "tch", "th")
VOWELS = ("a", "e", "i", "o", "u", "ee", "o", "a")
ENDINGS = {  # of made-up names, so that the name shows whether to write "she" or "he"
    "girls": ("ra", "li", "na", "da", "lee", "la", "sa"),
    "boys": ("n", "l", "m", "to", "s", "x", "rin", "bo"),
}
# No made-up word contains one of these.
RUDE = re.compile("bitch|cock|crap|cunt|dick|fag|fuck|nazi|nigg|piss|porn|rape|sex|slut|wank")
TRIES = 10_000  # draws before giving up
COINED = 0.3  # share of the things that children carry that are made-up words
TIMES = ("morning", "afternoon", "evening")
WEATHER = ("sunny", "rainy", "windy", "cold", "warm", "snowy")
FEELINGS = ("happy", "proud", "glad")
STORY_SIZES = ("big", "small", "little", "tiny")
STORY_SLOTS = frozenset(
    (
        *("hero", "friend", "he", "him", "his", "He", "Him", "His", "thing", "thing2", "colour", "colour2", "animal"),
        *("place", "at", "food", "some_food", "day", "time", "weather", "size", "feeling"),
    )
)


@dataclass(frozen=True)
class Child:
    """A child of a passage: its name, what it has, of which colour, and where it is (with the preposition)."""

    name: str
    thing: str
    colour: str
    at: str


def draw_name(lexicon: Lexicon, rng: Random, *, is_heldout: bool = False) -> tuple[str, str]:
    """Draw a name and the table that it is from ("girls" or "boys"); half of the held-out draws use held-out names."""
    sex = rng.choice(("girls", "boys"))
    if is_heldout and rng.random() < 0.5:
        return rng.choice(lexicon.names["heldout_" + sex]), sex
    if not is_heldout and rng.random() < INVENTED:
        name = (
            _of_syllables(rng).capitalize() + rng.choice(ENDINGS[sex])
            if rng.random() < 0.5
            else _of_two(lexicon.names[sex], rng)
        )
        if name not in lexicon.heldout and name.lower() not in lexicon.words:
            return name, sex
    return rng.choice(lexicon.names[sex]), sex


def _of_syllables(rng: Random) -> str:
    word: str = rng.choice(CONSONANTS) + rng.choice(VOWELS) + rng.choice(CONSONANTS) + rng.choice(VOWELS)
    return word


def _of_two(names: tuple[str, ...], rng: Random) -> str:
    heads, tails = _halves(names)
    return rng.choice(heads) + rng.choice(tails)


@cache
def _halves(names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return the beginnings of the longer names, up to the first vowels, and their last syllables."""
    longer = [name for name in names if len(name) > 3]
    heads = ["".join(re.findall(r"^[^aeiouy]*[aeiouy]+", name, re.IGNORECASE)) for name in longer]
    tails = ["".join(re.findall(r"[^aeiouy]+[aeiouy]*[^aeiouy]*$", name, re.IGNORECASE)).lower() for name in longer]
    return heads, tails


def draw_thing(lexicon: Lexicon, rng: Random, *, is_heldout: bool = False) -> str:
    """Draw a thing that a child can carry; a quarter of the held-out draws use held-out words."""
    if is_heldout and rng.random() < 0.25:
        things = sorted(w for w in lexicon.heldout if w in lexicon.words and "carry" in lexicon.words[w].flags)
        if things:
            return rng.choice(things)
    if not is_heldout and rng.random() < COINED:
        return make_up_word(lexicon, rng)
    return rng.choice(lexicon.by_fact["carry"]).word


def make_up_word(lexicon: Lexicon, rng: Random) -> str:
    """Make up a word for a thing, of syllables or of the halves of two words.

    The spellings vary a lot, so that every piece of a word that the tokenizer has is copied now and then.

    Raises:
        DataError: every try gave a word that is known, short or rude.
    """
    for _ in range(TRIES):
        if rng.random() < 0.5:
            word = _of_two(_long_words(lexicon), rng)
        else:
            syllables = (rng.choice(CLUSTERS) + rng.choice(VOWELS) for _ in range(rng.choice((2, 2, 3))))
            word = "".join(syllables) + rng.choice(CODAS)
        is_new = word not in lexicon.words and word not in lexicon.heldout
        if is_new and len(word) > 3 and not RUDE.search(word):
            return word
    raise DataError(f"no new word in {TRIES} tries: the lexicon leaves no room")


@cache
def _long_words(lexicon: Lexicon) -> tuple[str, ...]:
    """Return words of two syllables and more, whose halves make up new ones."""
    return tuple(w for w in lexicon.words if w.isalpha() and len(w) > 4 and len(re.findall(r"[aeiouy]+", w)) > 1)


def draw_distinct(draw: Callable[[], str], count: int, taken: set[str] | None = None) -> list[str]:
    """Call draw() until there are count different results, none of them in taken.

    Raises:
        DataError: thousands of calls did not give so many.
    """
    distinct: list[str] = []
    taken = set(taken or ())
    for _ in range(TRIES + count):
        if len(distinct) == count:
            return distinct
        value = draw()
        if value not in taken:
            taken.add(value)
            distinct.append(value)
    raise DataError(f"{count} different words are needed, and the lexicon gave {len(distinct)}: add words")


def draw_children(lexicon: Lexicon, rng: Random, count: int, *, is_heldout: bool = False) -> list[Child]:
    """Draw children who differ in everything."""
    names = draw_distinct(lambda: draw_name(lexicon, rng, is_heldout=is_heldout)[0], count)
    things = draw_distinct(lambda: draw_thing(lexicon, rng, is_heldout=is_heldout), count)
    colours = rng.sample(COLOURS, count)
    places = draw_distinct(lambda: rng.choice(lexicon.by_fact["visit"]).facts["at"], count)
    return [Child(*row) for row in zip(names, things, colours, places, strict=True)]


def draw_scene(lexicon: Lexicon, rng: Random, *, is_heldout: bool = False) -> dict[str, str]:
    """Draw a value for every slot of a story."""
    hero, sex = draw_name(lexicon, rng, is_heldout=is_heldout)
    friend = draw_distinct(lambda: draw_name(lexicon, rng)[0], 1, {hero})[0]
    thing = draw_thing(lexicon, rng, is_heldout=is_heldout)
    thing2 = draw_distinct(lambda: rng.choice(lexicon.by_fact["carry"]).word, 1, {thing})[0]
    colour, colour2 = rng.sample(COLOURS, 2)
    place = rng.choice(lexicon.by_fact["visit"])
    food = rng.choice(lexicon.by_kind["food"] + lexicon.by_kind["fruit"])
    he, him, his = PRONOUNS[sex]
    return {
        "hero": hero,
        "friend": friend,
        "he": he,
        "him": him,
        "his": his,
        "He": he.capitalize(),
        "Him": him.capitalize(),
        "His": his.capitalize(),
        "thing": thing,
        "thing2": thing2,
        "colour": colour,
        "colour2": colour2,
        "animal": rng.choice(lexicon.by_kind["animal"] + lexicon.by_kind["bird"]).word,
        "place": place.facts["home"],
        "at": place.facts["at"],
        "food": food.word,
        "some_food": some(food),
        "day": rng.choice(lexicon.days),
        "time": rng.choice(TIMES),
        "weather": rng.choice(WEATHER),
        "size": rng.choice(STORY_SIZES),
        "feeling": rng.choice(FEELINGS),
    }


def some(food: Word) -> str:
    """Return a food with its article: "some bread", "an apple"."""
    return f"some {food.word}" if "mass" in food.flags else article(food.word)
