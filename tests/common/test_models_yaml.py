"""What ratings read of models.yaml; the arena's own sections are tested in tests/arena/test_config.py."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from common.models_yaml import ModelsError, read_entries

Entry = dict[str, Any]
BASE: Entry = {"name": "base", "stage": "pretrain", "path": "ignored"}


def write(folder: Path, tree: Any) -> Path:
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return file


def test_names_stages_parents_and_tags_are_read_and_the_rest_is_ignored(tmp_path: Path) -> None:
    child = {"name": "sft 1.0", "parent": "base", "tags": ["small"]}
    entries = read_entries(write(tmp_path, {"contestants": [BASE, child], "limits": {"visitor": 3}}))
    assert [(each.name, each.stage, each.parent, each.tags) for each in entries] == [
        ("base", "pretrain", None, ()),
        ("sft 1.0", None, "base", ("small",)),
    ]


def test_an_empty_list_of_tags_may_be_left_blank(tmp_path: Path) -> None:
    assert read_entries(write(tmp_path, {"contestants": [BASE | {"tags": None}]}))[0].tags == ()


@pytest.mark.parametrize(
    ("contestants", "message"),
    [
        ([], "contestants: "),
        ([BASE, BASE], "two contestants are named 'base'"),
        ([BASE | {"parent": "base"}], "'base' names itself as its parent"),
        ([BASE | {"parent": "elm"}], "parent 'elm' of 'base' is no contestant: name one of base"),
        ([{"name": "a", "parent": "b"}, {"name": "b", "parent": "a"}], "'a' descends from itself"),
        ([{"name": "-"}], "contestants[0].name: begin with a letter or digit"),
        ([{"stage": "sft"}], "contestants[0].name: is missing"),
        ([BASE | {"stage": ""}], "contestants[0].stage: "),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, contestants: list[Entry], message: str) -> None:
    file = write(tmp_path, {"contestants": contestants})
    with pytest.raises(ModelsError) as caught:
        read_entries(file)
    assert str(caught.value).startswith(f"{file}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"), [("[1]", "expected a mapping with the key 'contestants', got list"), ("a: [", "not YAML")]
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "models.yaml").write_text(text)
    with pytest.raises(ModelsError, match=message):
        read_entries(tmp_path / "models.yaml")
    with pytest.raises(ModelsError, match="no such file: pass --models FILE"):
        read_entries(tmp_path / "missing.yaml")
