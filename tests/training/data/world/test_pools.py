"""Pools of words, and how lists and numbers are written."""

from random import Random

from training.data.corpus import Corpus
from training.data.world.pools import (
    draw_words,
    join,
    noun_kinds,
    nouns,
    number_off,
    short_words,
    spell_out,
    things_with,
)


def test_lists_are_written_with_commas_and_numbers() -> None:
    assert join([7, 3, 9]) == "7, 3, 9"
    assert number_off(["lamp", "river"]) == "1 lamp, 2 river"
    assert spell_out("cat") == "c-a-t"


def test_nouns_can_be_counted_and_are_of_kinds_with_several(whole: Corpus) -> None:
    assert all("mass" not in word.flags for word in nouns(whole.lexicon))
    assert all(len(whole.lexicon.by_kind[kind]) >= 3 for kind in noun_kinds(whole.lexicon))
    assert "quality" not in noun_kinds(whole.lexicon)


def test_nobody_is_asked_what_people_are_for(whole: Corpus) -> None:
    words = things_with(whole.lexicon, "use")
    assert words
    assert all(word.kind not in ("job", "relative") and "use" in word.facts for word in words)


def test_words_are_short_and_different(whole: Corpus) -> None:
    assert max(map(len, short_words(whole.lexicon, 5))) == 5
    assert len(set(draw_words(whole.lexicon, Random(0), 8))) == 8
