"""Short passages about several children: who has what, of which colour, and where everyone is.

The phrasings stand in families/passages.yaml. No pronoun is used, so every sentence can be read alone.
"""

from functools import cache
from pathlib import Path
from random import Random

from training.data.phrasing import Phrasing, compile_phrasings
from training.data.pools import NUMBER_WORDS
from training.data.reading import DataError, read_yaml
from training.data.scenes import Child

FILE = Path(__file__).parent / "families" / "passages.yaml"
SLOTS = {
    "has": ("name", "colour", "thing"),
    "at": ("name", "at"),
    "both": ("name", "colour", "thing", "at"),
    "story_about": ("count",),
}


@cache
def read_passages() -> dict[str, tuple[Phrasing, ...]]:
    """Read the phrasings of what a passage says.

    Raises:
        DataError: a kind of sentence is missing, or one of its phrasings leaves out what it should say.
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
    return phrasings


def write_passage(children: list[Child], rng: Random, *, tell: str) -> str:
    """Write about every child what it has ("has") or where it is ("at"), or both, in any order."""
    phrasings = read_passages()
    sentences = []
    for child in rng.sample(children, len(children)):
        kind = tell if rng.random() < 0.5 else "both"
        slots = {"name": child.name, "thing": child.thing, "colour": child.colour, "at": child.at}
        sentences.append(rng.choice(phrasings[kind]).fill(slots))
    if rng.random() < 0.15:
        sentences.insert(0, rng.choice(phrasings["story_about"]).fill({"count": NUMBER_WORDS[len(children)]}))
    return " ".join(sentences)
