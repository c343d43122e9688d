"""The corpus of a family: documents to pretrain on, examples to finetune on, and what is held out of both."""

import hashlib
import random
from dataclasses import dataclass

from training.data.checker import split_words
from training.data.small_talk import read_small_talk
from training.data.world import (
    Example,
    draw_story,
    fact_examples,
    is_heldout,
    question_document,
    read_world,
    story_document,
)
from training.recipe import Data, RecipeError

EXAMPLES_PER_DOCUMENT = (3, 6)
STORY_IN_DOCUMENT = 0.4  # share of question documents whose last answer is a story
STORIES_TO_FINETUNE = 10  # one story in so many documents of stories also becomes an example


@dataclass(frozen=True)
class Corpus:
    """Text by use. No prompt of heldout stands in documents or examples.

    vocabulary: the words of the world, in lower case. fingerprint: a hash of all the text.
    """

    documents: list[str]
    heldout_documents: list[str]
    examples: list[Example]
    heldout: list[Example]
    vocabulary: frozenset[str]
    fingerprint: str


def build_corpus(data: Data, seed: int) -> Corpus:
    """Compose the corpus. The same data section and seed give the same text, letter by letter."""
    rng = random.Random(seed)
    world = read_world()
    facts = list(fact_examples(world)) + (read_small_talk() if data.small_talk else [])
    stories = [draw_story(world, rng) for _ in range(data.stories)]
    # Small talk has no answer that could be checked, so none of it is held out.
    known = [e for e in facts if not e.expected or not is_heldout(e.prompt, data.heldout_share)]
    told = [s for s in stories if not is_heldout(s.prompt, data.heldout_share)]
    checkable = [e for e in facts + stories if is_heldout(e.prompt, data.heldout_share) and e.expected]
    heldout = list({e.prompt: e for e in checkable}.values())
    if not heldout or not told:
        raise RecipeError(
            f"data.stories {data.stories} and data.heldout_share {data.heldout_share} leave nothing "
            f"{'to measure on' if told else 'to tell'}: raise them"
        )
    documents = [story_document(world, s, rng) for s in told]
    for _ in range(data.question_documents):
        drawn = rng.sample(known, rng.randint(*EXAMPLES_PER_DOCUMENT))
        if rng.random() < STORY_IN_DOCUMENT:
            drawn[-1] = rng.choice(told)
        documents.append(question_document(drawn))
    rng.shuffle(documents)
    examples = known + told[: len(told) // STORIES_TO_FINETUNE]
    rng.shuffle(heldout)
    rng.shuffle(examples)
    heldout_documents = [e.reply if e.kind == "story" else question_document([e]) for e in heldout]
    vocabulary = frozenset(word for e in facts + stories for word in split_words(f"{e.prompt} {e.reply}"))
    fingerprint = _fingerprint(documents, examples, heldout)
    return Corpus(documents, heldout_documents, examples, heldout, vocabulary, fingerprint)


def _fingerprint(documents: list[str], examples: list[Example], heldout: list[Example]) -> str:
    digest = hashlib.sha256()
    for text in [*documents, *(e.prompt + "\0" + e.reply for e in [*examples, *heldout])]:
        digest.update(text.encode() + b"\n\0")
    return "sha256:" + digest.hexdigest()
