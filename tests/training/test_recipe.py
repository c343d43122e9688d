"""Recipes: what is accepted, and what an error says."""

import re
from pathlib import Path

import pytest
import yaml

from training.recipe import RECIPES, RecipeError, load_recipe, override, parse_recipe


def write_recipe(folder: Path, *, drop: str = "", **changes: str) -> Path:
    """Write nano.yaml with changed sections, or one key dropped ("section.key")."""
    tree = yaml.safe_load((RECIPES / "nano.yaml").read_text(encoding="utf-8"))
    tree.update(changes)
    if drop:
        section, key = drop.split(".")
        del tree[section][key]
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_loads_by_its_name(path: Path) -> None:
    assert load_recipe(path.stem).name == path.stem


def test_a_recipe_loads_by_its_file_as_by_its_name(tmp_path: Path) -> None:
    assert load_recipe(str(write_recipe(tmp_path))) == load_recipe("nano")


def test_a_recipe_survives_being_stored_and_read_again() -> None:
    recipe = load_recipe("nano")
    assert parse_recipe(recipe.model_dump(), "stage.json") == recipe


def test_a_missing_key_is_named_with_the_file(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, drop="rl.beta")
    with pytest.raises(RecipeError, match=rf"^{re.escape(str(path))}: rl\.beta: .*required"):
        load_recipe(str(path))


@pytest.mark.parametrize("text", ["data: [1, 2", "a: b: c", "\t- x", "\x00"])
def test_a_file_that_is_no_yaml_is_named_on_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match="not a YAML file") as error:
        load_recipe(str(path))
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.yaml"
    path.write_bytes(b"name: \xff\xfe")
    with pytest.raises(RecipeError, match=r"weights\.yaml: .*not a YAML file"):
        load_recipe(str(path))


@pytest.mark.parametrize(("text", "kind"), [("", "NoneType"), ("- 1", "list"), ("nano", "str")])
def test_a_file_without_sections_is_refused(tmp_path: Path, text: str, kind: str) -> None:
    path = tmp_path / "flat.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=rf"flat\.yaml: .* this is a {kind}"):
        load_recipe(str(path))


def test_an_unknown_recipe_is_answered_with_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"no recipe 'namo': .*\bnano\b"):
        load_recipe("namo")


@pytest.mark.parametrize("text", ["3e-4", "0.0003", "3E-4", "  0.0003"])
def test_every_way_to_write_a_learning_rate_is_read_as_a_number(text: str) -> None:
    assert load_recipe("nano", [f"sft.learning_rate={text}"]).sft.learning_rate == 0.0003


def test_a_whole_number_may_be_written_with_an_exponent() -> None:
    assert load_recipe("nano", ["pretrain.tokens=2e5"]).pretrain.tokens == 200_000


def test_a_word_with_an_e_stays_what_yaml_reads() -> None:
    assert load_recipe("nano", ["data.small_talk=false"]).data.small_talk is False
    assert load_recipe("nano", ["name=tiny.one"]).name == "tiny.one"


def test_a_value_may_hold_an_equals_sign() -> None:
    assert load_recipe("nano", ["name=a=b"]).name == "a=b"


def test_of_two_overrides_of_one_key_the_later_holds() -> None:
    assert load_recipe("nano", ["seed=1", "seed=2"]).seed == 2


def test_tasks_are_read_under_their_older_spelling_too(tmp_path: Path) -> None:
    path = write_recipe(tmp_path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("  tasks:", "  families:"), encoding="utf-8")
    assert "families:" in path.read_text(encoding="utf-8")
    assert load_recipe(str(path)) == load_recipe("nano")
    older = load_recipe("nano").model_dump(mode="json")
    older["data"]["families"] = older["data"].pop("tasks")
    assert parse_recipe(older, "stage.json") == load_recipe("nano")
    for key in ("tasks", "families"):
        changed = override(older, [f"data.{key}=[sum]"])
        assert parse_recipe(changed, "stage.json").data.tasks == ("sum",)


def test_tasks_under_both_spellings_are_refused() -> None:
    with pytest.raises(RecipeError, match="give one of the two"):
        parse_recipe({"data": {"tasks": ["sum"], "families": ["spell"]}}, "mine.yaml")


def test_an_override_reaches_only_the_key_it_names() -> None:
    changed, plain = load_recipe("nano", ["rl.steps=7"]).model_dump(), load_recipe("nano").model_dump()
    assert changed["rl"].pop("steps") == 7
    del plain["rl"]["steps"]
    assert changed == plain


def test_overriding_leaves_the_tree_it_was_given_untouched() -> None:
    tree = {"rl": {"steps": 1}}
    assert override(tree, ["rl.steps=2"]) == {"rl": {"steps": 2}}
    assert tree == {"rl": {"steps": 1}}


@pytest.mark.parametrize("setting", ["rl.steps", "=3", "", "rl steps 3"])
def test_an_override_of_another_form_is_quoted(setting: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(repr(setting)) + r".*section\.key=value"):
        load_recipe("nano", [setting])


def test_an_override_below_a_value_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"'seed\.low=3'.*'seed' is not a section"):
        load_recipe("nano", ["seed.low=3"])


def test_a_recipe_cannot_be_changed_after_it_was_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_recipe("nano").seed = 3  # type: ignore[misc]


def test_a_key_that_is_written_twice_is_refused_and_does_not_silently_win(tmp_path: Path) -> None:
    path = tmp_path / "doubled.yaml"
    text = (RECIPES / "nano.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("seed:", "seed: 1\nseed:", 1), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"doubled\.yaml, line \d+: not YAML: the key 'seed' is written twice"):
        load_recipe(str(path))
