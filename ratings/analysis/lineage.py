"""Who was trained from whom: the parents, stages and tags that models.yaml names."""

from dataclasses import dataclass, field
from pathlib import Path

from ratings.errors import SettingsError


@dataclass(frozen=True)
class Lineage:
    """What is known of the contestants; one without a parent, stage or tag is missing there."""

    parents: dict[str, str] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read_lineage(path: Path) -> Lineage:
    """Return the lineage of the contestants in a models.yaml.

    Raises SettingsError where it cannot be read, or names, parents, stages or tags are wrong.
    """
    from common.models_yaml import ModelsError, read_entries

    try:
        entries = read_entries(path)
    except ModelsError as problem:
        raise SettingsError(str(problem)) from None
    return Lineage(
        parents={entry.name: entry.parent for entry in entries if entry.parent},
        stages={entry.name: entry.stage for entry in entries if entry.stage},
        tags={entry.name: entry.tags for entry in entries},
    )
