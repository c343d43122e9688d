"""The problems behind the families of prompts: each function draws one from the lexicon and knows its answer.

A problem is a mapping of slots; ``answer`` is what is written, ``answers`` (a tuple, where there are several) what
else is right. Everything is drawn from the generator that the caller passes.
"""

from collections.abc import Callable
from functools import cache
from itertools import combinations
from random import Random
from typing import Any

from training.data.lexicon import SIZES, Lexicon, Word, article
from training.data.scenes import PRONOUNS, draw_children, draw_distinct, draw_name, draw_thing

Problem = dict[str, Any]
Draw = Callable[[Lexicon, Random, bool], Problem]
NUMBER_WORDS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
NO_NOUNS = ("quality", "action", "number", "direction", "time", "feeling", "day", "month")
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
PEOPLE = ("job", "relative")
PIECES = ("clothing", "furniture")
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
    """Return a drawing of a word that has a fact, which is the answer; further facts become slots."""

    def draw(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
        word = rng.choice(_things_with(lexicon, fact))
        slots = {key: word.facts[key] for key in also if key in word.facts}
        return {"word": word.word, "answer": word.facts[fact], **slots}

    return draw


def rhyme(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a word of a rhyme group; every other one of the group is right."""
    group = rng.choice(lexicon.rhymes)
    word, answer, *_ = rng.sample(group, len(group))
    return {"word": word, "answer": answer, "answers": tuple(w for w in group if w != word)}


def plural(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a noun that can be counted, and its plural."""
    word = _noun(lexicon, rng)
    return {"word": word.word, "answer": word.plural}


def spell(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a short word and its letters."""
    word = rng.choice(_short_words(lexicon, 5))
    return {"word": word, "answer": "-".join(word)}


def reverse_word(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a word of up to four letters and its letters backwards."""
    word = rng.choice(_short_words(lexicon, 4))
    return {"word": word, "answer": word[::-1]}


def first_letter(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a word and its first letter."""
    word = rng.choice(_short_words(lexicon, 9))
    return {"word": word, "answer": word[0]}


def last_letter(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a word and its last letter."""
    word = rng.choice(_short_words(lexicon, 6))
    return {"word": word, "answer": word[-1]}


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
    a = rng.randint(2, 10)
    b = rng.randint(1, a - 1)
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
    return {"list": _join(numbers), "answer": _join(sorted(numbers))}


def sort_words(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw three words of different first letters and their order in the alphabet."""
    while True:
        words = [rng.choice(_short_words(lexicon, 7)) for _ in range(3)]
        if len({word[0] for word in words}) == 3:
            return {"list": _join(words), "answer": _join(sorted(words))}


def reverse_list(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw three or four words and the list backwards."""
    words = _words(lexicon, rng, rng.randint(3, 4))
    return {"list": _join(words), "answer": _join(words[::-1])}


def count_list(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw two to six words and how many they are."""
    words = _words(lexicon, rng, rng.randint(2, 6))
    number = NUMBER_WORDS[len(words)]
    return {"list": _join(words), "answer": number, "answers": (number, str(len(words)))}


def first_of_list(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a list of words and its first."""
    words = _words(lexicon, rng, rng.randint(3, 5))
    return {"list": _join(words), "answer": words[0]}


def last_of_list(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a list of words and its last."""
    words = _words(lexicon, rng, rng.randint(3, 5))
    return {"list": _join(words), "answer": words[-1]}


def repeat(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a word and how often to say it."""
    word, n = _words(lexicon, rng, 1)[0], rng.randint(2, 5)
    return {"word": word, "n": NUMBER_WORDS[n], "answer": " ".join([word] * n)}


def category(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a noun and its kind."""
    word = _noun(lexicon, rng)
    return {"word": word.word, "answer": word.kind}


def odd_one_out(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw three words of one kind and one of another."""
    kinds = [kind for kind in _noun_kinds(lexicon) if len(lexicon.by_kind[kind]) >= 12]
    kind, other = rng.sample(kinds, 2)
    words = [word.word for word in rng.sample(lexicon.by_kind[kind], 3)]
    odd = rng.choice(lexicon.by_kind[other]).word
    words.insert(rng.randrange(4), odd)
    return {"list": _join(words), "answer": odd}


def parts(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a word and one or two of its parts."""
    word = rng.choice(lexicon.by_fact["parts"])
    return {"word": word.word, "answer": " and ".join(article(part) for part in word.parts[:2])}


def size(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw two things of different size and the bigger."""
    while True:
        one, other = rng.sample(lexicon.by_fact["size"], 2)
        gap = SIZES.index(one.facts["size"]) - SIZES.index(other.facts["size"])
        if gap:
            return {"a": one.word, "b": other.word, "answer": one.word if gap > 0 else other.word}


def is_a(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a noun and a kind, its own every second time."""
    word = _noun(lexicon, rng)
    if rng.random() < 0.5:
        return {"word": word.word, "kind": word.kind, "answer": word.kind, "answers": ("yes",)}
    kind = draw_distinct(lambda: rng.choice(_noun_kinds(lexicon)), 1, {word.kind})[0]
    return {"word": word.word, "kind": kind, "answer": word.kind, "answers": ("no",)}


def definition(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    """Draw a thing with its kind and its use, or an animal with its kind and its place."""
    while True:
        word = rng.choice(lexicon.by_fact["use"] if rng.random() < 0.5 else lexicon.by_fact["at"])
        if word.kind in UTENSILS and "use" in word.facts:
            return {"word": word.word, "answer": f"{_a_kind(word.kind)}. We use it {word.facts['use']}"}
        if word.kind in ("animal", "bird", "insect", "fish") and "at" in word.facts:
            return {"word": word.word, "answer": f"{article(word.kind)}. It lives {word.facts['at']}"}


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


def passage_problem(question: str) -> Draw:
    """Return a drawing of a passage about two to four children and of what is asked about one of them."""

    def draw(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
        from training.data.passages import write_passage

        children = draw_children(lexicon, rng, rng.randint(2, 4), is_heldout=is_heldout)
        asked = rng.choice(children)
        told = "at" if question == "where_is" else "has"
        passage = write_passage(children, rng, tell=told)
        answer = {
            "who_has": asked.name,
            "what_colour": asked.colour,
            "where_is": asked.at,
            "what_has": article(f"{asked.colour} {asked.thing}"),
            "how_many_things": NUMBER_WORDS[len(children)],
        }[question]
        slots: Problem = {"passage": passage, "name": asked.name, "thing": asked.thing, "colour": asked.colour}
        return slots | {"answer": answer, "at": asked.at}

    return draw


DRAWS: dict[str, Draw] = {
    "opposite": draw_fact("opposite"),
    "past": draw_fact("past"),
    "sound": draw_fact("sound"),
    "legs": draw_fact("legs"),
    "colour": draw_fact("colour"),
    "home": draw_fact("home", "at"),
    "use": draw_fact("use"),
    "made_of": draw_fact("made_of"),
    "eats": draw_fact("eats"),
    "young": draw_fact("young"),
    **{
        f.__name__.rstrip("_"): f
        for f in (rhyme, plural, spell, reverse_word, first_letter, last_letter, sum_, difference)
    },
    **{f.__name__: f for f in (gain, loss, count_to, next_number, before_number, compare_numbers, sort_numbers)},
    **{f.__name__: f for f in (sort_words, reverse_list, count_list, first_of_list, last_of_list, repeat, category)},
    **{f.__name__: f for f in (odd_one_out, parts, size, is_a, definition, riddle, day_after, day_before, month_after)},
    **{q: passage_problem(q) for q in ("who_has", "what_colour", "where_is", "what_has", "how_many_things")},
}


def _a_kind(kind: str) -> str:
    return f"a piece of {kind}" if kind in PIECES else article(kind)


def _join(items: list[Any]) -> str:
    return ", ".join(str(item) for item in items)


@cache
def _noun_kinds(lexicon: Lexicon) -> tuple[str, ...]:
    return tuple(sorted(k for k, words in lexicon.by_kind.items() if k not in NO_NOUNS and len(words) >= 3))


@cache
def _nouns(lexicon: Lexicon) -> tuple[Word, ...]:
    return tuple(w for kind in _noun_kinds(lexicon) for w in lexicon.by_kind[kind] if "mass" not in w.flags)


@cache
def _things_with(lexicon: Lexicon, fact: str) -> tuple[Word, ...]:
    """Return the words with a fact; nobody asks what a baker is for or made of."""
    return tuple(word for word in lexicon.by_fact[fact] if word.kind not in PEOPLE)


@cache
def _short_words(lexicon: Lexicon, letters: int) -> tuple[str, ...]:
    kinds = (*_noun_kinds(lexicon), "quality", "action")
    return tuple(w.word for kind in kinds for w in lexicon.by_kind.get(kind, ()) if len(w.word) <= letters)


@cache
def _riddles(lexicon: Lexicon) -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
    """Return for each word its sets of three clues that fit no other word."""
    clues: dict[str, list[str]] = {}
    owners: dict[str, set[str]] = {}
    for word in _nouns(lexicon):
        said = [f"I am {_a_kind(word.kind)}."]
        said += [text.format(word.facts[fact]) for fact, text in CLUES.items() if fact in word.facts]
        said += [f"I have {' and '.join(article(part) for part in word.parts[:2])}."] if word.parts else []
        clues[word.word] = said
        for clue in said:
            owners.setdefault(clue, set()).add(word.word)
    riddles = []
    for name, said in clues.items():
        sets = tuple(c for c in combinations(said, 3) if set.intersection(*(owners[clue] for clue in c)) == {name})
        if sets:
            riddles.append((name, sets))
    return tuple(riddles)


def _noun(lexicon: Lexicon, rng: Random) -> Word:
    return rng.choice(_nouns(lexicon))


def _words(lexicon: Lexicon, rng: Random, count: int) -> list[str]:
    return draw_distinct(lambda: rng.choice(_short_words(lexicon, 8)), count)


def _story_of_things(lexicon: Lexicon, rng: Random, is_heldout: bool) -> Problem:
    name, sex = draw_name(lexicon, rng, is_heldout=is_heldout)
    thing = draw_thing(lexicon, rng)
    he = PRONOUNS[sex][0]
    return {"name": name, "he": he, "He": he.capitalize(), "things": lexicon.words[thing].plural}
