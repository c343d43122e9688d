"""Pair files: what is read, and how a broken one is named."""

import re
from pathlib import Path
from typing import Any

import pytest

from training.data.preferences import PairsError, read_pairs, write_pairs


def pair(prompt: str = "Hello!", chosen: str = "Hi.", rejected: str = "No.", **more: Any) -> dict[str, Any]:
    return {
        "prompt": [{"role": "user", "content": prompt}],
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
        **more,
    }


def without(key: str) -> dict[str, Any]:
    row = pair()
    del row[key]
    return row


def test_what_was_written_is_read_back_the_same(tmp_path: Path) -> None:
    train = [pair("What is \N{SNOWMAN}?", 'It is "cold".\nVery.', "\u2028 a line", margin=0.5), pair(margin=0.0)]
    test = [pair("Another?")]
    write_pairs(tmp_path, train, test)
    assert read_pairs(tmp_path) == (train, test)


def test_keys_that_training_does_not_use_are_left_behind(tmp_path: Path) -> None:
    write_pairs(tmp_path, [pair(margin=1, battle_id="b", round=2, source="human")], [pair(source="synthetic")])
    assert read_pairs(tmp_path) == ([pair(margin=1.0)], [pair()])


def test_a_conversation_of_several_turns_is_kept_whole(tmp_path: Path) -> None:
    row = pair()
    row["prompt"] += [{"role": "assistant", "content": "Hi."}, {"role": "user", "content": "Again?"}]
    write_pairs(tmp_path, [row], [row])
    assert read_pairs(tmp_path)[0] == [row]


@pytest.mark.parametrize("name", ["train.jsonl", "test.jsonl"])
def test_a_missing_file_is_named_with_the_command_that_writes_it(make_pairs_folder: Any, name: str) -> None:
    folder = make_pairs_folder([pair()], [pair()])
    (folder / name).unlink()
    with pytest.raises(PairsError, match=re.escape(f"{folder / name} is missing") + r".*ratings\.export") as error:
        read_pairs(folder)
    assert f"--out {folder}" in str(error.value)


@pytest.mark.parametrize("name", ["train.jsonl", "test.jsonl"])
def test_an_empty_file_is_named(make_pairs_folder: Any, name: str) -> None:
    folder = make_pairs_folder([pair()], [pair()])
    (folder / name).write_text("")
    with pytest.raises(PairsError, match=re.escape(f"{folder / name} is empty")):
        read_pairs(folder)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"prompt": [', "not JSON"),
        ("\N{SNOWMAN} no json", "not JSON"),
        ("[1, 2]", "'prompt' is not a list of messages"),
        ("null", "'prompt' is not a list of messages"),
        (without("prompt"), "'prompt' is not a list of messages"),
        (without("chosen"), "'chosen' is not a list of messages"),
        (without("rejected"), "'rejected' is not a list of messages"),
        (pair() | {"chosen": "Hi."}, "'chosen' is not a list of messages"),
        (pair() | {"rejected": []}, "'rejected' is not a list of messages"),
        (pair() | {"rejected": ["No."]}, "'rejected' has an empty message"),
        (pair(prompt=" "), "'prompt' has an empty message"),
        (pair(chosen=""), "'chosen' has an empty message"),
        (pair(rejected="\n\t"), "'rejected' has an empty message"),
        (pair() | {"chosen": [{"role": "assistant"}]}, "'chosen' has an empty message"),
        (pair() | {"chosen": [{"role": "assistant", "content": 3}]}, "'chosen' has an empty message"),
        (pair(margin="much"), "margin is not a number"),
        (pair(margin=True), "margin is not a number"),
        (pair(margin=None), "margin is not a number"),
    ],
)
@pytest.mark.parametrize("name", ["train.jsonl", "test.jsonl"])
def test_a_broken_line_is_named_with_file_and_number(make_pairs_folder: Any, name: str, line: Any, why: str) -> None:
    rows = {"train.jsonl": [pair()], "test.jsonl": [pair()]}
    rows[name] = [pair(), pair(), line, pair()]
    folder = make_pairs_folder(rows["train.jsonl"], rows["test.jsonl"])
    with pytest.raises(PairsError) as error:
        read_pairs(folder)
    assert str(error.value).startswith(f"{folder / name}, line 3: ")
    assert why in str(error.value)


def test_a_margin_on_some_rows_only_is_refused(make_pairs_folder: Any) -> None:
    folder = make_pairs_folder([pair(margin=1), pair()], [pair()])
    with pytest.raises(PairsError, match=re.escape(str(folder / "train.jsonl")) + ".*some rows have a margin"):
        read_pairs(folder)


def test_a_margin_of_nothing_counts_as_a_margin(make_pairs_folder: Any) -> None:
    with pytest.raises(PairsError, match="some rows have a margin"):
        read_pairs(make_pairs_folder([pair(margin=0), pair()], [pair()]))
