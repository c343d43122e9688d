"""Names and things that are made up."""

import random
import re

import pytest

from training.data.corpus import Corpus
from training.data.world.scenes import COINED, draw_children, draw_distinct, draw_name, draw_thing
from training.data.yaml_files import DataError


def test_a_name_made_up_of_syllables_tells_whether_it_is_a_girls_or_a_boys(whole: Corpus) -> None:
    rng = random.Random(8)
    drawn: dict[str, set[str]] = {"girls": set(), "boys": set()}
    for _ in range(20000):
        name, sex = draw_name(whole.lexicon, rng)
        drawn[sex].add(name)
    both = drawn["girls"] & drawn["boys"]
    assert len(both) < 0.01 * len(drawn["girls"] | drawn["boys"])


def test_some_things_are_made_up_and_none_of_them_is_a_held_out_word(whole: Corpus) -> None:
    rng = random.Random(6)
    drawn = [draw_thing(whole.lexicon, rng) for _ in range(20_000)]
    made_up = [thing for thing in drawn if thing not in whole.lexicon.words]
    assert len(made_up) / len(drawn) == pytest.approx(COINED, abs=0.02)
    assert len(set(made_up)) > 500
    assert all(re.fullmatch("[a-z]{4,}", thing) for thing in made_up)
    assert whole.lexicon.heldout.isdisjoint(drawn)
    assert all(draw_thing(whole.lexicon, rng, is_heldout=True) in whole.lexicon.words for _ in range(2000))


def test_invented_names_are_words_of_letters_and_no_held_out_ones(whole: Corpus) -> None:
    rng = random.Random(4)
    names = {child.name for _ in range(2000) for child in draw_children(whole.lexicon, rng, 2)}
    assert all(re.fullmatch("[A-Z][a-z]+", name) for name in names)
    assert names.isdisjoint(whole.lexicon.heldout)
    known = {name for group in ("girls", "boys") for name in whole.lexicon.names[group]}
    assert len(names - known) > 500


def test_what_cannot_be_drawn_is_an_error_and_no_endless_loop() -> None:
    assert draw_distinct(iter("aab").__next__, 2) == ["a", "b"]
    with pytest.raises(DataError, match="2 different words are needed, and the lexicon gave 1"):
        draw_distinct(lambda: "a", 2)
