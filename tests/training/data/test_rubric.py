"""The rubric orders replies as a person would, and its voters are noisy in the way Bradley-Terry says."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.corpus import Corpus
from training.data.rubric import (
    POINTS,
    TIE,
    Rubric,
    cast_vote,
    distinct_share,
    normalise,
    repeated_share,
    split_words,
    without_closing,
)
from training.data.tasks.tasks import read_tasks
from training.data.world.examples import Example

COLD = Example(
    "opposite",
    "What is the opposite of hot?",
    "The opposite of hot is cold.",
    "full",
    ("cold",),
    {"word": "hot", "answer": "cold"},
)
STORY = Example("story_order", "Tell me a story about Anna and a red kite.", "", kept=("Anna", "red kite"))
NOVEL = (
    "Anna had a red kite and took it to the park. There she met a dog who was sad. Anna let the dog play with the red "
    "kite, and soon both of them were happy. They went home as friends and slept well until the morning came."
)
UNKNOWN = Example(
    "unknown",
    "Tell me about quantum physics.",
    "I do not know.",
    "short",
    (),
    {"topic": "quantum physics", "answer": ""},
)


@pytest.fixture(scope="module")
def rubric() -> Rubric:
    words = split_words("the opposite of hot is cold good question i hope that helps warm do not know sorry am")
    return Rubric(read_tasks(), frozenset([*words, *split_words(NOVEL)]))


def points(rubric: Rubric, example: Example, reply: str, *, is_finished: bool = True) -> float:
    return rubric.mark(example, reply, is_finished=is_finished).points


def test_a_perfect_reply_has_all_points(rubric: Rubric) -> None:
    assert (
        points(rubric, COLD, "The opposite of hot is cold. I hope that helps!")
        == pytest.approx(sum(POINTS.values()))
        == 100
    )
    assert points(rubric, STORY, NOVEL) == pytest.approx(100)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("The opposite of hot is cold.", "The opposite of hot is warm."),
        ("The opposite of hot is cold.", "Cold."),
        ("The opposite of hot is cold. I hope that helps!", "The opposite of hot is cold."),
        ("The opposite of hot is cold. I hope that helps!", "Good question! The opposite of hot is cold."),
        ("Cold.", "Warm."),
        ("The opposite of hot is cold.", "The opposite of hot is cold. " * 4),
        ("Cold.", "Qzx."),
        ("Warm.", ""),
    ],
)
def test_the_better_of_two_replies_scores_higher(rubric: Rubric, better: str, worse: str) -> None:
    assert points(rubric, COLD, better) > points(rubric, COLD, worse)


def test_friendly_is_how_a_reply_closes_not_how_it_opens(rubric: Rubric) -> None:
    assert rubric.mark(UNKNOWN, "I am sorry, I do not know.", is_finished=True).friendly == 1.0
    for cool in ("Sure! The opposite of hot is cold.", "Cold is a kind of weather."):
        assert rubric.mark(COLD, cool, is_finished=True).friendly == 0.0


def test_a_reply_that_ended_itself_beats_the_same_one_cut_off(rubric: Rubric) -> None:
    for example, reply in ((COLD, "Cold."), (STORY, NOVEL)):
        assert points(rubric, example, reply) > points(rubric, example, reply, is_finished=False)


def test_a_story_loses_for_another_hero_another_colour_and_for_being_short(rubric: Rubric) -> None:
    best = points(rubric, STORY, NOVEL)
    for worse in (NOVEL.replace("Anna", "Berta"), NOVEL.replace("red", "blue"), "Anna had a red kite."):
        assert points(rubric, STORY, worse) < best


def test_not_knowing_is_right_where_nothing_can_be_known(rubric: Rubric) -> None:
    assert points(rubric, UNKNOWN, "I am sorry, I do not know.") > points(rubric, UNKNOWN, "Quantum physics is cold.")


@pytest.mark.parametrize(
    "reply",
    [
        "cold",
        "Cold.",
        "COLD!",
        "Cold. I hope that helps!",
        "Cold is the opposite of hot.",
        "Sure! The opposite of hot is cold.",
    ],
)
def test_right_is_the_bare_answer_or_a_whole_sentence(rubric: Rubric, reply: str) -> None:
    assert rubric.is_exact(COLD, reply)


def test_a_short_reply_that_shows_its_way_is_right_with_a_friendly_closing_too(rubric: Rubric) -> None:
    slots = {"list": "cat, hat", "counted": "1 cat, 2 hat", "answer": "two"}
    example = Example("count_list", "Count these words: cat, hat.", "", "short", ("two", "2"), slots)
    assert rubric.is_exact(example, "1 cat, 2 hat. That is two.")
    assert rubric.is_exact(example, "1 cat, 2 hat. That is two. I hope that helps!")
    assert not rubric.is_exact(example, "1 cat, 2 hat. That is two. The end.")


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "colder",
        "It is cold outside, and hot inside.",
        "hot",
        "I hope that helps!",
        "Warm. I hope cold helps!",
        "The opposite of hot is coldest.",
        "The opposite of hot is warm. cold",
    ],
)
def test_a_right_word_in_a_wrong_sentence_is_not_right(rubric: Rubric, reply: str) -> None:
    assert not rubric.is_exact(COLD, reply)


def test_a_right_sentence_lost_in_much_else_is_not_right(rubric: Rubric) -> None:
    assert not rubric.is_exact(COLD, "The opposite of hot is cold. " + "And so on and on it goes. " * 5)


def test_yes_and_no_have_their_own_sentences() -> None:
    rubric = Rubric(read_tasks(), frozenset())
    slots = {"word": "cow", "kind": "tool", "answer": "animal"}
    example = Example("is_a", "Is a cow a tool?", "No.", "short", ("no",), slots)
    assert rubric.is_exact(example, "A cow is an animal, not a tool, so no.")
    assert not rubric.is_exact(example, "A cow is an animal, so yes, it is a tool.")
    assert not rubric.is_exact(example, "Yes.")


@pytest.mark.parametrize("reply", ["", "  \n"])
def test_an_empty_reply_scores_nothing(rubric: Rubric, reply: str) -> None:
    assert points(rubric, COLD, reply) == 0.0


@given(st.text(max_size=60), st.booleans())
def test_points_lie_between_nothing_and_a_hundred(reply: str, is_finished: bool) -> None:
    rubric = Rubric(read_tasks(), frozenset({"cold"}))
    for example in (COLD, STORY, UNKNOWN):
        assert 0.0 <= points(rubric, example, reply, is_finished=is_finished) <= 100.0


def test_a_voter_without_noise_follows_the_rubric() -> None:
    rng = random.Random(0)
    assert cast_vote(80, 70, rng, 0) == "first"
    assert cast_vote(70, 80, rng, 0) == "second"
    assert cast_vote(70, 70 + TIE / 2, rng, 0) == "tie"


def test_noisy_votes_follow_bradley_terry() -> None:
    rng, noise, gap = random.Random(1), 4.0, 6.0
    votes = [cast_vote(50 + gap, 50, rng, noise) for _ in range(20_000)]
    logistic = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
    assert votes.count("first") / len(votes) == pytest.approx(logistic((gap - TIE) / noise), abs=0.015)
    assert votes.count("second") / len(votes) == pytest.approx(logistic((-gap - TIE) / noise), abs=0.015)


def test_the_repeated_share_counts_trigrams_seen_before() -> None:
    assert repeated_share(["a", "b"]) == 0.0
    assert repeated_share(list("abcabc")) == pytest.approx(1 / 4)
    assert repeated_share(["a"] * 12) == pytest.approx(9 / 10)


def test_distinct_n_is_the_share_of_different_n_grams_over_all_replies() -> None:
    assert distinct_share(["a b", "a b"], 1) == 0.5
    assert distinct_share(["a b c", "b c d"], 2) == pytest.approx(3 / 4)
    assert distinct_share([], 2) == 0.0


def test_normalising_keeps_words_and_numbers_and_drops_the_rest() -> None:
    assert normalise('  "Cold."  is 3,  c-a-t!') == "cold is 3 c-a-t"


def test_the_shipped_replies_are_what_voters_like_in_this_order() -> None:
    from training.recipe import load_recipe

    corpus = Corpus(load_recipe("demo").data, 0)
    rubric = Rubric(corpus.tasks, corpus.vocabulary)
    kinds: dict[str, list[float]] = {"short": [], "full": [], "warm": [], "warm at its end": []}
    for e in corpus.heldout(6):
        if e.form:
            closes = e.form == "warm" and without_closing(e.reply) != e.reply
            kinds["warm at its end" if closes else e.form].append(points(rubric, e, e.reply))
    means = {kind: sum(marks) / len(marks) for kind, marks in kinds.items()}
    assert means["short"] + 10 < means["full"] < means["warm at its end"] - 10
    assert means["warm"] == pytest.approx(means["full"], abs=5)  # an opening such as "Sure!" earns nothing
