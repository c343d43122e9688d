"""The corpus of a family: an endless stream of documents to pretrain on, examples to finetune on, and held-out ones.

Everything is drawn by seed from the files in text/. What is held out (phrasings, plots, names and words that the files
mark; one written pair in forty, by a hash of its prompt) is in no training document and no training example.
"""

import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from random import Random

from training.data.documents.asking import write_asking
from training.data.documents.games import write_game
from training.data.documents.passages import write_passage_document
from training.data.documents.written import read_glosses, read_small_talk, read_written_pairs
from training.data.tasks.draw import draw_example
from training.data.tasks.tasks import Task, read_tasks
from training.data.world.examples import Example
from training.data.world.lexicon import Lexicon, Word, read_lexicon
from training.data.world.scenes import draw_children, draw_scene
from training.data.world.skeletons import Skeleton, explained_slots, put_title, read_forms, select_stories, words_for
from training.data.yaml_files import TEXT, DataError, read_yaml
from training.sections import Data

FOLDER = TEXT
VERSION = 1  # of the text that this code makes of the files and a seed: raise it with every change that alters text
WORDS = re.compile(r"[A-Za-z']+")
TITLED = 0.7  # share of stories under a title that names the hero and the thing
WRITTEN_SHARE = 0.12  # of the examples: what people wrote
COMPOSED_SHARE = 0.36  # of the examples: stories and letters
PAIR_HELDOUT = 40  # one written pair in so many is held out
PROMPTS_HELDOUT = 24  # held-out prompts of each task


class Corpus:
    """The text of one data section and seed, read and drawn only when it is asked for.

    Raises:
        DataError: from any property, where a file of the corpus is broken.
    """

    def __init__(self, data: Data, seed: int) -> None:
        self.data = data
        self.seed = seed

    @cached_property
    def lexicon(self) -> Lexicon:
        """The words; fewer of them if the recipe says so."""
        return read_lexicon(self.data.words)

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """The tasks that the recipe uses.

        Raises:
            DataError: the recipe names a task that does not exist.
        """
        tasks = read_tasks()
        for name in self.data.tasks:
            if name not in tasks:
                raise DataError(f"data.tasks: unknown task {name!r}: use some of {', '.join(sorted(tasks))}")
        return {name: replace(tasks[name], plots=self.data.plots) for name in self.data.tasks or tasks}

    @cached_property
    def written(self) -> list[Example]:
        """Prompt-response pairs that people wrote, without those that mention a held-out word."""
        return self._without_heldout(read_written_pairs()) + (self._small_talk if self.data.small_talk else [])

    @cached_property
    def written_known(self) -> list[Example]:
        """The written pairs that are trained on."""
        return [e for e in self.written if zlib.crc32(e.prompt.encode()) % PAIR_HELDOUT]

    def documents(self, *, seed: int = 0, is_heldout: bool = False) -> Iterator[str]:
        """Yield documents without end, in the shares of the recipe's mixture. Other seeds give other documents.

        Held-out ones are made of held-out plots, phrasings and names, so they are of HELDOUT_KINDS only.

        Raises:
            DataError: held-out documents are asked for and the mixture has none of their kinds.
        """
        rng = Random(f"{self.seed}/{seed}/{is_heldout}")
        shares = {
            kind: share
            for kind, share in self.data.mixture.items()
            if share > 0 and (kind in HELDOUT_KINDS or not is_heldout)
        }
        if not shares:
            raise DataError(f"data.mixture: nothing to measure on: give one of {', '.join(HELDOUT_KINDS)} a share")
        while True:
            for kind in rng.choices(list(shares), list(shares.values()), k=256):
                yield MAKERS[kind](self, rng, is_heldout)

    def examples(self) -> list[Example]:
        """Return the recipe's number of examples to finetune on."""
        rng = Random(f"{self.seed}/examples")
        return list(islice(self.draw_examples(rng), self.data.examples))

    def draw_examples(self, rng: Random) -> Iterator[Example]:
        """Yield training examples without end: problems, stories and letters, and what people wrote."""
        composed = [task for task in self.tasks.values() if task.is_composed]
        problems = [task for task in self.tasks.values() if not task.is_composed]
        weights = [task.weight for task in problems]
        composed_weights = [task.weight for task in composed]
        while True:
            luck = rng.random()
            if luck < WRITTEN_SHARE:
                yield rng.choice(self.written_known)
            elif composed and luck < WRITTEN_SHARE + COMPOSED_SHARE:
                yield draw_example(rng.choices(composed, composed_weights)[0], self.lexicon, rng)
            else:
                yield draw_example(rng.choices(problems, weights)[0], self.lexicon, rng)

    def heldout(self, per_task: int = PROMPTS_HELDOUT) -> list[Example]:
        """Return held-out prompts: ``per_task`` different ones of each task, or as many as there are."""
        prompts: list[Example] = []
        for name, task in sorted(self.tasks.items()):
            rng = Random(f"held out/{name}")
            drawn: dict[str, Example] = {}
            for _ in range(per_task * 20):
                example = draw_example(task, self.lexicon, rng, is_heldout=True)
                drawn.setdefault(example.prompt, example)
                if len(drawn) == per_task:
                    break
            prompts += drawn.values()
        return prompts

    def heldout_documents(self, count: int = 300) -> list[str]:
        """Return documents made of held-out plots, phrasings and names."""
        return list(islice(self.documents(is_heldout=True), count))

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """The words of the world in lower case: what a reply may be made of."""
        drawn = islice(self.documents(seed=1), 3000)
        words = {word for text in drawn for word in WORDS.findall(text.lower())}
        return frozenset(
            words | {name.lower() for group in self.lexicon.names.values() for name in group} | set(self.lexicon.words)
        )

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what the files of the corpus say, of VERSION, of the data section and of the seed.

        Names of files, comments and code are not in it, so that after tidying up a checkpoint's corpus is still known.
        """
        section = self.data.model_dump(mode="json", exclude_defaults=True)
        digest = hashlib.sha256(json.dumps([VERSION, section, self.seed]).encode())
        for content in sorted(map(_content, FOLDER.rglob("*"))):
            digest.update(content)
        return "sha256:" + digest.hexdigest()

    def _without_heldout(self, pairs: list[Example]) -> list[Example]:
        def words(e: Example) -> set[str]:
            text = f"{e.prompt} {e.reply}"
            return {*WORDS.findall(text), *WORDS.findall(text.lower())}

        return [e for e in pairs if self.lexicon.heldout.isdisjoint(words(e))]

    # Documents, one method per kind.

    def _story(self, rng: Random, is_heldout: bool) -> str:
        scene = draw_scene(self.lexicon, rng, is_heldout=is_heldout)
        skeleton = rng.choice(select_stories(is_heldout, self.data.plots))
        story = skeleton.fill(scene, rng)
        if rng.random() > TITLED:
            return story
        return put_title(story, scene, rng, with_animal=skeleton.has_animal and rng.random() < 0.5)

    def _form(self, rng: Random, is_heldout: bool) -> str:
        return rng.choice(self._forms).fill(draw_scene(self.lexicon, rng, is_heldout=is_heldout), rng)

    def _explanation(self, rng: Random, is_heldout: bool) -> str:
        skeleton, words = rng.choice(self._explanations)
        return skeleton.fill(explained_slots(rng.choice(words)), rng)

    def _passage(self, rng: Random, is_heldout: bool) -> str:
        children = draw_children(self.lexicon, rng, rng.randint(2, 4), is_heldout=is_heldout)
        return write_passage_document(children, rng)

    def _questions(self, rng: Random, is_heldout: bool) -> str:
        tasks = [task for task in self.tasks.values() if not task.is_composed]
        weights = [task.weight for task in tasks]
        count = rng.randint(3, 6)
        is_one_task = rng.random() < 0.6
        chosen = rng.choices(tasks, weights) * count if is_one_task else rng.choices(tasks, weights, k=count)
        form = rng.choice((None, "full", "full"))
        examples = [draw_example(task, self.lexicon, rng, is_heldout=is_heldout, form=form) for task in chosen]
        return write_asking(examples, self.lexicon, rng)

    def _statements(self, rng: Random, is_heldout: bool) -> str:
        tasks = [task for task in self.tasks.values() if task.stands_alone]
        if not tasks:
            return self._explanation(rng, is_heldout)
        chosen = rng.choices(tasks, [task.weight for task in tasks], k=rng.randint(4, 8))
        replies = [draw_example(task, self.lexicon, rng, is_heldout=is_heldout, form="full").reply for task in chosen]
        return " ".join(text for text in replies if not text.startswith(("It ", "That "))) or replies[0]

    def _game(self, rng: Random, is_heldout: bool) -> str:
        return write_game(self.lexicon, rng)

    def _talk(self, rng: Random, is_heldout: bool) -> str:
        # The pairs that we wrote are kept for finetuning, so that the base model continues text and does not answer.
        talk = self._small_talk if self.data.small_talk else self.written_known
        return write_asking(rng.choices(talk, k=rng.randint(2, 5)), self.lexicon, rng)

    def _glosses(self, rng: Random, is_heldout: bool) -> str:
        glosses = read_glosses(self.lexicon)
        drawn = rng.sample(glosses, min(len(glosses), rng.randint(3, 6)))
        return "\n".join(f"{word}: {gloss}." for word, gloss in drawn)

    @cached_property
    def _small_talk(self) -> list[Example]:
        return self._without_heldout(read_small_talk())

    @cached_property
    def _forms(self) -> list[Skeleton]:
        return [form for form in read_forms() if form.name != "explanation"]

    @cached_property
    def _explanations(self) -> list[tuple[Skeleton, list[Word]]]:
        explanations = [(s, words_for(s, self.lexicon)) for s in read_forms() if s.name == "explanation"]
        return [(skeleton, words) for skeleton, words in explanations if words]


def _content(path: Path) -> bytes:
    """Return a hash of what a file of text says, or b"" for any other."""
    if path.suffix not in (".yaml", ".jsonl"):
        return b""
    says = json.dumps(read_yaml(path)) if path.suffix == ".yaml" else path.read_text(encoding="utf-8")
    return hashlib.sha256(says.encode()).digest()


# Kinds of documents that can be made of held-out plots, phrasings and names; the other kinds have nothing held out.
HELDOUT_KINDS = ("stories", "passages", "questions")
MAKERS: dict[str, Callable[[Corpus, Random, bool], str]] = {
    "stories": Corpus._story,
    "forms": Corpus._form,
    "explanations": Corpus._explanation,
    "passages": Corpus._passage,
    "questions": Corpus._questions,
    "statements": Corpus._statements,
    "games": Corpus._game,
    "talk": Corpus._talk,
    "glosses": Corpus._glosses,
}
