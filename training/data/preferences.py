"""Preference pairs as files: train.jsonl and test.jsonl, one conversational pair per line, in the form TRL reads.

    {"prompt": [{"role": "user", ...}], "chosen": [{"role": "assistant", ...}], "rejected": [...], "margin": 0.0, ...}

``python -m ratings.export`` writes it from votes; stages/pairs.py by synthetic voters, with ``"source": "synthetic"``.
"""

import json
import math
from pathlib import Path
from typing import Any

FILES = ("train.jsonl", "test.jsonl")
ROLES = ("system", "user", "assistant")
MESSAGES = ("prompt", "chosen", "rejected")


class PairsError(ValueError):
    """A file of pairs that cannot be used; the message names the file, the line and the remedy."""


def read_pairs(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of train.jsonl and test.jsonl: their messages, margin and marks, without other keys.

    Raises:
        PairsError: a file is missing or empty, a line is not JSON, a row has an empty or missing side, or only some
            rows have a margin (TRL's collator looks at the first row alone).
    """
    train, test = (_read_file(folder / name) for name in FILES)
    return train, test


def write_pairs(folder: Path, train: list[dict[str, Any]], test: list[dict[str, Any]]) -> None:
    """Write both files into an existing folder."""
    for name, rows in zip(FILES, (train, test), strict=True):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / name).write_text(lines, encoding="utf-8")


def _read_file(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise PairsError(f"{path} is missing: python -m ratings.export --db FILE --out {path.parent} writes it")
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            row = json.loads(line)
        except ValueError:
            raise PairsError(f"{path}, line {number}: not JSON: {line[:60]!r}") from None
        pair: dict[str, Any] = {key: _messages(row, key, f"{path}, line {number}") for key in MESSAGES}
        if "margin" in row:
            pair["margin"] = _number(row["margin"], f"{path}, line {number}")
        for mark in ("noise_free", "degenerate", "near_miss"):
            if isinstance(row.get(mark), bool):
                pair[mark] = row[mark]
        rows.append(pair)
    if not rows:
        raise PairsError(f"{path} is empty: collect more votes, or export with another split")
    if 0 < sum("margin" in row for row in rows) < len(rows):
        raise PairsError(f"{path}: some rows have a margin and some have none: give it to all or to none")
    return rows


def _number(value: Any, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise PairsError(f"{where}: margin is not a number, got {value!r}")
    return float(value)


def _messages(row: Any, key: str, where: str) -> list[dict[str, str]]:
    messages = row.get(key) if isinstance(row, dict) else None
    if not isinstance(messages, list) or not messages:
        raise PairsError(f"{where}: {key!r} is not a list of messages, got {messages!r}")
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, str) or not content.strip():
            raise PairsError(f"{where}: {key!r} has an empty message: remove the row")
        if not content.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in content):
            raise PairsError(f"{where}: {key!r} holds half of a surrogate pair, which is not text: correct the row")
        if message.get("role") not in ROLES:
            raise PairsError(f"{where}: {key!r} has the role {message.get('role')!r}, not one of {', '.join(ROLES)}")
    if (messages[-1]["role"] == "assistant") != (key != "prompt"):
        raise PairsError(f"{where}: {key!r} ends with a turn of {messages[-1]['role']!r}")
    return [{"role": message["role"], "content": message["content"]} for message in messages]
