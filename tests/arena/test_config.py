"""models.yaml: valid files are read, and mistakes are reported in one line."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from arena.config import ModelsError, load_models
from arena.contestants import AnyContestant, ChatStyle, FewShotStyle, Sampling
from tests.arena.helpers.folders import make_folder
from tests.paths import ROOT

Tree = dict[str, Any]
FEW_SHOT = {"style": "few-shot", "examples": [{"question": "Up?", "answer": "Down."}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two checkpoints, and one that is none."""
    for name in ("first", "second"):
        make_folder(tmp_path / name)
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
    with pytest.raises(ModelsError) as caught:
        load_models(file)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(file))
    return message.removeprefix(str(file))


def write(folder: Path, tree: Tree) -> Path:
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return file


def test_a_good_file_is_read_whole(folder: Path) -> None:
    models = load_models(write(folder, good()))
    one, two = models.contestants
    assert (one.name, one.stage, one.parent, one.path) == ("one", "base", None, str(folder / "first"))
    assert (two.name, two.stage, two.parent, two.path) == ("two", "sft", "one", str(folder / "second"))
    assert isinstance(one.prompt, FewShotStyle)
    assert one.prompt.examples[0].answer == "Down."
    assert isinstance(two.prompt, ChatStyle)
    assert two.sampling == Sampling(temperature=0.8, top_p=0.95, max_tokens=96)
    assert [(ready.prompt, ready.category) for ready in models.ready_prompts] == [
        ("What is the opposite of hot?", "facts"),
        ("Why?", ""),
    ]


def test_what_gives_a_contestant_away_is_read_as_it_is_written(folder: Path) -> None:
    tree = good()
    tree["contestants"][1]["known_as"] = ["SmolLM2", "Hugging Face", "o1"]
    one, two = load_models(write(folder, tree)).contestants
    assert (one.known_as, two.known_as) == ((), ("SmolLM2", "Hugging Face", "o1"))


def test_the_seconds_of_a_reply_and_what_becomes_of_it_then_are_read(folder: Path) -> None:
    tree = good()
    tree["contestants"][1]["sampling"] = {"max_seconds": 5, "at_limit": "void"}
    one, two = load_models(write(folder, tree)).contestants
    assert (one.sampling.max_seconds, one.sampling.at_limit) == (60.0, "cut")
    assert (two.sampling.max_seconds, two.sampling.at_limit) == (5.0, "void")


def test_the_sampling_of_an_earlier_ledger_is_read_still() -> None:
    assert Sampling.model_validate({"temperature": 0.8, "top_p": 0.95, "max_tokens": 96}) == Sampling()


def test_two_contestants_may_share_weights(folder: Path) -> None:
    tree = good()
    tree["contestants"][1]["path"] = "first"
    one, two = load_models(write(folder, tree)).contestants
    assert one.path == two.path


def test_the_shipped_models_yaml_names_the_shipped_families(root: Path) -> None:
    models = load_models(root / "models.yaml")
    assert [c.parent for c in models.contestants] == [None, "demo-base", "demo-sft", None, "mini-base"]


BAD = {
    "a path of no file system": (put("contestants", 0, "path", "a\0b"), ["path", "cannot be read"]),
    "a path that is too long": (put("contestants", 0, "path", "a" * 5000), ["path", "cannot be read", "too long"]),
    "a path that is no file": (put("contestants", 0, "path", "/proc/self/mem"), ["path", "/proc/self/mem"]),
    "an adapter of no file system": (put("contestants", 0, "adapter", "a\0b"), ["adapter", "cannot be read"]),
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
    "unknown key of the file": (
        put("contestant", []),
        ["contestant", "unknown key", "remove it or correct its spelling"],
    ),
    "unknown key of a contestant": (put("contestants", 1, "tempo", 1), ["contestants[1].tempo", "unknown key"]),
    "unknown key of sampling": (
        put("contestants", 0, "sampling", {"top_q": 5}),
        ["contestants[0].sampling.top_q", "unknown key"],
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
    "no style": (put("contestants", 1, "prompt", {"stop": ["x"]}), ["contestants[1].prompt", ".style: give one of"]),
    "no examples": (drop("contestants", 0, "prompt", "examples"), ["contestants[0].prompt.examples", "is missing"]),
    "path that is not there": (
        put("contestants", 1, "path", "nowhere"),
        ["two", "'nowhere'", "not a folder", "correct the path"],
    ),
    "path of a file": (
        put("contestants", 1, "path", "letter"),
        ["two", "'letter'", "not a folder", "correct the path"],
    ),
    "path without config.json": (put("contestants", 1, "path", "hollow"), ["two", "'hollow'", "config.json"]),
    "duplicate name": (put("contestants", 1, "name", "one"), ["'one'", "give each its own name"]),
    "name in other capitals": (put("contestants", 1, "name", "ONE"), ["'one' and 'ONE' look alike", "another name"]),
    "name in wide letters": (put("contestants", 1, "name", "\uff4f\uff4e\uff45"), ["look alike"]),
    "name with another accent": (put("contestants", 1, "name", "on\u00e9"), ["'on\u00e9' look alike"]),
    "name with a space at its end": (put("contestants", 1, "name", "one "), ["'one' and 'one ' look alike"]),
    "name of nothing that is seen": (
        put("contestants", 1, "name", "\u3164"),
        ["no letter or digit", "no letter or digit: add one"],
    ),
    "known_as that is a word": (put("contestants", 1, "known_as", "Smol"), ["contestants[1].known_as", "'Smol'"]),
    "known_as of one letter": (
        put("contestants", 1, "known_as", ["Smol", "x"]),
        ["contestants[1].known_as[1]", "at least two letters", "'x'"],
    ),
    "known_as that is a number": (put("contestants", 1, "known_as", ["135"]), ["known_as[0]", "a letter", "'135'"]),
    "known_as of signs": (put("contestants", 1, "known_as", ["--- !"]), ["known_as[0]", "at least two letters"]),
    "known_as without end": (put("contestants", 1, "known_as", ["x" * 65]), ["known_as[0]", "at most 64"]),
    "no seconds": (put("contestants", 1, "sampling", {"max_seconds": 0}), ["max_seconds", "0", "greater than 0"]),
    "seconds without end": (
        put("contestants", 1, "sampling", {"max_seconds": float("inf")}),
        ["contestants[1].sampling.max_seconds", "finite", "inf"],
    ),
    "seconds that are no number": (
        put("contestants", 1, "sampling", {"max_seconds": float("nan")}),
        ["contestants[1].sampling.max_seconds", "nan"],
    ),
    "seconds in quotes": (put("contestants", 1, "sampling", {"max_seconds": "60"}), ["max_seconds", "'60'"]),
    "seconds that are true": (put("contestants", 1, "sampling", {"max_seconds": True}), ["max_seconds", "True"]),
    "an unknown end": (
        put("contestants", 1, "sampling", {"at_limit": "stop"}),
        ["contestants[1].sampling.at_limit", "'cut' or 'void'", "'stop'"],
    ),
    "one contestant": (drop("contestants", 1), ["at least 2", "got 1", "add one"]),
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
    message = refusal(write(folder, tree))
    for word in words:
        assert word in message


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


@pytest.mark.parametrize("key", ["max_position_embeddings", "n_positions"])
def test_replies_that_leave_no_room_for_a_prompt_are_refused(folder: Path, key: str) -> None:
    file = write(folder, good())
    make_folder(folder / "first", **{key: 96})
    assert "max_tokens 96 leaves no room for a prompt in a context of 96 tokens" in refusal(file)
    make_folder(folder / "first", **{key: 97})
    assert load_models(file)


@pytest.mark.parametrize(("one", "other"), [("v1.0", "v10"), ("v1.0", "v1 0"), ("demo1", "demo-1"), ("a+", "a")])
def test_names_that_differ_in_what_is_read_may_stand_beside_each_other(folder: Path, one: str, other: str) -> None:
    tree = good()
    for contestant, name in zip(tree["contestants"], (one, other), strict=True):
        contestant["name"] = name
    tree["contestants"][1]["parent"] = one
    assert [c.name for c in load_models(write(folder, tree)).contestants] == [one, other]


def test_limits_have_defaults_and_can_be_set(folder: Path) -> None:
    assert load_models(write(folder, good())).limits.visitor == "15/minute; 300/hour"
    limits = load_models(write(folder, good() | {"limits": {"address": "9/second"}})).limits
    assert (limits.visitor, limits.address) == ("15/minute; 300/hour", "9/second")


@pytest.mark.parametrize("rate", ["many", "", "5 per fortnight", "-1/minute", "0/minute"])
def test_limits_that_say_nothing_are_refused(folder: Path, rate: str) -> None:
    message = refusal(write(folder, good() | {"limits": {"visitor": rate}}))
    assert "limits.visitor" in message
    assert 'write limits as "15/minute; 300/hour"' in message


def test_every_snippet_of_the_docs_is_a_valid_file_of_contestants() -> None:
    page = (ROOT / "docs" / "contestants.md").read_text(encoding="utf-8")
    snippets = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(snippets) >= 3
    entries = TypeAdapter(tuple[AnyContestant, ...])
    kinds = {each.backend for snippet in snippets for each in entries.validate_python(_contestants(snippet))}
    assert "transformers" in kinds


def _contestants(snippet: str) -> Any:
    tree = yaml.safe_load(snippet)
    return tree["contestants"] if isinstance(tree, dict) else tree
