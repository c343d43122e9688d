"""Stories and other forms: skeletons of steps, each step a choice of phrasings.

text/stories/*.yaml holds plots, each with several skeletons; text/forms/*.yaml holds letters, dialogues, lists,
recipes, poems, notes, instructions and explanations. A plot marked ``heldout: true`` is for measuring alone.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from random import Random
from typing import Any

from training.data.world.lexicon import Lexicon, Word, article
from training.data.world.phrasing import Phrasing, compile_phrasings
from training.data.world.scenes import STORY_SLOTS
from training.data.yaml_files import TEXT, DataError, read_yaml

FOLDER = TEXT
TITLES = FOLDER / "titles.yaml"
ENDINGS = FOLDER / "endings.yaml"
NOT_THINGS = ("job", "relative", "quality", "action")
# The facts that a slot of an explanation stands for.
EXPLAINED = {
    **{fact: fact for fact in ("colour", "sound", "legs", "home", "use", "eats", "young", "made_of", "size")},
    "home_at": "at",
    "part1": "parts",
    "part2": "parts",
    "opposite": "opposite",
}


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Steps, each a choice of phrasings. name: of its plot or form. joint: between steps. needs: facts of a word."""

    name: str
    steps: tuple[tuple[Phrasing, ...], ...]
    joint: str
    needs: frozenset[str] = frozenset()
    is_heldout: bool = False

    @cached_property
    def has_animal(self) -> bool:
        """Whether every way to fill it has the scene's animal in it."""
        return self.always_names("animal")

    def always_names(self, *slots: str) -> bool:
        """Say whether some step has all these slots in each of its phrasings."""
        return any(all(phrasing.slots.issuperset(slots) for phrasing in step) for step in self.steps)

    def fill(self, slots: dict[str, str], rng: Random) -> str:
        """Fill one phrasing of each step."""
        return self.joint.join(self.fill_steps(slots, rng))

    def fill_steps(self, slots: dict[str, str], rng: Random) -> list[str]:
        """Fill one phrasing of each step and keep the steps apart."""
        return [rng.choice(step).fill(slots) for step in self.steps]


@cache
def read_stories() -> tuple[Skeleton, ...]:
    """Read every skeleton of every plot.

    Raises:
        DataError: a broken file, a plot without skeletons, a step without phrasings, or a slot that nothing fills.
    """
    skeletons = []
    for path in sorted((FOLDER / "stories").glob("*.yaml")):
        for plot in read_yaml(path):
            if not isinstance(plot, dict) or "plot" not in plot or not plot.get("skeletons"):
                raise DataError(f"{path}: a plot has no name or no skeletons: {str(plot)[:60]}: give it both")
            for steps in plot["skeletons"]:
                compiled = _compile(steps, STORY_SLOTS, f"{path}: plot {str(plot['plot'])!r}")
                heldout = plot.get("heldout", False) is True
                skeletons.append(Skeleton(str(plot["plot"]), compiled, " ", is_heldout=heldout))
    if not skeletons:
        raise DataError(f"{FOLDER / 'stories'}: no stories: restore the files from the repository")
    return tuple(skeletons)


@cache
def select_stories(is_heldout: bool, plots: int | None = None) -> tuple[Skeleton, ...]:
    """Return the held-out skeletons, or those to train on: of ``plots`` plots, spread evenly over all of them."""
    stories = [s for s in read_stories() if s.is_heldout == is_heldout]
    if plots is None or is_heldout:
        return tuple(stories)
    names = list(dict.fromkeys(s.name for s in stories))
    count = min(plots, len(names))
    chosen = {names[i * len(names) // count] for i in range(count)}
    return tuple(s for s in stories if s.name in chosen)


@cache
def read_endings() -> tuple[Skeleton, ...]:
    """Read the endings that fit the beginning of any story.

    Raises:
        DataError: a broken or empty file, a slot that nothing fills, or an ending in which the hero or the
            thing may be missing.
    """
    endings = []
    for number, steps in enumerate(read_yaml(ENDINGS), start=1):
        what = f"{ENDINGS}, ending {number}"
        ending = Skeleton("ending", _compile(steps, STORY_SLOTS, what), " ")
        for kept in (("hero",), ("colour", "thing")):
            if not ending.always_names(*kept):
                lost = " and ".join(f"{{{slot}}}" for slot in kept)
                raise DataError(f"{what}: it can be filled without {lost}: put them into every phrasing of some step")
        endings.append(ending)
    return tuple(endings)


@cache
def read_titles() -> tuple[Phrasing, ...]:
    """Read the titles of stories.

    Raises:
        DataError: a broken file, or a slot that nothing fills.
    """
    return compile_phrasings(read_yaml(TITLES), ("hero", "animal", "colour", "thing"), what="titles.yaml")


def put_title(story: str, scene: dict[str, str], rng: Random, *, with_animal: bool) -> str:
    """Return a story under a title that names its hero and thing, and its animal if with_animal."""
    title = rng.choice([t for t in read_titles() if ("animal" in t.slots) == with_animal])
    return f"{title.fill(scene)}\n\n{story}"


@cache
def read_forms() -> tuple[Skeleton, ...]:
    """Read the skeletons of all other forms; explanations need facts of a word.

    Raises:
        DataError: a broken file, an unknown need, a step without phrasings, or a slot that nothing fills.
    """
    skeletons = []
    for path in sorted((FOLDER / "forms").glob("*.yaml")):
        for row in read_yaml(path):
            if not isinstance(row, dict) or not row.get("form") or not row.get("steps"):
                raise DataError(f"{path}: a skeleton has no form or no steps: {str(row)[:60]}: give it both")
            name = str(row["form"])
            slots = {"word", "kind", *EXPLAINED} if name == "explanation" else STORY_SLOTS
            steps = _compile(row["steps"], slots, f"{path}: {name}")
            used = frozenset(slot for step in steps for phrasing in step for slot in phrasing.slots)
            needs = {"part2" if slot == "part2" else EXPLAINED[slot] for slot in used if slot in EXPLAINED}
            joint = " " if name == "explanation" else "\n"
            skeletons.append(Skeleton(name, steps, joint, frozenset(needs) if name == "explanation" else frozenset()))
    if not skeletons:
        raise DataError(f"{FOLDER / 'forms'}: no forms: restore the files from the repository")
    return tuple(skeletons)


def explained_slots(word: Word) -> dict[str, str]:
    """Return what an explanation may say of a word."""
    facts = {slot: word.facts[fact] for slot, fact in EXPLAINED.items() if fact in word.facts}
    parts = {f"part{i}": article(part) for i, part in enumerate(word.parts[:2], start=1)}
    return {"word": word.word, "kind": word.kind, **facts, **parts}


def words_for(skeleton: Skeleton, lexicon: Lexicon) -> list[Word]:
    """Return the words that have every fact that a skeleton needs."""
    kinds = skeleton.needs - {"part2"}
    pools = [lexicon.by_fact.get(need, ()) for need in kinds] or [tuple(w for k in lexicon.by_kind.values() for w in k)]
    common = set(pools[0]).intersection(*pools[1:])
    common = {word for word in common if word.kind not in NOT_THINGS or "opposite" in kinds}
    fitting = [word for word in common if "part2" not in skeleton.needs or len(word.parts) >= 2]
    return sorted(fitting, key=lambda word: word.word)


def _compile(steps: Any, slots: Any, what: str) -> tuple[tuple[Phrasing, ...], ...]:
    if not isinstance(steps, list):
        raise DataError(f"{what}: steps are a list of lists of sentences, this is {str(steps)[:60]!r}")
    return tuple(compile_phrasings(step if isinstance(step, list) else [step], slots, what=what) for step in steps)
