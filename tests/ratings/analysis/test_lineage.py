"""models.yaml read for its lineage alone: four keys, and one line for everything that is wrong with them."""

from pathlib import Path

import pytest

from ratings.analysis.lineage import Lineage, read_lineage
from ratings.errors import SettingsError
from tests.paths import ROOT

GOOD = """
contestants:
  - {name: base, stage: base, path: somewhere, prompt: {style: chat}}
  - {name: sft, stage: sft, parent: base}
  - {name: small, parent: sft, tags: [int8, lora]}
ready_prompts: []
"""


def read(tmp_path: Path, text: str | bytes) -> Lineage:
    path = tmp_path / "models.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_lineage(path)


def test_parents_stages_and_tags_are_read_and_the_rest_passed_over(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert found.parents == {"sft": "base", "small": "sft"}
    assert found.stages == {"base": "base", "sft": "sft"}
    assert found.tags == {"base": (), "sft": (), "small": ("int8", "lora")}


def test_the_shipped_file_has_a_lineage() -> None:
    found = read_lineage(ROOT / "models.yaml")
    assert found.parents
    assert set(found.parents.values()) <= set(found.stages)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping with the key 'contestants'"),
        ("contestants: {}", "contestants: Input should be a valid tuple"),
        ("contestants: []", "contestants: Tuple should have at least 1 item"),
        ("- a", "got list"),
        ("contestants: [", "not YAML"),
        ("a: b: c", "not YAML"),
        (b"\xe9: \xff", "not UTF-8"),
        ("contestants: [{stage: sft}]", r"contestants\[0\]\.name: is missing"),
        ("contestants: [base]", r"contestants\[0\]: Input should be"),
        ("contestants: [{name: 3}]", r"contestants\[0\]\.name: Input should be a valid string, got 3"),
        ("contestants: [{name: a, stage: [x]}]", r"contestants\[0\]\.stage: .*, got \['x'\]"),
        ("contestants: [{name: a, tags: lora}]", r"contestants\[0\]\.tags: .*, got 'lora'"),
        ("contestants: [{name: a}, {name: a}]", "two contestants are named 'a'"),
        ("contestants: [{name: a, parent: b}]", "parent 'b' of 'a' is no contestant"),
        ("contestants: [{name: a, parent: a}]", "'a' names itself as its parent"),
        ("contestants: [{name: a, parent: b}, {name: b, parent: a}]", "descends from itself"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as told:
        read(tmp_path, text)
    assert "\n" not in str(told.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml: no such file"):
        read_lineage(tmp_path / "none.yaml")
