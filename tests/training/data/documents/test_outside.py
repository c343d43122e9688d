"""Somebody else's text: read as it is, or refused by name."""

import json
from itertools import islice
from pathlib import Path

import pytest

from training.data.documents.outside import open_chats, open_documents
from training.data.yaml_files import DataError
from training.recipe import load_recipe
from training.sections import Data, Outside


def data(**outside: Outside) -> Data:
    return load_recipe("nano").data.model_copy(update=outside)


def write(folder: Path, rows: list[object], name: str = "mine.jsonl") -> str:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_without_a_name_nothing_is_read() -> None:
    assert open_documents(data()) is None
    assert open_chats(data(), 5) is None


def test_documents_come_again_and_again_without_blank_ones(tmp_path: Path) -> None:
    path = write(tmp_path, [{"text": "one"}, {"text": "  "}, {"text": "two"}])
    documents = open_documents(data(text=Outside(path=path)))
    assert documents is not None
    assert list(islice(documents, 5)) == ["one", "two", "one", "two", "one"]


def test_chats_are_messages_or_prompt_and_completion_up_to_a_limit(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]
    messages = write(tmp_path, [{"messages": turns}] * 3)
    columns = write(tmp_path, [{"prompt": "Hi", "completion": "Hello!"}] * 3, "columns.jsonl")
    for path in (messages, columns):
        found = open_chats(data(chats=Outside(path=path)), 2)
        assert found is not None
        assert [(e.prompt, e.reply) for e in found] == [("Hi", "Hello!")] * 2


@pytest.mark.parametrize(
    ("rows", "problem"),
    [([{"body": "x"}], "no column 'text': use one of body"), ([], "no rows: choose another")],
)
def test_a_file_without_text_is_named(tmp_path: Path, rows: list[object], problem: str) -> None:
    path = write(tmp_path, rows)
    with pytest.raises(DataError, match=problem) as error:
        next(iter(open_documents(data(text=Outside(path=path))) or ()))
    assert path in str(error.value)


def test_a_broken_file_and_a_missing_one_are_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "fine"}\n{"text": \n', encoding="utf-8")
    for path in (str(broken), str(tmp_path / "none.jsonl")):
        with pytest.raises(DataError, match="cannot be read") as error:
            next(iter(open_documents(data(text=Outside(path=path))) or ()))
        assert path in str(error.value)


def test_a_chat_of_another_shape_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, [{"question": "Hi"}])
    with pytest.raises(DataError, match="neither messages nor prompt and completion"):
        open_chats(data(chats=Outside(path=path)), 5)
