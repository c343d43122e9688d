"""A broken file of the corpus is named with its line and the remedy."""

from pathlib import Path

import pytest

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
