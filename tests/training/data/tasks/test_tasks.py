"""Tasks: a wrong row is named, and what a row says is all that there is to know about a task."""

from pathlib import Path
from random import Random

import pytest

from training.data.tasks import problems, tasks
from training.data.tasks.draw import draw_example
from training.data.world.lexicon import read_lexicon
from training.data.yaml_files import DataError


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- task: oposite\n  questions: [a]\n", "unknown task 'oposite'"),
        ("- task: opposite\n  questions: [a]\n", "is there twice"),
        ("- questions: [a]\n", "has no task"),
        ("- task: hum\n  kind: song\n", "unknown kind 'song': use one of problem, "),
        ("- task: fables\n  kind: story\n  stand_alone: true\n", "unknown key 'stand_alone'"),
        ("- task: gossip\n  kind: topic\n  questions: [a]\n", "topics go with the kind topic"),
        (
            "- task: three\n  kind: two\n  parts: [sing]\n  questions: [a]\n  heldout: [b]\n  answers: {full: [c]}\n",
            "unknown part 'sing'",
        ),
    ],
)
def test_a_wrong_task_is_named(folder: Path, text: str, problem: str) -> None:
    (folder / "tasks" / "zz.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=problem):
        tasks.read_tasks()


def test_a_new_task_takes_a_row_and_a_function(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = """
- task: hiss
  stands_alone: true
  questions: ["Who hisses at {name}?"]
  heldout: ["Tell me who hisses at {name}."]
  answers:
    full: ["{Answer} hisses."]
"""
    (folder / "tasks" / "zz.yaml").write_text(row, encoding="utf-8")
    monkeypatch.setitem(problems.DRAWS, "hiss", lambda lexicon, rng, is_heldout: {"name": "Anna", "answer": "a snake"})
    task = tasks.read_tasks()["hiss"]
    assert task.stands_alone
    example = draw_example(task, read_lexicon(), Random(0), form="full")
    assert (example.prompt, example.reply, example.answers) == ("Who hisses at Anna?", "A snake hisses.", ("a snake",))


def test_a_problem_without_a_task_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(problems.DRAWS, "hiss", lambda lexicon, rng, is_heldout: {})
    with pytest.raises(DataError, match="no phrasings of the task 'hiss'"):
        tasks.read_tasks()
