"""A broken file of the corpus is named with its line and what mends it."""

from pathlib import Path
from typing import Any

import pytest

from training.data.documents import passages
from training.data.tasks import tasks as families
from training.data.world import lexicon, skeletons
from training.data.world.phrasing import Phrasing, compile_phrasings
from training.data.yaml_files import DataError, Text, read_jsonl, read_yaml


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_strings_remember_their_line(tmp_path: Path) -> None:
    path = write(tmp_path, "- a\n- {word: cow}\n")
    tree = read_yaml(path)
    assert tree == ["a", {"word": "cow"}]
    assert isinstance(tree[1]["word"], Text)
    assert tree[1]["word"].where == f"{path}, line 2"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [("- a\n- [b\n- c: d: e\n", 3, "not YAML"), ("- a\n- no\n", 2, "'no' is no word"), ("", 1, "empty")],
)
def test_a_yaml_file_that_cannot_be_used_is_named_with_the_line(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=problem) as error:
        read_yaml(path)
    assert str(error.value).startswith(f"{path}, line {line}: ")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.yaml is missing"):
        read_yaml(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{broken", "not JSON"),
        ('{"prompt": "Hi"}', "no text under 'reply'"),
        ('{"prompt": " ", "reply": "x"}', "'prompt'"),
    ],
)
def test_a_broken_line_of_pairs_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = write(tmp_path, '{"prompt": "Hello!", "reply": "Hello!"}\n' + line + "\n", "pairs.jsonl")
    with pytest.raises(DataError, match=problem) as error:
        read_jsonl(path, ("prompt", "reply"))
    assert str(error.value).startswith(f"{path}, line 2: ")


def test_a_slot_that_nothing_fills_is_named_with_what_could_stand_there(tmp_path: Path) -> None:
    path = write(tmp_path, "- fine {hero}\n- see {heroo}\n")
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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Copies of the lexicon, the families and the stories that a test may break, their caches emptied."""
    import shutil

    for name in ("lexicon", "tasks", "stories", "forms"):
        shutil.copytree(skeletons.FOLDER / name, tmp_path / name)
    monkeypatch.setattr(lexicon, "FOLDER", tmp_path / "lexicon")
    monkeypatch.setattr(families, "FOLDER", tmp_path / "tasks")
    monkeypatch.setattr(skeletons, "FOLDER", tmp_path)
    monkeypatch.setattr(skeletons, "ENDINGS", tmp_path / "endings.yaml")
    caches = (
        *(lexicon.read_lexicon, families.read_families),
        *(skeletons.read_stories, skeletons.read_forms, skeletons.read_endings),
    )
    for cached in caches:
        cached.cache_clear()
    yield tmp_path
    for cached in caches:
        cached.cache_clear()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("- {word: cow, kind: animal}", "'cow' stands twice"),
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


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- family: oposite\n  questions: [a]\n", "unknown family 'oposite'"),
        ("- family: opposite\n  questions: [a]\n", "stands twice"),
        ("- questions: [a]\n", "has no family"),
    ],
)
def test_a_wrong_family_is_named(folder: Path, text: str, problem: str) -> None:
    (folder / "tasks" / "zz.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=problem):
        families.read_families()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- plot: empty\n  skeletons: []\n", "no skeletons"),
        ('- plot: bad\n  skeletons:\n  - - ["{hero} had {no_such}."]\n', "no_such"),
        ("- plot: bad\n  skeletons:\n  - - []\n", "no phrasing"),
    ],
)
def test_a_wrong_plot_is_named(folder: Path, text: str, problem: str) -> None:
    path = folder / "stories" / "zz.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=problem) as error:
        skeletons.read_stories()
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "empty"),
        ("- just words", "ending 1: steps are a list of lists"),
        ('- - ["{hero} has a {colour} {thing}."]\n- - ["{hero} smiled."]', r"ending 2: .* \{colour\} and \{thing\}"),
        ('- - ["The {colour} {thing} of {hero}.", "The {colour} {thing}."]', r"ending 1: .* without \{hero\}"),
        ('- - ["{hero} has a {colour} {tail}."]', "nothing fills the slot {tail}"),
    ],
)
def test_a_wrong_ending_is_named(folder: Path, text: str, problem: str) -> None:
    (folder / "endings.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=problem) as error:
        skeletons.read_endings()
    assert str(folder / "endings.yaml") in str(error.value)


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


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("has: [x]\n", "nothing is asked"),
        ("asked:\n- [Who?]\n", "not a question and its answer"),
        ('asked:\n- ["Who?", "It is {nobody}."]\n', "nobody"),
    ],
)
def test_a_wrong_question_about_a_passage_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    monkeypatch.setattr(passages, "FILE", write(tmp_path, text))
    passages.read_asked.cache_clear()
    with pytest.raises(DataError, match=problem):
        passages.read_asked()


def test_a_sentence_of_a_passage_that_no_answer_could_quote_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {
        "has": "There is {name} with a {colour} {thing}.",
        "owned": "The {colour} {thing} belongs to {name}.",
        "at": "{name} is {at}.",
        "both": "{name} is {at} with a {colour} {thing}.",
        "story_about": "Here are {count} children.",
    }
    text = "".join(f"{kind}: ['{sentence}']\n" for kind, sentence in rows.items())
    monkeypatch.setattr(passages, "FILE", write(tmp_path, text))
    with pytest.raises(DataError, match=r"has: 'There is .* does not begin with \{name\}: put it first"):
        passages.read_passages.__wrapped__()
    mended = text.replace("There is {name} with", "{name} is here with")
    monkeypatch.setattr(passages, "FILE", write(tmp_path, mended))
    assert passages.read_passages.__wrapped__()["has"]
