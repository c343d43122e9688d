"""Families of prompts: phrasings of questions and of answers around the problems of problems.py.

families/*.yaml holds them. Each family has held-out phrasings, which no training text contains; replies come in three
forms: short (no more than it takes), full (a whole sentence) and warm (a whole sentence with a friendly word before
it). Below any whole sentence there may be a friendly closing.
"""

from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from random import Random
from typing import Any

from training.data.tasks.problems import DRAWS
from training.data.world.examples import Example, Problem
from training.data.world.lexicon import Lexicon
from training.data.world.phrasing import Phrasing, compile_phrasings
from training.data.world.scenes import draw_scene
from training.data.world.skeletons import put_title, read_endings, read_forms, told_stories
from training.data.yaml_files import TEXT, DataError, read_yaml

FOLDER = TEXT / "tasks"
FORMS = ("short", "full", "warm")
FORM_SHARES = (0.1, 0.6, 0.3)  # a reply that first says again what it is about is right more often
CLOSING = "I hope that helps!"
CLOSED = 0.2  # share of the whole sentences with it, in every phrasing alike: what is paid for closing keeps its words
COMPOSED = ("story_order", "story_animal", "story_continue", "letter_order")  # replies are skeletons, not phrasings
ANY_ENDING = 0.7  # share of the stories to continue that go on with an ending which fits any beginning
SLIPS = 0.7  # share of the near misses in which one slot alone is wrong
SLOTS = (
    *("word", "a", "b", "n", "list", "name", "he", "He", "things", "kind", "clues", "day", "month", "passage"),
    *("colour", "thing", "at", "hero", "friend", "animal", "beginning", "first", "second", "second_lower", "topic"),
    *("answer", "Answer", "answer1", "answer2", "quote", "letters"),
    *("counted", "backwards", "keys", "sorted_keys", "told", "most", "least"),
)
SIMPLE = (  # two of which make "two things"
    *("opposite", "sum", "difference", "count_to", "sound", "legs", "plural", "next_number", "repeat", "first_letter"),
)


@dataclass(frozen=True, eq=False)
class Family:
    """One family. answers[truth][form]: phrasings; truth is "" but for yes-or-no questions. plots: of its stories."""

    name: str
    questions: tuple[Phrasing, ...]
    heldout: tuple[Phrasing, ...]
    answers: dict[str, dict[str, tuple[Phrasing, ...]]] = field(default_factory=dict)
    topics: tuple[str, ...] = ()
    weight: float = 1.0
    plots: int | None = None


@cache
def read_families() -> dict[str, Family]:
    """Read all families.

    Raises:
        DataError: a broken file, an unknown family, one that stands twice, too few phrasings, or a slot nothing fills.
    """
    families: dict[str, Family] = {}
    known = {*DRAWS, *COMPOSED, "two_things", "unknown"}
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name == "passages.yaml":
            continue
        for row in read_yaml(path):
            if not isinstance(row, dict) or not row.get("family"):
                raise DataError(f"{path}: a row has no family: {str(row)[:60]}: name it")
            name = row["family"]
            if name not in known:
                raise DataError(f"{name.where}: unknown family {str(name)!r}: use one of {', '.join(sorted(known))}")
            if name in families:
                raise DataError(f"{name.where}: the family {str(name)!r} stands twice: join the two")
            families[str(name)] = _family_of(row, str(path))
    if missing := sorted(known - families.keys()):
        raise DataError(f"{FOLDER}: no phrasings of the family {missing[0]!r}: write some, or remove its drawing")
    return families


def draw_example(
    family: Family, lexicon: Lexicon, rng: Random, *, is_heldout: bool = False, form: str | None = None
) -> Example:
    """Draw one prompt of a family and a good reply; held-out ones use held-out phrasings, plots and names.

    form: "short", "full" or "warm" for the reply, without a closing; where it is None, both are drawn.
    """
    if family.name in COMPOSED:
        return _draw_composed(family, lexicon, rng, is_heldout)
    if family.name == "two_things":
        example = _draw_two(family, lexicon, rng, is_heldout)
    else:
        example = _draw_one(family, lexicon, rng, is_heldout, form)
    if form or not example.answers or example.form == "short":
        return example
    closing = _draw_closing(rng)
    return replace(example, reply=example.reply + closing, form="warm") if closing else example


def accepted_replies(family: Family, example: Example) -> list[tuple[str, str]]:
    """Return every composed reply that is right, as (form, text), without closings."""
    accepted = []
    if family.name == "two_things":
        ways = [accepted_replies(read_families()[part.family], part) for part in example.slots["parts"]]
        return [("full", f"{one} {other}") for (_, one), (_, other) in product(*ways)]
    for truth in family.answers:
        if truth and truth not in example.answers:
            continue
        for answer in [example.slots["answer"]] if truth else example.answers or (example.slots["answer"],):
            slots = example.slots | {"answer": answer, "Answer": _capital(answer)}
            for form, phrasings in family.answers[truth].items():
                accepted += [(form, phrasing.fill(slots)) for phrasing in phrasings]
    return accepted


def tell_near_miss(family: Family, example: Example, other: Example, rng: Random) -> tuple[str, str]:
    """Return a right reply to a checkable example, and the same one filled in part or whole from another problem.

    In part means one slot of it, so that the two may well be the same text, or both be right.
    """
    phrasing = rng.choice(_phrasings(family, example.slots, rng.choice(FORMS[1:])))
    closing = _draw_closing(rng)
    slots, others = (e.slots | {"Answer": _capital(e.slots.get("answer", ""))} for e in (example, other))
    mistaken = sorted(phrasing.slots & others.keys())
    if rng.random() < SLIPS:
        mistaken = [rng.choice(mistaken)]
    told = phrasing.fill(slots), phrasing.fill(slots | {slot: others[slot] for slot in mistaken})
    return told[0] + closing, told[1] + closing


def _draw_composed(family: Family, lexicon: Lexicon, rng: Random, is_heldout: bool) -> Example:
    scene = draw_scene(lexicon, rng, is_heldout=is_heldout)
    question = rng.choice(family.heldout if is_heldout else family.questions)
    if family.name == "letter_order":
        letter = rng.choice([form for form in read_forms() if form.name == "letter"])
        return Example(
            family.name,
            question.fill(scene),
            letter.tell(scene, rng),
            kept=(scene["friend"], scene["hero"]),
            slots=scene,
        )
    with_animal = family.name == "story_animal"
    told = [s for s in told_stories(is_heldout, family.plots) if s.has_animal or not with_animal]
    skeleton = rng.choice(told)
    thing = f"{scene['colour']} {scene['thing']}"
    steps = skeleton.tell_steps(scene, rng)
    if family.name != "story_continue":
        kept = (scene["hero"], thing, *((scene["animal"],) if with_animal else ()))
        story = put_title(" ".join(steps), scene, rng, with_animal=with_animal)
        return Example(family.name, question.fill(scene), story, kept=kept, slots=scene)
    # The beginning goes on until both the hero and the thing are named.
    cut = next((i for i in range(1, len(steps)) if thing in (said := " ".join(steps[:i])) and scene["hero"] in said), 1)
    prompt = question.fill(scene | {"beginning": " ".join(steps[:cut])})
    rest = rng.choice(read_endings()).tell(scene, rng) if rng.random() < ANY_ENDING else " ".join(steps[cut:])
    return Example(family.name, prompt, rest, kept=(scene["hero"], thing), slots=scene)


def _draw_one(family: Family, lexicon: Lexicon, rng: Random, is_heldout: bool, form: str | None) -> Example:
    if family.name == "unknown":
        topic = rng.choice(family.topics)
        problem: Problem = {"topic": topic, "answer": ""}
    else:
        problem = DRAWS[family.name](lexicon, rng, is_heldout)
    question = rng.choice(family.heldout if is_heldout else family.questions)
    form = form or rng.choices(FORMS, FORM_SHARES)[0]
    slots = problem | {"Answer": _capital(problem["answer"])}
    reply = rng.choice(_phrasings(family, problem, form)).fill(slots)
    answers = problem.get("answers", (problem["answer"],) if problem["answer"] else ())
    return Example(family.name, question.fill(slots), reply, form, answers, problem)


def _draw_two(family: Family, lexicon: Lexicon, rng: Random, is_heldout: bool) -> Example:
    families = read_families()
    parts = [draw_example(families[name], lexicon, rng, form="full") for name in rng.sample(SIMPLE, 2)]
    question = rng.choice(family.heldout if is_heldout else family.questions)
    one, other = parts
    slots: Problem = {
        "first": one.prompt,
        "second": other.prompt,
        "second_lower": other.prompt[:1].lower() + other.prompt[1:],
        "answer1": one.reply,
        "answer2": other.reply,
        "parts": parts,
    }
    form = rng.choice([form for form in FORMS if family.answers[""].get(form)])
    reply = rng.choice(family.answers[""][form]).fill(slots)
    answers = (one.answers[0], other.answers[0])
    return Example(family.name, question.fill(slots), reply, form, answers, slots)


def _draw_closing(rng: Random) -> str:
    """Return the closing with the space before it, or nothing."""
    return f" {CLOSING}" if rng.random() < CLOSED else ""


def _phrasings(family: Family, problem: Problem, form: str) -> tuple[Phrasing, ...]:
    truth = problem["answers"][0] if "" not in family.answers else ""
    forms = family.answers[truth]
    return forms.get(form) or next(iter(forms.values()))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _family_of(row: dict[str, Any], path: str) -> Family:
    name = str(row["family"])
    what = f"{path}: {name}"
    questions = compile_phrasings(row.get("questions") or (), SLOTS, what=what)
    heldout = compile_phrasings(row.get("heldout") or (), SLOTS, what=f"{what} (heldout)")
    if shared := {q.text for q in questions} & {q.text for q in heldout}:
        raise DataError(f"{what}: {min(shared)!r} is held out and trained on: remove one of the two")
    answers: dict[str, dict[str, tuple[Phrasing, ...]]] = {}
    for key, truth in (("answers", ""), ("answers_yes", "yes"), ("answers_no", "no")):
        if key in row:
            answers[truth] = {
                form: compile_phrasings(row[key][form], SLOTS, what=f"{what}: {form}")
                for form in FORMS
                if row[key].get(form)
            }
    if not answers and name not in COMPOSED:
        raise DataError(f"{what}: no answers: write short, full and warm ones")
    topics = tuple(str(topic) for topic in row.get("topics", ()))
    return Family(name, questions, heldout, answers, topics, float(row.get("weight", 1.0)))
