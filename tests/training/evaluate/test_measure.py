"""What is counted in the replies to held-out prompts."""

import pytest

from training.data.rubric import Rubric
from training.data.tasks.tasks import read_tasks
from training.data.world.examples import Example
from training.evaluate.measure import exact_match, first_line_exact, story_checks
from training.runs.generate import Sample


def test_stories_are_checked_by_hero_thing_and_end() -> None:
    asked = [Example("story_order", "?", "", kept=("Anna", "red kite"))] * 4
    said = ["Anna had a red kite.", "Anna had a blue kite.", "Ben had a red kite.", "Anna had a red kite"]
    replies = [Sample(text, True, [], []) for text in said]
    checks = story_checks(asked, replies)["stories"]
    assert checks == {"hero_kept": 0.75, "colour_kept": 0.75, "ended": 0.75, "no_loop": 1.0, "all": 0.25}


def test_a_title_alone_keeps_nobody_in_the_story() -> None:
    asked = Example("story_order", "?", "", kept=("Anna", "red kite"))
    title = "Anna and the red kite\n\n"
    for said, share in (("Ben had a blue hat.", 0.0), ("Anna had a red kite.", 1.0)):
        reply = Sample(title + said, True, [], [])
        checks = story_checks([asked], [reply])["stories"]
        assert (checks["hero_kept"], checks["colour_kept"]) == (share, share)
        assert Rubric({}, frozenset()).mark(asked, reply.text, is_finished=True).correct == share


def test_right_answers_are_counted_by_task() -> None:
    hot = Example("opposite", "?", "", "full", ("cold",), {"word": "hot", "answer": "cold"})
    one = Example("sum", "Melina?", "", "full", ("3",), {"a": "1", "b": "2", "answer": "3"})
    replies = [Sample(text, True, [], []) for text in ("Cold.", "Warm.", "3")]
    found = exact_match([hot, hot, one], replies, Rubric(read_tasks(), frozenset()), frozenset({"Melina"}))
    assert found["exact"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["exact_by_family"] == {"opposite": 0.5, "sum": 1.0}
    assert found["exact_with_new_words"] == 1.0


def test_a_base_models_first_line_counts_apart_from_what_it_goes_on_to_write() -> None:
    hot = Example("opposite", "?", "", "full", ("cold",), {"word": "hot", "answer": "cold"})
    rambling = [Sample("Cold.\n\nQuestion of the day: Up? Answer of the day: Down, and so on.", True, [], [])]
    rubric = Rubric(read_tasks(), frozenset())
    assert exact_match([hot], rambling, rubric, frozenset())["exact"] == 0.0
    assert first_line_exact([hot], rambling, rubric) == 1.0
