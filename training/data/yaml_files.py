"""Read the text files of the corpus, with errors that name the file, the line and the remedy.

Every string read from a YAML file remembers its line, which costs little and lets later checks, such as the one for
slots that nothing fills, point to that line.
"""

import json
from pathlib import Path
from typing import Any

import yaml

import common.yaml_files
from common.yaml_files import UniqueKeys, YamlError

TEXT = Path(__file__).with_name("text")


class DataError(ValueError):
    """A file of the corpus that cannot be used; the message names the file, the line and the remedy."""


class Text(str):
    """A string that remembers where it was read. where: file and line."""

    where: str = ""


def read_yaml(path: Path) -> Any:
    """Return a YAML file's tree with ``Text`` for every string.

    Raises:
        DataError: no such file, broken YAML, an empty file, or a word that YAML reads as truth or as nothing.
    """

    class Reader(UniqueKeys):
        pass

    def to_text(loader: Any, node: yaml.ScalarNode) -> Text:
        text = Text(node.value)
        text.where = f"{path}, line {node.start_mark.line + 1}"
        return text

    def read_flag(loader: Any, node: yaml.ScalarNode) -> bool:
        if node.value in ("true", "false"):
            return bool(node.value == "true")
        problem = f"{node.value!r} is no word to YAML: put quotes around it"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)

    Reader.add_constructor("tag:yaml.org,2002:str", to_text)
    for tag in ("bool", "null", "timestamp"):
        Reader.add_constructor(f"tag:yaml.org,2002:{tag}", read_flag)
    try:
        tree = common.yaml_files.read_yaml(path, Reader)
    except FileNotFoundError:
        raise DataError(f"{path} is missing: the corpus needs it; restore it from the repository") from None
    except YamlError as error:
        raise DataError(f"{error}: correct or remove the line") from None
    if not tree:
        raise DataError(f"{path}, line 1: the file is empty: fill it or remove it")
    return tree


def read_jsonl(path: Path, keys: tuple[str, ...]) -> list[dict[str, Text]]:
    """Return the rows of a JSON Lines file, each with text that is not blank under every key.

    Raises:
        DataError: a line that is not JSON, or a row without one of the keys.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except ValueError:
            raise DataError(f"{where}: not JSON: {line[:60]!r}: correct or remove the line") from None
        for key in keys:
            value = row.get(key) if isinstance(row, dict) else None
            if not isinstance(value, str) or not value.strip():
                raise DataError(f"{where}: no text under {key!r}: give it some, or remove the line")
        texts = {key: Text(row[key]) for key in keys}
        for text in texts.values():
            text.where = where
        rows.append(texts)
    if not rows:
        raise DataError(f"{path}, line 1: the file is empty: fill it or remove it")
    return rows
