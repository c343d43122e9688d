"""Names in texts are recognised in any spelling, but never inside of other words."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.contestants import names_of
from arena.guard.identity import can_be_looked_for, find_name, fold_name
from tests.arena.helpers.played import make_contestant

WORDS = ("demo-sft", "SmolLM2", "Hugging Face", "alder", "Qwen", "o1", "\u9752\u6728")

GIVEN_AWAY = {
    "I am demo-sft.": "demo-sft",
    "I am Demo SFT.": "demo-sft",
    "demosft": "demo-sft",
    "call me demo_sft!": "demo-sft",
    "DEMO\u2011SFT": "demo-sft",
    "demo -- sft": None,  # more than three characters apart
    "demo - sft": "demo-sft",
    "Here is a demo.\n\nSFT is a way of training.": None,
    "As SmolLM2-135M, I can help.": "SmolLM2",
    "**Smol**LM2": "SmolLM2",
    "*S*mol`LM`2": "SmolLM2",
    "Smol LM 2": "SmolLM2",
    "smol-lm-2": "SmolLM2",
    "\uff33\uff4d\uff4f\uff4c\uff2c\uff2d\uff12": "SmolLM2",
    "Smo\u200bl\u00adLM2": "SmolLM2",
    "S\u0336m\u0336o\u0336l\u0336LM2": "SmolLM2",
    "Smol&#76;M2": "SmolLM2",
    "S-m-o-l-L-M-2": "SmolLM2",
    "Sm ol LM2": None,  # apart where no part ends
    "\u6211\u662fSmolLM2\u6a21\u578b": "SmolLM2",
    "SmolLM2\ub294 \ubaa8\ub378\uc774\ub2e4": "SmolLM2",
    "SmolLM20": None,
    "made by HuggingFace": "Hugging Face",
    "made by hugging\nface": "Hugging Face",
    "a hugging, smiling face": None,
    "alder": "alder",
    "ALDER'S": "alder",
    "(alder)": "alder",
    "\u00e4lder": "alder",
    "What balderdash!": None,
    "the alders by the river": None,
    "xalder, alder": "alder",
    "al der": None,
    "Qwen2.5 is my model": "Qwen",
    "Qwenny": None,
    "o1": "o1",
    "o10 and foo1": None,
    "o-1": "o1",
    "\u6211\u53eb\u9752\u6728\u5f88\u9ad8\u5174": "\u9752\u6728",
    "": None,
    "\u200b": None,
    "*": None,
}


@pytest.mark.parametrize("text", GIVEN_AWAY)
def test_a_name_is_found_as_it_is_read_and_only_as_a_word(text: str) -> None:
    assert find_name(text, WORDS) == GIVEN_AWAY[text]


def test_a_name_with_an_accent_is_found_in_either_form() -> None:
    assert find_name("ich bin Ge\u0301ant", ["G\u00e9ant"]) == "G\u00e9ant"
    assert find_name("ich bin g\u00e9ant", ["Ge\u0301ant"]) == "Ge\u0301ant"
    assert find_name("STRASSE", ["Stra\u00dfe"]) == "Stra\u00dfe"


@given(st.sampled_from(WORDS), st.text(max_size=30), st.text(max_size=30))
def test_a_name_between_spaces_is_found_in_any_text(word: str, before: str, after: str) -> None:
    # A backslash or an entity just before could make another letter of what follows.
    before = before.replace("&", "")
    assert find_name(f"{before} . {word} . {after}", [word]) == word


@given(st.text(max_size=60))
def test_any_text_is_looked_through(text: str) -> None:
    assert find_name(text, WORDS) in (None, *WORDS)


def test_words_that_every_text_holds_are_not_looked_for() -> None:
    assert not any(map(can_be_looked_for, ("", "a", "7", "135", "-", "--", "\u200b", "\u3164a")))
    assert find_name("a 7 135", ["a", "7", "135"]) is None
    assert all(map(can_be_looked_for, ("o1", "Yi", "\u9752\u6728", "demo-sft")))


def test_names_and_what_contestants_are_known_as_give_them_away_once_each() -> None:
    one = make_contestant("one").model_copy(update={"known_as": ("Smol", "Hugging Face")})
    two = make_contestant("two").model_copy(update={"known_as": ("Smol",)})
    assert names_of([one, two]) == ("one", "Smol", "Hugging Face", "two")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Demo", "demo"), ("demo sft", "demo-sft"), ("demo_sft", "demo-sft"), ("\uff44emo", "demo"), ("two ", "two")],
)
def test_names_that_are_read_alike_fold_to_one(one: str, other: str) -> None:
    assert fold_name(one) == fold_name(other)


LONG = {
    "words": "lorem ipsum demo sf alde Hugging Fac " * 2800,
    "one letter": "a" * 100_000,
    "one letter apart": "a " * 50_000,
    "accents": "\u00e9" * 100_000,
    "two scripts": "\u6f22a" * 50_000,
    "beginnings of a name": "demosf " * 14_000,
    "emphasis": "**a" * 33_000,
    "entities": "&amp;" * 20_000,
    "breaks": "\n" * 100_000,
}


@pytest.mark.parametrize("name", LONG)
def test_a_hundred_thousand_letters_are_looked_through_in_a_moment(name: str) -> None:
    words = [*WORDS, *(f"model-{n}" for n in range(200)), "a" * 60, "aab", "a-b", "\u6f22a\u6f22", "eee"]
    began = time.process_time()
    find_name(LONG[name], words)
    assert time.process_time() - began < 5
