"""Short passages about several children: who has what, of which colour, and where everyone is.

As documents they come with several questions each, since every answer is one more lesson in looking back. The phrasings
are in text/tasks/passages.yaml. They use no pronouns, so that every sentence can be read by itself.
"""

import re
from collections.abc import Iterable
from functools import cache
from itertools import product
from random import Random

from training.data.world.phrasing import Phrasing, compile_phrasings
from training.data.world.pools import NUMBER_WORDS
from training.data.world.scenes import Child
from training.data.yaml_files import TEXT, DataError, read_yaml

FILE = TEXT / "tasks" / "passages.yaml"
SLOTS = {
    "has": ("name", "colour", "thing"),
    "owned": ("name", "colour", "thing"),
    "at": ("name", "at"),
    "both": ("name", "colour", "thing", "at"),
    "story_about": ("count",),
}


@cache
def read_passages() -> dict[str, tuple[Phrasing, ...]]:
    """Read the phrasings of what a passage says.

    Raises:
        DataError: a kind of sentence is missing, or one of its phrasings leaves out a slot or does not begin with what
            questions name, so that no answer could quote it.
    """
    tree = read_yaml(FILE)
    phrasings = {}
    for kind, slots in SLOTS.items():
        if not tree.get(kind):
            raise DataError(f"{FILE}: no phrasings of {kind!r}: write some with {', '.join(slots)}")
        phrasings[kind] = compile_phrasings(tree[kind], slots, what=f"{FILE}: {kind}")
        for phrasing in phrasings[kind]:
            if kind != "story_about" and phrasing.slots != set(slots):
                raise DataError(f"{FILE}: {kind}: {phrasing.text!r} does not use each of {', '.join(slots)}")
            key = "The {colour} {thing}" if kind == "owned" else "{name}"
            if kind != "story_about" and not phrasing.text.startswith(key):
                raise DataError(f"{FILE}: {kind}: {phrasing.text!r} does not begin with {key}: put it first")
    return phrasings


@cache
def read_asked() -> tuple[tuple[Phrasing, Phrasing], ...]:
    """Read what can be asked about a child of a passage, each with what is true.

    Raises:
        DataError: a row that is not a question and an answer, or a slot that nothing fills.
    """
    pairs = []
    for row in read_yaml(FILE).get("asked") or ():
        if not isinstance(row, list) or len(row) != 2:
            raise DataError(f"{FILE}: asked: {str(row)[:60]!r} is not a question and its answer: write both")
        question, answer = compile_phrasings(row, SLOTS["both"], what=f"{FILE}: asked")
        pairs.append((question, answer))
    if not pairs:
        raise DataError(f"{FILE}: nothing is asked: write pairs of a question and its answer under 'asked'")
    return tuple(pairs)


def write_passage(children: list[Child], rng: Random, *, about: str) -> str:
    """Write one sentence on every child, in random order.

    about: what it has ("has"), where it is ("at"), "both", or to whom its thing belongs ("owned").
    """
    phrasings = read_passages()
    sentences = []
    for child in rng.sample(children, len(children)):
        kind = about if about == "owned" or rng.random() < 0.5 else "both"
        sentences.append(rng.choice(phrasings[kind]).fill(vars(child)))
    if rng.random() < 0.15:
        sentences.insert(0, rng.choice(phrasings["story_about"]).fill({"count": NUMBER_WORDS[len(children)]}))
    return " ".join(sentences)


def write_passage_document(children: list[Child], rng: Random) -> str:
    """Write a passage with everything about every child, and then what follows from it, each after a quotation.

    In three documents of five the questions are written too.
    """
    if rng.random() < 0.5:
        passage = write_passage(children, rng, about="both")
    else:
        first = write_passage(children, rng, about=rng.choice(("has", "owned")))
        passage = f"{first} {write_passage(children, rng, about='at')}"
    is_asked = rng.random() < 0.6
    known = []
    for child, (question, answer) in product(children, read_asked()):
        slots = vars(child)
        needed = [slots[slot] for slot in answer.slots]
        for key in (child.name, f"The {child.colour} {child.thing}"):
            quote = quote_from(key, passage, needed)
            if quote and ("name" if key == child.name else "thing") in question.slots:
                reply = f"{quote} {answer.fill(slots)}"
                known.append(f"{question.fill(slots)} {reply}" if is_asked else reply)
    count = rng.randint(3, 5) if is_asked else rng.randint(4, 8)
    return "\n".join([passage, *rng.sample(known, min(count, len(known)))])


def quote_from(key: str, passage: str, needed: Iterable[str] = ()) -> str:
    """Return the first sentence of a passage that begins with the key and has all that is needed, "" if none does."""
    for sentence in passage.split(". "):
        if re.match(rf"{re.escape(key)}\b", sentence) and all(text in sentence for text in needed):
            return sentence.removesuffix(".") + "."
    return ""
