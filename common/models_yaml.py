"""models.yaml: the one reading of its contestants, of whom the arena asks more than ratings do.

Here stands what both need: who there is, and who was trained from whom. The arena's own sections (how a contestant
is asked, its checkpoint, limits) are checked in arena/config.py, by models that build on Entry.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from common.yaml_files import YamlError, read_yaml

NAME = r"^[\w][\w .:+-]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME)]


class ModelsError(ValueError):
    """A models.yaml that cannot be used: one line with the file, the contestant, the value and the way out."""


class Entry(BaseModel):
    """What names a contestant, and what it was trained from: parent is another contestant's name."""

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
    """The contestants of a file by their entries, whatever else is in it."""

    contestants: tuple[Entry, ...] = Field(min_length=1)


Checked = TypeVar("Checked", bound=BaseModel)


def read_entries(path: Path) -> tuple[Entry, ...]:
    """Return the contestants of a models.yaml by name, stage, parent and tags; what else it holds is passed over.

    Raises:
        ModelsError: it cannot be read, or one of these is wrong.
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
        ModelsError: there is no such file, or it is no YAML mapping.
    """
    try:
        tree = read_yaml(path)
    except FileNotFoundError:
        raise ModelsError(f"{path}: no such file: pass --models FILE") from None
    except YamlError as error:
        raise ModelsError(f"{error}: mend or quote it") from None
    if not isinstance(tree, dict):
        raise ModelsError(f"{path}: expected a mapping with the key 'contestants', got {type(tree).__name__}")
    return tree


def check_lineage(entries: Sequence[Entry]) -> None:
    """Require that each name stands once, and that each parent is a contestant and no descendant.

    Raises:
        ValueError: says which, and the way out.
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
                raise ValueError(f"{child!r} descends from itself: mend its parents")
            ancestor = parents.get(ancestor) if ancestor else None


def validate(model: type[Checked], tree: dict[str, Any], path: Path, levels: Sequence[str] = ()) -> Checked:
    """Return the tree as a pydantic model; levels are tags of unions, which the file does not have.

    Raises:
        ModelsError: the first thing that is wrong, by the place where it stands in the file.
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
        return f"{where}: unknown key: remove it or mend its spelling"
    got = f", got {first['input']!r}"
    if first["type"].startswith("union_tag"):
        key = first["ctx"]["discriminator"].strip("'()")
        return f"{where}.{key}: give one of {first['ctx'].get('expected_tags', 'the known kinds')}{got}"
    if first["type"] == "string_pattern_mismatch" and parts[-1] == "name":
        return f"{where}: begin with a letter or digit; then up to 63 letters, digits, spaces, or any of _.:+-{got}"
    if first["type"] == "missing":
        return f"{where}: is missing"
    if first["type"] == "value_error" and not parts:
        return str(first["msg"]).removeprefix("Value error, ")
    return f"{where}: {first['msg']}{got}"


def _is_union(place: tuple[str | int, ...]) -> bool:
    """Say whether a union stands at a place, whose tag pydantic adds to what lies below."""
    return bool(place) and (place[-1] == "prompt" or isinstance(place[-1], int))
