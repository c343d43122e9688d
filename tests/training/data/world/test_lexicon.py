"""The words of the world: a wrong one is named, fewer are spread evenly."""

from pathlib import Path

import pytest

from training.data.corpus import Corpus
from training.data.world import lexicon
from training.data.world.lexicon import read_lexicon
from training.data.yaml_files import DataError
from training.recipe import load_recipe


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("- {word: cow, kind: animal}", "'cow' is there twice"),
        ("- {word: gryphon, kind: animal, wings: two}", "unknown fact 'wings'"),
        ("- {word: gryphon, kind: animal, colour: teal}", "colour 'teal'"),
        ("- {word: gryphon}", "no word or no kind"),
    ],
)
def test_a_wrong_word_is_named(folder: Path, line: str, problem: str) -> None:
    path = folder / "lexicon" / "zoo.yaml"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=problem) as error:
        lexicon.read_lexicon()
    assert str(path) in str(error.value)


def test_fewer_words_are_spread_over_all_kinds() -> None:
    few, every = read_lexicon(300), read_lexicon()
    assert 250 <= len(few.words) <= 400
    assert {"animal", "tool", "food", "quality"} <= {word.kind for word in few.words.values()}
    assert few.words.keys() <= every.words.keys()


def test_fewer_words_keep_every_name_plot_and_form() -> None:
    few, every = read_lexicon(300), read_lexicon()
    assert few.names == every.names
    data = load_recipe("demo").data
    small, large = (Corpus(data.model_copy(update={"words": words}), 0) for words in (300, None))
    assert small._forms == large._forms
