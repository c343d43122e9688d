"""models.yaml: what is right is read, and what is wrong is said in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from arena.config import ChatStyle, ConfigError, FewShotStyle, Sampling, load_models

Tree = dict[str, Any]
FEW_SHOT = {"style": "few-shot", "examples": [{"question": "Up?", "answer": "Down."}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two checkpoints, and one that is none."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "hollow").mkdir()
    (tmp_path / "letter").write_text("no folder")
    return tmp_path


def good() -> Tree:
    return {
        "contestants": [
            {"name": "one", "stage": "base", "path": "first", "prompt": FEW_SHOT | {"examples": FEW_SHOT["examples"]}},
            {"name": "two", "stage": "sft", "path": "second", "prompt": {"style": "chat"}, "parent": "one"},
        ],
        "ready_prompts": [{"prompt": "What is the opposite of hot?", "category": "facts"}, {"prompt": "Why?"}],
    }


def put(*keys: Any) -> Callable[[Tree], None]:
    """Return a change that sets a value deep in the tree: put("contestants", 0, "name", "x")."""
    *path, last, value = keys

    def change(tree: Tree) -> None:
        at: Any = tree
        for key in path:
            at = at[key]
        at[last] = value

    return change


def drop(*keys: Any) -> Callable[[Tree], None]:
    *path, last = keys

    def change(tree: Tree) -> None:
        at: Any = tree
        for key in path:
            at = at[key]
        del at[last]

    return change


def refusal(file: Path) -> str:
    """Return what load_models says, which must be one line that begins with the file."""
    with pytest.raises(ConfigError) as caught:
        load_models(file)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(str(file))
    return said.removeprefix(str(file))


def write(folder: Path, tree: Tree) -> Path:
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return file


def test_a_good_file_is_read_whole(folder: Path) -> None:
    models = load_models(write(folder, good()))
    one, two = models.contestants
    assert (one.name, one.stage, one.parent, one.path) == ("one", "base", None, folder / "first")
    assert (two.name, two.stage, two.parent, two.path) == ("two", "sft", "one", folder / "second")
    assert isinstance(one.prompt, FewShotStyle)
    assert one.prompt.examples[0].answer == "Down."
    assert isinstance(two.prompt, ChatStyle)
    assert two.sampling == Sampling(temperature=0.8, top_p=0.95, max_tokens=96)
    assert [(ready.prompt, ready.category) for ready in models.ready_prompts] == [
        ("What is the opposite of hot?", "facts"),
        ("Why?", ""),
    ]


def test_two_contestants_may_share_weights(folder: Path) -> None:
    tree = good()
    tree["contestants"][1]["path"] = "first"
    one, two = load_models(write(folder, tree)).contestants
    assert one.path == two.path


def test_the_shipped_models_yaml_names_the_shipped_families(root: Path) -> None:
    models = load_models(root / "models.yaml")
    assert [c.parent for c in models.contestants] == [None, "demo-base", "demo-sft", None, "mini-base"]


BAD = {
    "an empty stop text": (
        put("contestants", 1, "prompt", {"style": "chat", "stop": [""]}),
        ["contestants[1].prompt.stop"],
    ),
    "a contestant that is its own parent": (put("contestants", 1, "parent", "two"), ["'two'", "itself"]),
    "a temperature that is no number": (
        put("contestants", 1, "sampling", {"temperature": True}),
        ["temperature", "True"],
    ),
    "a number in quotes": (put("contestants", 1, "sampling", {"max_tokens": "7"}), ["max_tokens", "'7'"]),
    "a key with the name of a style": (put("chat", 1), ["chat", "unknown key"]),
    "a key with a line break": (put("a\nb", 1), ["a b", "unknown key"]),
    "unknown key of the file": (put("contestant", []), ["contestant", "unknown key", "remove it or mend its spelling"]),
    "unknown key of a contestant": (put("contestants", 1, "tempo", 1), ["contestants[1].tempo", "unknown key"]),
    "unknown key of sampling": (
        put("contestants", 0, "sampling", {"top_k": 5}),
        ["contestants[0].sampling.top_k", "unknown key"],
    ),
    "unknown key of a prompt": (
        put("contestants", 1, "prompt", {"style": "chat", "system": "x"}),
        ["contestants[1].prompt.system", "unknown key"],
    ),
    "unknown key of an example": (
        put("contestants", 0, "prompt", "examples", [{"question": "q", "answer": "a", "note": "n"}]),
        ["contestants[0].prompt.examples[0].note", "unknown key"],
    ),
    "no contestants": (drop("contestants"), ["contestants", "is missing"]),
    "no name": (drop("contestants", 0, "name"), ["contestants[0].name", "is missing"]),
    "no stage": (drop("contestants", 0, "stage"), ["contestants[0].stage", "is missing"]),
    "no path": (drop("contestants", 0, "path"), ["contestants[0].path", "is missing"]),
    "no prompt": (drop("contestants", 0, "prompt"), ["contestants[0].prompt", "is missing"]),
    "no style": (put("contestants", 1, "prompt", {"stop": ["x"]}), ["contestants[1].prompt", "'style'"]),
    "no examples": (drop("contestants", 0, "prompt", "examples"), ["contestants[0].prompt.examples", "is missing"]),
    "path that is not there": (put("contestants", 1, "path", "nowhere"), ["two", "'nowhere'", "no folder", "mend"]),
    "path of a file": (put("contestants", 1, "path", "letter"), ["two", "'letter'", "no folder", "mend"]),
    "path without config.json": (put("contestants", 1, "path", "hollow"), ["two", "'hollow'", "config.json"]),
    "duplicate name": (put("contestants", 1, "name", "one"), ["'one'", "give each its own name"]),
    "one contestant": (drop("contestants", 1), ["at least 2", "found 1", "add one"]),
    "unknown parent": (put("contestants", 1, "parent", "three"), ["'three'", "'two'", "name one of one, two"]),
    "unknown style": (
        put("contestants", 1, "prompt", {"style": "poem"}),
        ["contestants[1].prompt", "'poem'", "few-shot"],
    ),
    "unknown backend": (
        put("contestants", 1, "backend", "abacus"),
        ["contestants[1].backend", "'abacus'", "transformers"],
    ),
    "temperature too high": (put("contestants", 1, "sampling", {"temperature": 9}), ["temperature", "9", "equal to 5"]),
    "temperature below 0": (
        put("contestants", 1, "sampling", {"temperature": -1}),
        ["temperature", "-1", "equal to 0"],
    ),
    "temperature that is no number": (
        put("contestants", 1, "sampling", {"temperature": float("nan")}),
        ["contestants[1].sampling.temperature", "nan"],
    ),
    "top_p of 0": (put("contestants", 1, "sampling", {"top_p": 0}), ["top_p", "0", "greater than 0"]),
    "top_p above 1": (put("contestants", 1, "sampling", {"top_p": 1.5}), ["top_p", "1.5", "equal to 1"]),
    "no tokens": (put("contestants", 1, "sampling", {"max_tokens": 0}), ["max_tokens", "0", "greater than 0"]),
    "half a token": (put("contestants", 1, "sampling", {"max_tokens": 1.5}), ["max_tokens", "1.5", "integer"]),
    "examples empty": (put("contestants", 0, "prompt", "examples", []), ["examples", "at least 1", "[]"]),
    "question empty": (
        put("contestants", 0, "prompt", "examples", [{"question": "", "answer": "a"}]),
        ["examples[0].question", "at least 1", "''"],
    ),
    "name that is markup": (put("contestants", 1, "name", "<img src=x>"), ["contestants[1].name", "<img src=x>"]),
    "name that breaks the line": (
        put("contestants", 1, "name", "two\nthree"),
        ["contestants[1].name", "'two\\nthree'"],
    ),
    "name that is blank": (put("contestants", 1, "name", " "), ["contestants[1].name", "' '"]),
    "name that is too long": (put("contestants", 1, "name", "n" * 65), ["contestants[1].name", "n" * 65]),
    "name that is a path": (put("contestants", 1, "name", "../../etc"), ["contestants[1].name", "../../etc"]),
    "name that is a number": (put("contestants", 1, "name", 7), ["contestants[1].name", "string", "7"]),
    "stage empty": (put("contestants", 1, "stage", ""), ["contestants[1].stage", "''"]),
    "unknown key of a ready prompt": (put("ready_prompts", 0, "topic", "x"), ["ready_prompts[0].topic", "unknown key"]),
    "ready prompt empty": (put("ready_prompts", 0, "prompt", ""), ["ready_prompts[0].prompt", "at least 1", "''"]),
    "contestants that are no list": (put("contestants", 5), ["contestants", "5"]),
    "contestant that is a word": (put("contestants", 1, "two"), ["contestants[1]", "'two'"]),
    "ready prompts that are a word": (put("ready_prompts", "Hello?"), ["ready_prompts", "'Hello?'"]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_is_refused_with_its_place_and_the_cure(folder: Path, name: str) -> None:
    change, words = BAD[name]
    tree = good()
    change(tree)
    said = refusal(write(folder, tree))
    for word in words:
        assert word in said


UNREADABLE = {
    "empty": (b"", "expected a mapping with the key 'contestants', got NoneType"),
    "a list": (b"- one\n- two\n", "got list"),
    "unclosed": (b"contestants:\n  - {name: one\n", "not YAML"),
    "nested colons": (b"contestants: one: two", "line 1: not YAML"),
    "a Python object": (b"contestants: !!python/object/apply:os.getcwd []\n", "not YAML"),
    "not UTF-8": ("contestants: [{name: caf\u00e9}]".encode("latin-1"), "cannot be read"),
    "a NUL": (b"contestants: \x00", "cannot be read"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_is_not_yaml_is_refused(tmp_path: Path, name: str) -> None:
    content, words = UNREADABLE[name]
    file = tmp_path / "models.yaml"
    file.write_bytes(content)
    assert words in refusal(file)


def test_a_yaml_mistake_is_given_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text("contestants:\n  - name: one\n    stage: [base\n    path: x\n")
    assert ", line 4: not YAML" in refusal(file)


def test_a_missing_file_is_refused_with_the_option_to_pass(tmp_path: Path) -> None:
    assert "no such file: pass --models FILE" in refusal(tmp_path / "nothing.yaml")


def test_a_folder_instead_of_a_file_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path)


def test_a_key_written_twice_is_refused(folder: Path) -> None:
    file = write(folder, good())
    file.write_text(
        file.read_text(encoding="utf-8").replace("- name: one", "- name: one\n  name: uno"), encoding="utf-8"
    )
    assert "the key 'name' is written twice" in refusal(file)


def test_a_file_that_nests_without_end_is_refused(folder: Path) -> None:
    file = folder / "models.yaml"
    file.write_text("[" * 3000, encoding="utf-8")
    assert refusal(file)


def test_replies_that_leave_no_room_for_a_prompt_are_refused(folder: Path) -> None:
    file = write(folder, good())
    (folder / "first" / "config.json").write_text('{"max_position_embeddings": 96}')
    assert "max_tokens 96 leaves no room" in refusal(file)
