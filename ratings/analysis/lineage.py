"""Who was trained from whom: the parents, stages and tags that models.yaml names.

The arena owns that file and checks it as a whole; here four keys of each contestant are read and the
rest is passed over, so that a board can be made where the arena is not installed. What those keys
must be is checked all the same: a lineage that is half read would put gains on the wrong pairs.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ratings.errors import SettingsError


@dataclass(frozen=True)
class Lineage:
    """What is known of the contestants; one without a parent, stage or tag is missing there."""

    parents: dict[str, str] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read_lineage(path: Path) -> Lineage:
    """Return the lineage of the contestants in a models.yaml.

    Raises SettingsError, with the file and the contestant, where it cannot be read, a key is not what it
    must be, a name stands twice, or a parent is no contestant or its own descendant.
    """
    found = Lineage()
    contestants = _contestants(path)
    for number, contestant in enumerate(contestants, 1):
        if not isinstance(contestant, dict) or not _is_text(contestant.get("name")):
            raise SettingsError(f"{path}: contestant {number} has no name; give it one")
        name = contestant["name"]
        where = f"{path}: contestant {name!r}"
        for key, into in (("parent", found.parents), ("stage", found.stages)):
            value = contestant.get(key)
            if value is not None:
                if not _is_text(value):
                    raise SettingsError(f"{where}: {key} is {value!r}; give a name")
                into[name] = value
        tags = contestant.get("tags") or []
        if not isinstance(tags, list) or not all(map(_is_text, tags)):
            raise SettingsError(f"{where}: tags is {tags!r}; give a list of names, such as [lora]")
        found.tags[name] = tuple(tags)
    names = [contestant["name"] for contestant in contestants]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SettingsError(f"{path}: two contestants are named {twice!r}; rename one")
    _check_parents(path, found.parents, set(names))
    return found


def _contestants(path: Path) -> list[Any]:
    import yaml

    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise SettingsError(f"{path}: cannot be read: {problem.strerror}; give the arena's models.yaml") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    except (yaml.YAMLError, RecursionError) as problem:
        line = " ".join(str(problem).split())
        raise SettingsError(f"{path}: broken YAML: {line[:200]}") from None
    contestants = told.get("contestants") if isinstance(told, dict) else None
    if not isinstance(contestants, list) or not contestants:
        raise SettingsError(f"{path}: names no contestants; give the arena's models.yaml")
    return contestants


def _check_parents(path: Path, parents: dict[str, str], names: set[str]) -> None:
    for child, parent in parents.items():
        if parent not in names:
            raise SettingsError(f"{path}: contestant {child!r}: parent {parent!r} is no contestant; name one or none")
        ancestor: str | None = parent
        for _ in parents:
            if ancestor == child:
                raise SettingsError(f"{path}: contestant {child!r} descends from itself; mend its parents")
            ancestor = parents.get(ancestor) if ancestor else None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
