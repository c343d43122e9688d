"""Draw examples of tasks: a prompt, a good reply, every other right one, and near misses."""

from dataclasses import replace
from itertools import product
from random import Random

from training.data.tasks.problems import DRAWS
from training.data.tasks.tasks import FORMS, Task, read_tasks
from training.data.world.examples import Example, Problem
from training.data.world.lexicon import Lexicon
from training.data.world.phrasing import Phrasing
from training.data.world.scenes import draw_scene
from training.data.world.skeletons import put_title, read_endings, read_forms, select_stories

FORM_SHARES = (0.1, 0.6, 0.3)  # few short ones: a reply that first repeats what it is about is more often right
CLOSING = "I hope that helps!"
CLOSED = 0.2  # share of whole sentences that it follows, the same for every phrasing, so that rewards favour no wording
ANY_ENDING = 0.7  # share of the stories to continue whose ending fits any beginning
SLIPS = 0.7  # share of the near misses in which only one slot is wrong


def draw_example(
    task: Task, lexicon: Lexicon, rng: Random, *, is_heldout: bool = False, form: str | None = None
) -> Example:
    """Draw one prompt of a task and a good reply; held-out ones use held-out phrasings, plots and names.

    form: of the reply, "short", "full" or "warm", without a closing; if None, form and closing are drawn.
    """
    if task.kind == "story":
        return _draw_story(task, lexicon, rng, is_heldout)
    if task.kind == "letter":
        return _draw_letter(task, lexicon, rng, is_heldout)
    if task.kind == "two":
        example = _draw_two(task, lexicon, rng, is_heldout)
    else:
        example = _draw_one(task, lexicon, rng, is_heldout, form)
    if form or not example.answers or example.form == "short":
        return example
    closing = _draw_closing(rng)
    return replace(example, reply=example.reply + closing, form="warm") if closing else example


def accepted_replies(task: Task, example: Example) -> list[tuple[str, str]]:
    """Return every right reply that the phrasings give, as (form, text), without closings."""
    accepted = []
    if task.kind == "two":
        ways = [accepted_replies(read_tasks()[part.task], part) for part in example.slots["parts"]]
        return [("full", f"{one} {other}") for (_, one), (_, other) in product(*ways)]
    for truth in task.answers:
        if truth and truth not in example.answers:
            continue
        for answer in [example.slots["answer"]] if truth else example.answers or (example.slots["answer"],):
            slots = example.slots | {"answer": answer, "Answer": _capital(answer)}
            for form, phrasings in task.answers[truth].items():
                accepted += [(form, phrasing.fill(slots)) for phrasing in phrasings]
    return accepted


def draw_near_miss(task: Task, example: Example, other: Example, rng: Random) -> tuple[str, str]:
    """Return a right reply to a checkable example, and the same one filled with one or all slots of another problem.

    The two may be the same text, or both be right.
    """
    phrasing = rng.choice(_phrasings(task, example.slots, rng.choice(FORMS[1:])))
    closing = _draw_closing(rng)
    slots, others = (e.slots | {"Answer": _capital(e.slots.get("answer", ""))} for e in (example, other))
    mistaken = sorted(phrasing.slots & others.keys())
    if rng.random() < SLIPS:
        mistaken = [rng.choice(mistaken)]
    right, wrong = phrasing.fill(slots), phrasing.fill(slots | {slot: others[slot] for slot in mistaken})
    return right + closing, wrong + closing


def _draw_story(task: Task, lexicon: Lexicon, rng: Random, is_heldout: bool) -> Example:
    scene = draw_scene(lexicon, rng, is_heldout=is_heldout)
    question = _draw_question(task, rng, is_heldout)
    with_animal = task.asks_with("animal")
    skeleton = rng.choice([s for s in select_stories(is_heldout, task.plots) if s.has_animal or not with_animal])
    thing = f"{scene['colour']} {scene['thing']}"
    steps = skeleton.fill_steps(scene, rng)
    if not task.asks_with("beginning"):
        kept = (scene["hero"], thing, *((scene["animal"],) if with_animal else ()))
        story = put_title(" ".join(steps), scene, rng, with_animal=with_animal)
        return Example(task.name, question.fill(scene), story, kept=kept, slots=scene)
    cut = _end_of_beginning(steps, scene["hero"], thing)
    prompt = question.fill(scene | {"beginning": " ".join(steps[:cut])})
    rest = rng.choice(read_endings()).fill(scene, rng) if rng.random() < ANY_ENDING else " ".join(steps[cut:])
    return Example(task.name, prompt, rest, kept=(scene["hero"], thing), slots=scene)


def _end_of_beginning(steps: list[str], hero: str, thing: str) -> int:
    """Return how many steps it takes until both the hero and the thing are named."""
    for count in range(1, len(steps)):
        beginning = " ".join(steps[:count])
        if hero in beginning and thing in beginning:
            return count
    return 1


def _draw_letter(task: Task, lexicon: Lexicon, rng: Random, is_heldout: bool) -> Example:
    scene = draw_scene(lexicon, rng, is_heldout=is_heldout)
    question = _draw_question(task, rng, is_heldout)
    letter = rng.choice([form for form in read_forms() if form.name == "letter"])
    kept = (scene["friend"], scene["hero"])
    return Example(task.name, question.fill(scene), letter.fill(scene, rng), kept=kept, slots=scene)


def _draw_question(task: Task, rng: Random, is_heldout: bool) -> Phrasing:
    return rng.choice(task.heldout if is_heldout else task.questions)


def _draw_one(task: Task, lexicon: Lexicon, rng: Random, is_heldout: bool, form: str | None) -> Example:
    if task.kind == "topic":
        topic = rng.choice(task.topics)
        problem: Problem = {"topic": topic, "answer": ""}
    else:
        problem = DRAWS[task.name](lexicon, rng, is_heldout)
    question = _draw_question(task, rng, is_heldout)
    form = form or rng.choices(FORMS, FORM_SHARES)[0]
    slots = problem | {"Answer": _capital(problem["answer"])}
    reply = rng.choice(_phrasings(task, problem, form)).fill(slots)
    answers = problem.get("answers", (problem["answer"],) if problem["answer"] else ())
    return Example(task.name, question.fill(slots), reply, form, answers, problem)


def _draw_two(task: Task, lexicon: Lexicon, rng: Random, is_heldout: bool) -> Example:
    tasks = read_tasks()
    parts = [draw_example(tasks[name], lexicon, rng, form="full") for name in rng.sample(task.parts, 2)]
    question = _draw_question(task, rng, is_heldout)
    one, other = parts
    slots: Problem = {
        "first": one.prompt,
        "second": other.prompt,
        "second_lower": other.prompt[:1].lower() + other.prompt[1:],
        "answer1": one.reply,
        "answer2": other.reply,
        "parts": parts,
    }
    form = rng.choice([form for form in FORMS if task.answers[""].get(form)])
    reply = rng.choice(task.answers[""][form]).fill(slots)
    answers = (one.answers[0], other.answers[0])
    return Example(task.name, question.fill(slots), reply, form, answers, slots)


def _draw_closing(rng: Random) -> str:
    """Return the closing with the space before it, or nothing."""
    return f" {CLOSING}" if rng.random() < CLOSED else ""


def _phrasings(task: Task, problem: Problem, form: str) -> tuple[Phrasing, ...]:
    truth = problem["answers"][0] if "" not in task.answers else ""
    forms = task.answers[truth]
    return forms.get(form) or next(iter(forms.values()))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
