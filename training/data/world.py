"""A small generated world in simple English: stories, questions and answers whose truth can be checked.

Real text alone stays word salad at a million parameters; a world of a few hundred facts and plots is learnt in
minutes, and what a reply should contain is known, so that a checker can score it. The facts and phrasings stand in
world.yaml. Everything drawn comes from the generator that the caller passes.
"""

import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

WORLD = Path(__file__).with_name("world.yaml")
A_BEFORE_VOWEL = re.compile(r"\b([Aa]) (?=[aeiou])")


@dataclass(frozen=True)
class Example:
    """A prompt and a good reply. expected: words that a correct reply contains, empty where anything polite will do."""

    kind: str
    prompt: str
    reply: str
    expected: tuple[str, ...] = ()


def read_world() -> dict[str, Any]:
    """Read the facts, phrasings and plots."""
    world: dict[str, Any] = yaml.safe_load(WORLD.read_text(encoding="utf-8"))
    return world


def is_heldout(prompt: str, share: float) -> bool:
    """Say whether a prompt is kept out of all training text; depends on nothing but the prompt, so it never changes."""
    return zlib.crc32(prompt.encode()) < share * 2**32


def fact_examples(world: dict[str, Any]) -> Iterator[Example]:
    """Yield every phrasing of every fact, and the polite small talk, in a fixed order."""
    for kind, family in world["facts"].items():
        pairs = [tuple(pair) for pair in family["pairs"]]
        if family.get("both_ways"):
            pairs += [(b, a) for a, b in pairs]
        for a, b in pairs:
            for question in family["questions"]:
                for answer in family["answers"]:
                    yield Example(kind, _compose(question, a=a), _compose(answer, a=a, b=b), (a, b))
    for prompt, reply in world["polite"]:
        yield Example("polite", prompt, reply)


def draw_story(world: dict[str, Any], rng: random.Random) -> Example:
    """Draw one story and a prompt that asks for it; its hero and its animal are what a correct reply keeps."""
    stories = world["stories"]
    slots = {
        "hero": rng.choice(world["names"]),
        "animal": rng.choice(stories["animals"]),
        "thing": rng.choice(world["things"]),
        "place": rng.choice(world["places"]),
    }
    parts = [rng.choice(stories[part]) for part in ("openings", "plots", "closings")]
    prompt = _compose(rng.choice(stories["questions"]), **slots)
    return Example("story", prompt, _compose(" ".join(parts), **slots), (slots["hero"], slots["animal"]))


def story_document(world: dict[str, Any], story: Example, rng: random.Random) -> str:
    """Write a story as a document with a title, so that keeping to who was named is worth learning from the start."""
    hero, animal = story.expected
    title = _compose(rng.choice(world["stories"]["titles"]), hero=hero, animal=animal)
    return f"{title}\n\n{story.reply}"


def question_document(examples: list[Example]) -> str:
    """Write examples as one document of questions and answers, the form in which a base model is asked later."""
    return "\n\n".join(f"Question: {e.prompt}\nAnswer: {e.reply}" for e in examples)


def _compose(phrasing: str, **slots: str) -> str:
    return A_BEFORE_VOWEL.sub(r"\1n ", phrasing.format(**slots))
