"""Text from elsewhere: any Hugging Face dataset, or a folder or file of JSON, CSV, Parquet or text.

A recipe's ``data.text`` and ``data.chats`` name them. They replace generated text in pretraining and in finetuning;
held-out prompts are still generated ones.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.data.world.examples import Example
from training.data.yaml_files import DataError
from training.sections import Data, Outside

READERS = {".json": "json", ".jsonl": "json", ".csv": "csv", ".parquet": "parquet", ".txt": "text"}


def open_documents(data: Data) -> Iterator[str] | None:
    """Yield the documents of data.text over and over, or return None if the recipe names none.

    Raises:
        DataError: no such dataset, no such column, or a split without rows.
    """
    return _cycle(data.text) if data.text else None


def open_chats(data: Data, limit: int) -> list[Example] | None:
    """Return up to limit prompt-response pairs of data.chats, or None if the recipe names none.

    A row has the column "messages" (its first user and first assistant turn are taken), or "prompt" and "completion".

    Raises:
        DataError: no such dataset, or rows of another shape.
    """
    if data.chats is None:
        return None
    examples = []
    rows = _load(data.chats)
    for row in rows.select(range(min(limit, len(rows)))):
        messages = row.get("messages") or []
        turns = {m["role"]: m["content"] for m in reversed(messages)}
        prompt, reply = turns.get("user", row.get("prompt")), turns.get("assistant", row.get("completion"))
        if not prompt or not reply:
            raise DataError(
                f"data.chats {data.chats.path!r}: a row has neither messages nor prompt and completion: "
                f"{str(row)[:60]!r}: name a dataset of conversations"
            )
        examples.append(Example("chat", str(prompt), str(reply)))
    return examples


def _cycle(source: Outside) -> Iterator[str]:
    rows = _load(source)
    if source.column not in rows.column_names:
        raise DataError(
            f"data.text {source.path!r}: no column {source.column!r}: use one of {', '.join(rows.column_names)}"
        )
    while True:
        for text in rows[source.column]:
            if text.strip():
                yield text


def _load(source: Outside) -> Any:
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    path = Path(source.path)
    none = DataError(f"dataset {source.path!r}, split {source.split!r}: no rows: choose another split or file")
    if path.is_file() and path.stat().st_size == 0:
        raise none  # the library has no clear error for it
    try:
        if path.suffix in READERS:
            rows = load_dataset(READERS[path.suffix], data_files=str(path), split=source.split)
        else:
            rows = load_dataset(source.path, source.name, split=source.split)
    except (DatasetsError, OSError, ValueError) as error:
        raise DataError(
            f"dataset {source.path!r}, split {source.split!r}: cannot be read: {str(error).splitlines()[0]}"
        ) from error
    if len(rows) == 0:
        raise none
    return rows
