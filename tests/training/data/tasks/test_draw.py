"""Examples of tasks: right in all their forms, closed alike, and missed narrowly."""

import random

import pytest

from training.data.corpus import Corpus
from training.data.rubric import Rubric
from training.data.tasks.draw import CLOSED, CLOSING, draw_example, draw_near_miss
from training.data.tasks.problems import DRAWS


@pytest.mark.parametrize("name", sorted(DRAWS))
def test_the_reply_to_a_problem_is_right_by_the_rubric_in_all_its_forms(whole: Corpus, name: str) -> None:
    rng = random.Random(name)
    rubric = Rubric(whole.tasks, frozenset())
    for form in ("short", "full", "warm"):
        for is_heldout in (False, True):
            for _ in range(30):
                e = draw_example(whole.tasks[name], whole.lexicon, rng, is_heldout=is_heldout, form=form)
                assert rubric.is_exact(e, e.reply), e
                assert not rubric.is_exact(e, "I like turtles and other things."), e


def test_a_closing_stands_below_whole_sentences_of_every_phrasing_alike(whole: Corpus) -> None:
    rng = random.Random(5)
    problems = [task for name, task in whole.tasks.items() if name in DRAWS]
    drawn = [draw_example(rng.choice(problems), whole.lexicon, rng) for _ in range(20000)]
    openings = (("bare", ""), ("Sure!", "Sure! "), ("Good question!", "Good question! "))
    shares = {}
    for name, opening in openings:
        said = [
            e.reply.endswith(f" {CLOSING}")
            for e in drawn
            if e.form != "short"
            and (e.reply.startswith(opening) if opening else "!" not in e.reply.removesuffix(CLOSING))
        ]
        shares[name] = sum(said) / len(said)
    assert shares == pytest.approx(dict.fromkeys(shares, CLOSED), abs=0.05)
    assert not any(e.reply.endswith(CLOSING) for e in drawn if e.form == "short")


@pytest.mark.parametrize("name", ["opposite", "two_things"])
def test_a_reply_of_a_form_that_was_asked_for_has_no_closing(whole: Corpus, name: str) -> None:
    rng = random.Random(5)
    asked = [draw_example(whole.tasks[name], whole.lexicon, rng, form="full") for _ in range(100)]
    drawn = [draw_example(whole.tasks[name], whole.lexicon, rng) for _ in range(100)]
    assert not any(CLOSING in e.reply for e in asked)
    assert any(e.reply.endswith(CLOSING) for e in drawn)


def test_a_reply_that_does_not_know_hopes_to_help_nobody(whole: Corpus) -> None:
    rng = random.Random(5)
    assert not any(CLOSING in draw_example(whole.tasks["unknown"], whole.lexicon, rng).reply for _ in range(200))


def test_a_near_miss_closes_as_the_right_reply_beside_it_does(whole: Corpus) -> None:
    rng = random.Random(5)
    task = whole.tasks["opposite"]
    told = [draw_near_miss(task, *(draw_example(task, whole.lexicon, rng) for _ in range(2)), rng) for _ in range(300)]
    closed = [[reply.endswith(CLOSING) for reply in pair] for pair in told]
    assert all(one == other for one, other in closed)
    assert 0 < sum(one for one, _ in closed) < len(closed) / 2
