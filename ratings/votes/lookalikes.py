"""Names that a person would take for one: they differ by case, blanks, Unicode form or invisible characters.

They are two contestants until somebody says that they are one (--alias), so nothing is merged here.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable

MOST = 3
"""Groups of names that a note lists."""


def lookalikes(names: Iterable[str]) -> list[str]:
    """Return a note on the names that look alike, or none."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[_looks(name)].append(name)
    groups = [" and ".join(map(_shown(group), sorted(group))) for group in alike.values() if len(group) > 1]
    if not groups:
        return []
    more = f" and {len(groups) - MOST} more" if len(groups) > MOST else ""
    return [f"names that look alike are rated apart: {'; '.join(groups[:MOST])}{more}; --alias OLD=NEW makes them one"]


def _shown(names: list[str]) -> Callable[[str], str]:
    """Return repr, or ascii where that would print two of the names alike."""
    return ascii if len({unicodedata.normalize("NFKC", name) for name in names}) < len(names) else repr


def _looks(name: str) -> str:
    """Return what the eye makes of a name."""
    shown = unicodedata.normalize("NFKC", name).casefold()
    visible = "".join(c for c in shown if unicodedata.category(c) not in ("Cf", "Cc"))
    return "".join(visible.split())
