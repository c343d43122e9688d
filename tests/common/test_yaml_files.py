"""YAML with unique keys: what is wrong is one line with the file and its line."""

from pathlib import Path

import pytest

from common.yaml_files import YamlError, read_yaml


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "some.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    assert read_yaml(write(tmp_path, "a: [1, {b: c}]\n")) == {"a": [1, {"b": "c"}]}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: not YAML: the key 'a' is written twice"),
        ("a:\n  - {b: 1, b: 2}\n", "line 2: not YAML: the key 'b' is written twice"),
        ("a: [\n", "not YAML"),
        (b"\xff", "not UTF-8"),
        (b"a: \x00", "cannot be read as YAML"),
        ("[" * 3000, "nest"),
        ("a: !!python/object/apply:os.getcwd []", "not YAML"),
        ("{[a, b]: c}", "a list or a mapping cannot be a key"),
        ("? {a: 1}\n: b", "a list or a mapping cannot be a key"),
    ],
)
def test_what_is_no_yaml_is_one_line(tmp_path: Path, content: str | bytes, problem: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(YamlError) as error:
        read_yaml(path)
    assert str(error.value).startswith(str(path))
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_a_mapping_may_repeat_the_keys_of_one_that_it_merges(tmp_path: Path) -> None:
    assert read_yaml(write(tmp_path, "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n"))["b"] == {"x": 1, "y": 3}


def test_a_missing_file_is_for_the_caller_to_word(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "none.yaml")
