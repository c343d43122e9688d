"""models.yaml: the part that arena and ratings both read, namely which contestants there are and their parents.

The arena's own sections (how a contestant is asked, its checkpoint, limits) are checked in arena/config.py, by models
that extend Entry.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from common.words import one_line
from common.yaml_files import YamlError, read_yaml

SECRET = {"base_url", "api_key_env", "headers_env", "options"}
"""Keys whose values may hold a password or a key by mistake, so that no error shows them."""

SHORT = 60  # characters of a list that is shown

NAME = r"^[\w][\w .:+-]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME)]


class ModelsError(ValueError):
    """A models.yaml that cannot be used: one line with the file, the contestant, the value and the remedy."""


class Entry(BaseModel):
    """A contestant's name, stage and tags; parent is the name of the contestant that it was trained from."""

    model_config = ConfigDict(frozen=True)

    name: Name
    stage: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    parent: str | None = None
    tags: tuple[str, ...] = ()

    @field_validator("tags", mode="before")
    @classmethod
    def _none_is_no_tag(cls, tags: Any) -> Any:
        return () if tags is None else tags


class Listing(BaseModel):
    """The contestants of a file; its other sections are ignored."""

    contestants: tuple[Entry, ...] = Field(min_length=1)


Checked = TypeVar("Checked", bound=BaseModel)


def read_entries(path: Path) -> tuple[Entry, ...]:
    """Return the contestants of a models.yaml with name, stage, parent and tags; everything else is ignored.

    Raises:
        ModelsError: the file cannot be read, or one of these is wrong.
    """
    entries = validate(Listing, read_models_yaml(path), path).contestants
    try:
        check_lineage(entries)
    except ValueError as error:
        raise ModelsError(f"{path}: {error}") from None
    return entries


def read_models_yaml(path: Path) -> dict[str, Any]:
    """Return the tree of a models.yaml.

    Raises:
        ModelsError: there is no such file, or it is not a YAML mapping.
    """
    try:
        tree = read_yaml(path)
    except FileNotFoundError:
        raise ModelsError(f"{path}: no such file: pass --models FILE") from None
    except YamlError as error:
        raise ModelsError(f"{error}: fix or quote it") from None
    if not isinstance(tree, dict):
        raise ModelsError(f"{path}: expected a mapping with the key 'contestants', got {type(tree).__name__}")
    return tree


def check_lineage(entries: Sequence[Entry]) -> None:
    """Require that names are unique, and that each parent is a contestant and not a descendant.

    Raises:
        ValueError: names the contestant and the remedy.
    """
    names = [entry.name for entry in entries]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two contestants are named {twice!r}: give each its own name")
    parents = {entry.name: entry.parent for entry in entries}
    for child, parent in parents.items():
        if parent == child:
            raise ValueError(f"{child!r} names itself as its parent: name another contestant")
        if parent is not None and parent not in parents:
            raise ValueError(f"parent {parent!r} of {child!r} is no contestant: name one of {', '.join(names)}")
        ancestor = parent
        for _ in parents:
            if ancestor == child:
                raise ValueError(f"{child!r} descends from itself: correct its parents")
            ancestor = parents.get(ancestor) if ancestor else None


def validate(model: type[Checked], tree: dict[str, Any], path: Path, levels: Sequence[str] = ()) -> Checked:
    """Return the tree as a pydantic model; levels are tags of unions, which the file does not have.

    Raises:
        ModelsError: the first mistake, with its place in the file.
    """
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise ModelsError(f"{path}: {_first_problem(error, levels)}") from None


def _first_problem(error: ValidationError, levels: Sequence[str]) -> str:
    first = error.errors()[0]
    loc = first["loc"]
    parts = [part for i, part in enumerate(loc) if part not in levels or not _is_union(loc[:i])]
    where = re.sub(r"\.(\d+)", r"[\1]", ".".join(str(part) for part in parts))
    where = " ".join(where.split())
    if first["type"] == "extra_forbidden":
        return f"{where}: unknown key: remove it or correct its spelling"
    got = _shown(first["input"]) if not SECRET & set(parts) else ""
    if first["type"].startswith("union_tag"):
        key = first["ctx"]["discriminator"].strip("'()")
        got = _shown(first["ctx"].get("tag", first["input"]))
        return f"{where}.{key}: give one of {first['ctx'].get('expected_tags', 'the known kinds')}{got}"
    if first["type"] == "string_pattern_mismatch" and parts[-1] == "name":
        return f"{where}: begin with a letter or digit; then up to 63 letters, digits, spaces, or any of _.:+-{got}"
    if first["type"] == "missing":
        return f"{where}: is missing"
    if first["type"] == "value_error" and not parts:
        return str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "string_pattern_mismatch" and {"api_key_env", "headers_env"} & set(parts):
        return f"{where}: write the name, in capitals, of the environment variable with the key, such as MY_API_KEY"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}{got}"


def _shown(value: Any) -> str:
    """Return what was given, if it is short: a whole entry would hide the mistake, and may hold a key."""
    is_entry = isinstance(value, dict) and value
    text = repr(value)
    return "" if is_entry or (isinstance(value, list) and len(text) > SHORT) else f", got {one_line(text, 200)}"


def _is_union(place: tuple[str | int, ...]) -> bool:
    """Return whether a place holds a union, whose tag pydantic adds to the location of what is below."""
    return bool(place) and (place[-1] == "prompt" or isinstance(place[-1], int))
