"""Problems: each has the answer that its prompt asks for."""

import random
import re
from collections import Counter
from typing import Any

import pytest

from training.data.corpus import Corpus
from training.data.tasks.draw import draw_example


def solve(e: Any) -> str:
    """Answer a problem from its prompt alone, without the drawing's help."""
    numbers = [int(n) for n in re.findall(r"\d+", e.prompt)]
    listed = e.slots.get("list", "").split(", ")
    return {
        "sum": lambda: str(sum(numbers)),
        "compare_numbers": lambda: str(max(numbers)),
        "sort_numbers": lambda: ", ".join(map(str, sorted(numbers))),
        "count_to": lambda: ", ".join(map(str, range(min(numbers), max(numbers) + 1))),
        "next_number": lambda: str(numbers[0] + 1),
        "before_number": lambda: str(numbers[0] - 1),
        "sort_words": lambda: ", ".join(sorted(listed)),
        "reverse_list": lambda: ", ".join(listed[::-1]),
        "first_of_list": lambda: listed[0],
        "last_of_list": lambda: listed[-1],
    }[e.task]()


@pytest.mark.parametrize(
    "name",
    [
        "sum",
        "compare_numbers",
        "sort_numbers",
        "count_to",
        "next_number",
        "before_number",
        "sort_words",
        "reverse_list",
        "first_of_list",
        "last_of_list",
    ],
)
def test_an_answer_follows_from_the_prompt_alone(whole: Corpus, name: str) -> None:
    rng = random.Random(1)
    for _ in range(100):
        e = draw_example(whole.tasks[name], whole.lexicon, rng)
        assert solve(e) == e.answers[0], e


def test_a_riddle_has_one_answer(whole: Corpus) -> None:
    rng = random.Random(5)
    answers: dict[frozenset[str], str] = {}
    for _ in range(2000):
        e = draw_example(whole.tasks["riddle"], whole.lexicon, rng)
        clues = frozenset(e.slots["clues"].split(". "))
        assert answers.setdefault(clues, e.answers[0]) == e.answers[0]


def test_sorted_words_and_the_odd_one_out_show_the_way(whole: Corpus) -> None:
    rng = random.Random(3)
    for _ in range(100):
        row = draw_example(whole.tasks["sort_words"], whole.lexicon, rng)
        assert row.slots["sorted_keys"] == ", ".join(f"{word[0]} {word}" for word in row.answers[0].split(", "))
        assert sorted(row.slots["keys"].split(", ")) == row.slots["sorted_keys"].split(", ")
        assert row.slots["sorted_keys"] in row.reply
        odd = draw_example(whole.tasks["odd_one_out"], whole.lexicon, rng)
        told = odd.slots["told"].split(", ")
        assert sorted(Counter(said.split(": ")[0] for said in told).values()) == [1, 3]
        assert [said for said in told if said.startswith(f"{odd.slots['least']}: ")] == [
            f"{odd.slots['least']}: {odd.answers[0]}"
        ]
        assert odd.slots["told"] in odd.reply
