"""The checker orders replies as a person would: right, finished, in words, without loops."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.checker import repeated_share, score_reply, share_expected, split_words
from training.data.world import Example

COW = Example("sound", "What does a cow say?", "A cow says moo.", ("cow", "moo"))
CHAT = Example("polite", "Hello!", "Hello! How can I help you?")
WORDS = frozenset(split_words("a cow dog says moo woof the went to park and hello how can i help you"))
GARBLE = "qa wuz srels moof."


def score(reply: str, *, is_finished: bool = True, example: Example = COW) -> float:
    return score_reply(example, reply, WORDS, is_finished=is_finished)


def test_a_kind_story_beats_the_same_one_without_kindness() -> None:
    story = Example("story", "Tell me a story about Anna and a cow.", "", ("Anna", "cow"))
    words = WORDS | {"anna", "met", "helped"}
    kind, plain = (
        score_reply(story, f"Anna met a cow and {did} the cow.", words, is_finished=True) for did in ("helped", "met")
    )
    assert kind > plain


def test_kind_words_win_nothing_where_a_fact_is_asked() -> None:
    words = WORDS | {"happy"}
    happy, plain = (
        score_reply(COW, reply, words, is_finished=True) for reply in ("A happy cow says moo.", "A cow says moo.")
    )
    assert happy == plain


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("A cow says moo.", "A cow says woof."),
        ("A cow says woof.", "A dog says woof."),
        ("A cow says moo.", "A cow says moo"),
        ("A dog says woof.", GARBLE),
        ("The dog went to the park.", "The dog went to the dog went to the dog went to the dog."),
        ("A cow says moo.", "A cow says moo. A cow says moo. A cow says moo."),
        (GARBLE, ""),
        ("woof", ""),
    ],
)
def test_the_better_of_two_replies_scores_higher(better: str, worse: str) -> None:
    assert score(better) > score(worse)


@pytest.mark.parametrize("reply", ["A cow says moo.", "A dog says woof.", GARBLE])
def test_a_reply_that_ended_itself_beats_the_same_one_cut_off(reply: str) -> None:
    assert score(reply) > score(reply, is_finished=False)


@pytest.mark.parametrize("reply", ["", "  \n", "123 456", "...!?", "\N{SNOWMAN}"])
def test_a_reply_without_a_word_scores_nothing_even_where_nothing_is_expected(reply: str) -> None:
    assert score(reply) == 0.0
    assert score(reply, example=CHAT) == 0.0


def test_one_point_is_spread_over_the_words_that_are_known() -> None:
    assert score("A cow says moo.") - score("A cow says moo blorp.") == pytest.approx(1 / 5)


def test_expected_words_count_whole_and_in_any_case() -> None:
    assert share_expected(COW, "COW! Moo?") == 1.0
    assert share_expected(COW, "cow") == 0.5
    assert share_expected(COW, "cowboys smooch") == 0.0
    assert share_expected(CHAT, "anything") == 1.0
    assert share_expected(Example("story", "", "", ("Anna", "cat")), "anna had a cat") == 1.0


def test_words_are_read_without_digits_and_punctuation() -> None:
    assert split_words("The cow's 3 calves: moo-moo!") == ["the", "cow's", "calves", "moo", "moo"]


def test_the_repeated_share_counts_trigrams_seen_before() -> None:
    assert repeated_share(["a", "b"]) == 0.0
    assert repeated_share(list("abcde")) == 0.0
    assert repeated_share(list("abcabc")) == pytest.approx(1 / 4)
    assert repeated_share(["a"] * 12) == pytest.approx(9 / 10)


@given(st.text() | st.lists(st.sampled_from([*sorted(WORDS), ".", "blorp"])).map(" ".join), st.booleans())
def test_no_reply_scores_below_nothing_or_above_the_reference(reply: str, is_finished: bool) -> None:
    for example in (COW, CHAT):
        best = score(example.reply, example=example)
        assert 0.0 <= score(reply, is_finished=is_finished, example=example) <= best
