"""First pairs: the best reply against each other one, by noisy votes, and broken copies that never equal the chosen."""

import random
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.corpus import Corpus
from training.data.rubric import Rubric, split_words
from training.data.tasks.tasks import read_tasks
from training.data.world.examples import Example
from training.recipe import Recipe
from training.runs.generate import Sample
from training.stages import pairs as stage
from training.stages.pairs import (
    break_problems,
    break_reply,
    draw_prompts,
    make_near_misses,
    make_pairs,
    sample_groups,
)

COW = Example("sound", "What does a cow say?", "A cow says moo.", "full", ("moo",), {"word": "cow", "answer": "moo"})
RIGHT, WRONG, BLORP = "A cow says moo.", "A cow says woof.", "Blorp"


@pytest.fixture(scope="module")
def rubric() -> Rubric:
    return Rubric(read_tasks(), frozenset(split_words("a cow dog says moo woof and again")))


def sample(text: str, *, is_finished: bool = True) -> Sample:
    return Sample(text, is_finished, [1], [2])


def pairs(rubric: Rubric, *samples: Sample, noise: float = 0.0, seed: int = 0) -> list[dict[str, Any]]:
    return make_pairs(COW, list(samples), rubric, random.Random(seed), noise)


def sides(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in rows]


def test_the_best_reply_meets_each_worse_one(rubric: Rubric) -> None:
    rows = pairs(rubric, sample(WRONG), sample(RIGHT), sample(BLORP, is_finished=False))
    assert sides(rows) == [(RIGHT, WRONG), (RIGHT, BLORP)]
    assert all(row["noise_free"] for row in rows)


def test_replies_that_score_alike_make_no_pair(rubric: Rubric) -> None:
    assert pairs(rubric, sample(RIGHT), sample("A cow says moo!")) == []
    assert pairs(rubric, *[sample(RIGHT)] * 3) == []


def test_empty_replies_take_no_part(rubric: Rubric) -> None:
    assert pairs(rubric, sample(RIGHT), sample(""), sample(" \n")) == []
    assert pairs(rubric) == []


def test_a_noisy_voter_errs_sometimes_and_the_row_says_so(rubric: Rubric) -> None:
    rows = [row for seed in range(300) for row in pairs(rubric, sample(RIGHT), sample("Moo."), noise=30.0, seed=seed)]
    wrong = [row for row in rows if row["chosen"][0]["content"] == "Moo."]
    assert 0 < len(wrong) < len(rows) / 2
    assert not any(row["noise_free"] for row in wrong)
    assert all(row["noise_free"] for row in rows if row not in wrong)


def test_a_pair_has_the_shape_of_the_arenas_export_and_says_that_nobody_voted(rubric: Rubric) -> None:
    [row] = pairs(rubric, sample(RIGHT), sample(WRONG))
    assert row == {
        "prompt": [{"role": "user", "content": COW.prompt}],
        "chosen": [{"role": "assistant", "content": RIGHT}],
        "rejected": [{"role": "assistant", "content": WRONG}],
        "margin": 0.0,
        "source": "synthetic",
        "noise_free": True,
    }


REPLIES = st.lists(st.sampled_from(["A", "cow", "says", "moo.", "moo"]), min_size=1, max_size=8).map(" ".join)


@given(REPLIES, st.integers(0, 1000))
def test_a_broken_reply_is_some_text_and_never_the_chosen_one(chosen: str, seed: int) -> None:
    [(kept, broken)] = sides([break_reply("Hello!", chosen, random.Random(seed), 2.0)])
    assert kept == chosen
    assert broken.strip()
    assert broken != chosen
    assert set(broken.split()) <= {*chosen.split(), "."}


def test_replies_are_sampled_where_models_are_asked_several_to_each_prompt(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[dict[str, Any]] = []
    monkeypatch.setattr(stage, "load_tokenizer", lambda folder: None)
    monkeypatch.setattr(stage, "load_language_model", lambda folder, **options: loaded.append(options))
    monkeypatch.setattr(stage, "sample_replies", lambda model, tokenizer, prompts, **_: [sample(p) for p in prompts])
    settings = recipe.pairs.model_copy(update={"samples": 3})
    groups = sample_groups(Path("sft"), ["a", "b"], settings)
    assert [[s.text for s in group] for group in groups] == [["a"] * 3, ["b"] * 3]
    assert loaded == [{}]  # not to train, so on the graphics card where there is one


def test_replies_are_broken_in_several_ways() -> None:
    rng = random.Random(0)
    rows = [break_reply(COW.prompt, RIGHT, rng, 2.0) for _ in range(80)]
    assert len({row["rejected"][0]["content"] for row in rows}) > 5
    assert all(row["degenerate"] and row["margin"] == 2.0 for row in rows)
    assert all(row["prompt"] == [{"role": "user", "content": COW.prompt}] and row["noise_free"] for row in rows)


def test_problems_are_broken_as_many_as_asked_for_and_no_story_among_them(corpus: Corpus) -> None:
    rows = break_problems(corpus, random.Random(0), 300, 4.0)
    assert len(rows) == 300
    assert all(row["degenerate"] and row["margin"] == 4.0 for row in rows)
    examples = list(islice(corpus.draw_examples(random.Random(0)), 500))
    stories = {e.reply for e in examples if e.is_composed}
    assert stories
    assert stories.isdisjoint(chosen for chosen, _ in sides(rows))
    assert len({broken for _, broken in sides(rows)}) > 200


def test_prompts_are_drawn_once_each_and_never_from_what_cannot_be_judged(corpus: Corpus) -> None:
    drawn = draw_prompts(corpus, random.Random(0), 60)
    assert len({e.prompt for e in drawn}) == len(drawn) == 60
    assert "small talk" not in {e.task for e in drawn}
    tasks = {e.task for e in islice(corpus.draw_examples(random.Random(0)), 500)}
    assert "small talk" in tasks


def test_a_near_miss_is_wrong_and_says_what_the_right_reply_says_but_for_what_another_problem_fills(
    corpus: Corpus,
) -> None:
    rubric = Rubric(read_tasks(), frozenset())
    examples = list(islice(corpus.draw_examples(random.Random(0)), 600))
    asked = {e.prompt: e for e in examples}
    rows = make_near_misses(examples, rubric, random.Random(0), 200)
    assert len(rows) == 200
    assert all(row["near_miss"] and row["noise_free"] and row["margin"] == 0.0 for row in rows)
    for row, (right, miss) in zip(rows, sides(rows), strict=True):
        example = asked[row["prompt"][0]["content"]]
        assert rubric.is_exact(example, right)
        assert not rubric.is_exact(example, miss)
    shared = [len({*right.split()} & {*miss.split()}) / len({*right.split()}) for right, miss in sides(rows)]
    assert sum(shared) / len(shared) > 0.5


def test_there_are_no_near_misses_of_what_cannot_be_checked_or_stands_alone() -> None:
    rubric = Rubric(read_tasks(), frozenset())
    talk = Example("small talk", "Hello!", "Hello! How are you?")
    assert make_near_misses([talk, COW], rubric, random.Random(0), 5) == []
    assert make_near_misses([COW, COW], rubric, random.Random(0), 5) == []
