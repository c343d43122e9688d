"""Phrasings: slots that nothing fills are named; articles and capitals are right."""

from pathlib import Path

import pytest

from training.data.world.phrasing import Phrasing, compile_phrasings
from training.data.yaml_files import DataError, read_yaml


def test_a_slot_that_nothing_fills_is_named_with_what_could_stand_there(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("- fine {hero}\n- see {heroo}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"nothing fills the slot \{heroo\}.*use one of hero") as error:
        compile_phrasings(read_yaml(path), ("hero",), what="story")
    assert f"{path}, line 2" in str(error.value)


@pytest.mark.parametrize("text", ["a {hero", "a hero}", "{ hero }"])
def test_a_brace_that_stands_alone_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="brace"):
        compile_phrasings([text], ("hero",), what="story")


def test_no_phrasing_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="no phrasing"):
        compile_phrasings([], ("hero",), what="story")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("A {word} ran.", "An owl ran."),
        ("I see a {word}", "I see an owl"),
        ("{word} is here. {word} flies.", "Owl is here. Owl flies."),
        ('"{word}," said {name}.', '"Owl," said Anna.'),
        ("a {colour} {word}", "a blue owl"),
        ('"Look!" {he} said.', '"Look!" he said.'),
        ("banana {word}", "banana owl"),
    ],
)
def test_articles_and_capitals_are_those_of_a_careful_writer(text: str, filled: str) -> None:
    assert Phrasing(text).fill({"word": "owl", "name": "Anna", "colour": "blue", "he": "he"}) == filled


@pytest.mark.parametrize(
    ("word", "said"), [("hour", "an hour"), ("unicorn", "a unicorn"), ("egg", "an egg"), ("pig", "a pig")]
)
def test_the_article_follows_the_sound(word: str, said: str) -> None:
    assert Phrasing("see a {word}").fill({"word": word}) == f"see {said}"
