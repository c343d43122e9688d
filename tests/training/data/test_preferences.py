"""Pair files: what is read, and how a broken one is named."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

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
    found = read_pairs(tmp_path)
    assert (found.train, found.test) == (train, test)


def test_keys_that_training_does_not_use_are_left_behind(tmp_path: Path) -> None:
    write_pairs(tmp_path, [pair(margin=1, battle_id="b", round=2, source="human")], [pair(source="synthetic")])
    found = read_pairs(tmp_path)
    assert (found.train, found.test) == ([pair(margin=1.0)], [pair()])


def test_a_conversation_of_several_turns_is_kept_whole(tmp_path: Path) -> None:
    row = pair()
    row["prompt"] += [{"role": "assistant", "content": "Hi."}, {"role": "user", "content": "Again?"}]
    write_pairs(tmp_path, [row], [row])
    assert read_pairs(tmp_path).train == [row]


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
        ("[1, 2]", "is no pair"),
        ("null", "is no pair"),
        (without("chosen"), "'chosen' is not a text or a list of messages"),
        (without("rejected"), "'rejected' is not a text or a list of messages"),
        (pair() | {"rejected": []}, "'rejected' is not a text or a list of messages"),
        (pair() | {"chosen": " "}, "'chosen' is not a text or a list of messages"),
        (pair() | {"chosen": [{"role": "user", "content": "x"}]}, "'chosen' ends with a turn of 'user'"),
        (pair() | {"rejected": ["No."]}, "'rejected' has an empty message"),
        (pair(prompt=" "), "'prompt' has an empty message"),
        (pair(chosen=""), "'chosen' has an empty message"),
        (pair(rejected="\n\t"), "'rejected' has an empty message"),
        (pair() | {"chosen": [{"role": "assistant"}]}, "'chosen' has an empty message"),
        (pair() | {"chosen": [{"role": "assistant", "content": 3}]}, "'chosen' has an empty message"),
        (pair(margin="much"), "margin is not a number"),
        (pair(margin=True), "margin is not a number"),
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


def texts(chosen: str, rejected: str, prompt: str | None = None) -> dict[str, Any]:
    return {"chosen": chosen, "rejected": rejected} | ({} if prompt is None else {"prompt": prompt})


WHOLE = {side: pair()["prompt"] + pair()[side] for side in ("chosen", "rejected")}


@pytest.mark.parametrize(
    "row",
    [
        texts("Hi.", "No.", "Hello!"),
        pair() | {"chosen": "Hi."},
        pair() | {"prompt": "Hello!"},
        pair() | WHOLE,
        WHOLE,
        {side: f"\n\nHuman: Hello!\n\nAssistant: {said}" for side, said in (("chosen", "Hi."), ("rejected", "No."))},
        texts("Hi.", "No.", "\n\nHuman: Hello!\n\nAssistant:"),
    ],
)
def test_every_published_form_is_the_same_pair(make_pairs_folder: Any, row: dict[str, Any]) -> None:
    found = read_pairs(make_pairs_folder([row], [row]))
    assert found.train == found.test == [pair()]


def test_texts_without_a_prompt_are_replies_to_nothing(make_pairs_folder: Any) -> None:
    found = read_pairs(make_pairs_folder([texts("Hi.", "No.")], [pair()]))
    assert found.train == [pair() | {"prompt": []}]


def test_conversations_that_part_early_share_what_both_open_with(make_pairs_folder: Any) -> None:
    opening = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    sides = {
        side: [*opening, {"role": "user", "content": said}, {"role": "assistant", "content": said}]
        for side, said in (("chosen", "c"), ("rejected", "d"))
    }
    (row,) = read_pairs(make_pairs_folder([sides], [pair()])).train
    assert row["prompt"] == opening[:1]
    assert row["chosen"] == sides["chosen"][1:]


def test_whole_conversations_beside_the_pairs_are_read_with_them(make_pairs_folder: Any) -> None:
    folder = make_pairs_folder([pair(margin=0.0)], [pair(margin=0.0)])
    said = [
        {"role": role, "content": text} for role, text in (("user", "Why?"), ("assistant", "So."), ("user", "And?"))
    ]
    other = [said[0], {"role": "assistant", "content": "No."}, said[2]]
    end = {"role": "assistant", "content": "Thus."}
    row = {"chosen": [*said, end], "rejected": [*other, end], "margin": 0.0}
    (folder / "train-conversations.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    read = read_pairs(folder)
    assert (len(read.train), len(read.test)) == (2, 1)
    assert [message["content"] for message in read.train[1]["chosen"]] == ["So.", "And?", "Thus."]
    (folder / "train.jsonl").unlink()
    assert len(read_pairs(folder).train) == 1


def test_pairs_that_say_nothing_are_left_out_and_counted(make_pairs_folder: Any) -> None:
    both = [pair("Again?", "x", "y"), pair("Again?", "y", "x")]
    found = read_pairs(make_pairs_folder([pair(), pair(), pair(rejected="Hi."), *both], [pair() | WHOLE]))
    assert found.train == [pair(), pair()]
    assert found.describe() == (
        "3 of 6 pairs left out: 1 two equal replies, 2 preferred both ways; 1 repeat the prompt in their replies; "
        "2 stand there more than once"
    )


def test_folder_of_equal_replies_alone_is_refused_with_their_number(make_pairs_folder: Any) -> None:
    with pytest.raises(PairsError, match=r"train\.jsonl: no pair is left: 1 of 1 pair left out: 1 two equal replies"):
        read_pairs(make_pairs_folder([pair(rejected="Hi.")], [pair()]))


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet", "jsonl.gz"])
def test_one_file_is_split_by_its_prompts(tmp_path: Path, kind: str) -> None:
    rows = [pair(f"prompt {number % 40}", rejected=f"no {number}") for number in range(80)]
    path = tmp_path / f"pairs.{kind}"
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    if kind == "parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif kind == "json":
        path.write_text(json.dumps(rows))
    else:
        path.write_bytes(gzip.compress(lines.encode()) if kind.endswith("gz") else lines.encode())
    found = read_pairs(path)
    asked = [{row["prompt"][0]["content"] for row in part} for part in (found.train, found.test)]
    assert len(found.train) + len(found.test) == 80
    assert all(asked)
    assert not asked[0] & asked[1]
    assert found.files == [path]


def test_one_file_on_one_prompt_cannot_be_split(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text(json.dumps(pair()))
    with pytest.raises(PairsError, match="on too few prompts"):
        read_pairs(tmp_path / "p.jsonl")
