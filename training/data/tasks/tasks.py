"""Tasks: what can be asked, as phrasings of questions and answers around the problems of problems.py.

text/tasks/*.yaml holds them, one row per task. Each has held-out phrasings, which no training text contains. Replies
come in three forms: short (no more than it takes), full (a whole sentence) and warm (a whole sentence with a friendly
word before it). draw.py draws prompts and replies from them.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from training.data.tasks.problems import DRAWS
from training.data.world.phrasing import Phrasing, compile_phrasings
from training.data.yaml_files import TEXT, DataError, read_yaml

FOLDER = TEXT / "tasks"
PASSAGES = "passages.yaml"  # in the same folder: the sentences of passages
FORMS = ("short", "full", "warm")
KINDS = {
    "problem": "it has an answer, which the function of its name in problems.py knows",
    "topic": "one of its topics, of which nothing is known",
    "two": "two of its parts at once, which are other tasks",
    "story": "a story, told by a skeleton",
    "letter": "a letter, told by a skeleton",
}
COMPOSED = ("story", "letter")  # kinds whose replies are told by skeletons and not by phrasings
ANSWERS = {"answers": "", "answers_yes": "yes", "answers_no": "no"}
KEYS = ("task", "kind", "weight", "stands_alone", "questions", "heldout", "topics", "parts", *ANSWERS)
SLOTS = (
    *("word", "a", "b", "n", "list", "name", "he", "He", "things", "kind", "clues", "day", "month", "passage"),
    *("colour", "thing", "at", "hero", "friend", "animal", "beginning", "first", "second", "second_lower", "topic"),
    *("answer", "Answer", "answer1", "answer2", "quote", "letters"),
    *("counted", "backwards", "keys", "sorted_keys", "told", "most", "least"),
)


@dataclass(frozen=True, eq=False)
class Task:
    """One task, a row of a YAML file.

    kind: one of KINDS. answers[truth][form]: phrasings of replies; truth is "" but for yes-or-no questions.
    topics, parts: of those kinds. weight: how often it is drawn, beside the others. stands_alone: whether a full reply
    can be read without its question. plots: of how many plots its stories are, all where None.
    """

    name: str
    kind: str
    questions: tuple[Phrasing, ...]
    heldout: tuple[Phrasing, ...]
    answers: dict[str, dict[str, tuple[Phrasing, ...]]] = field(default_factory=dict)
    topics: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    weight: float = 1.0
    stands_alone: bool = False
    plots: int | None = None

    @property
    def is_composed(self) -> bool:
        """Whether its replies are told by skeletons, so that many are right."""
        return self.kind in COMPOSED

    def asks_with(self, slot: str) -> bool:
        """Say whether every question has a slot."""
        return all(slot in question.slots for question in self.questions)


@cache
def read_tasks() -> dict[str, Task]:
    """Read all tasks.

    Raises:
        DataError: a broken file, an unknown task, kind, part or key, a task that is there twice, a problem without a
            task, too few phrasings, or a slot nothing fills.
    """
    tasks: dict[str, Task] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name == PASSAGES:
            continue
        for row in read_yaml(path):
            if not isinstance(row, dict) or not row.get("task"):
                raise DataError(f"{path}: a row has no task: {str(row)[:60]}: name it")
            if row["task"] in tasks:
                raise DataError(f"{row['task'].where}: the task {str(row['task'])!r} is there twice: join the two")
            tasks[str(row["task"])] = _task_of(row, str(path))
    if missing := sorted(DRAWS.keys() - tasks.keys()):
        raise DataError(f"{FOLDER}: no phrasings of the task {missing[0]!r}: write some, or remove its problem")
    for task in tasks.values():
        if unknown := [part for part in task.parts if part not in tasks]:
            raise DataError(f"{FOLDER}: {task.name}: unknown part {unknown[0]!r}: name other tasks")
    return tasks


def _task_of(row: dict[str, Any], path: str) -> Task:
    name, kind = str(row["task"]), str(row.get("kind", "problem"))
    what = f"{path}: {name}"
    _check_row(row, name, kind)
    questions = compile_phrasings(row.get("questions") or (), SLOTS, what=what)
    heldout = compile_phrasings(row.get("heldout") or (), SLOTS, what=f"{what} (heldout)")
    if shared := {q.text for q in questions} & {q.text for q in heldout}:
        raise DataError(f"{what}: {min(shared)!r} is held out and trained on: remove one of the two")
    answers = {
        truth: {
            form: compile_phrasings(row[key][form], SLOTS, what=f"{what}: {form}")
            for form in FORMS
            if row[key].get(form)
        }
        for key, truth in ANSWERS.items()
        if key in row
    }
    if not answers and kind not in COMPOSED:
        raise DataError(f"{what}: no answers: write short, full and warm ones")
    return Task(
        name,
        kind,
        questions,
        heldout,
        answers,
        topics=tuple(str(topic) for topic in row.get("topics", ())),
        parts=tuple(str(part) for part in row.get("parts", ())),
        weight=float(row.get("weight", 1.0)),
        stands_alone=row.get("stands_alone", False) is True,
    )


def _check_row(row: dict[str, Any], name: str, kind: str) -> None:
    where = row["task"].where
    if unknown := [str(key) for key in row if key not in KEYS]:
        raise DataError(f"{where}: {name}: unknown key {unknown[0]!r}: use some of {', '.join(KEYS)}")
    if kind not in KINDS:
        raise DataError(f"{where}: {name}: unknown kind {kind!r}: use one of {', '.join(KINDS)}")
    if kind == "problem" and name not in DRAWS:
        raise DataError(
            f"{where}: unknown task {name!r}: write the function of its problem, give it another kind, "
            f"or use one of {', '.join(sorted(DRAWS))}"
        )
    for key, needed in (("topics", "topic"), ("parts", "two")):
        if (kind == needed) != bool(row.get(key)):
            raise DataError(f"{where}: {name}: {key} go with the kind {needed}: give it both or neither")
