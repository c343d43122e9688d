"""Long names cut so that they fit their place and no two of them read alike."""

from collections import defaultdict
from collections.abc import Sequence


def cut_names(names: Sequence[str], longest: int, gap: str = "…") -> list[str]:
    """Return each name, cut in the middle where it is too long, so that no two names read alike.

    Where two would, as much of both is shown as tells them apart: around the first letter in which they differ.
    Names that are equal stay so.
    """
    cut = [shorten(name, longest, gap) for name in names]
    same: defaultdict[str, set[str]] = defaultdict(set)
    for name, short in zip(names, cut, strict=True):
        same[short].add(name)
    for i, name in enumerate(names):
        if alike := same[cut[i]] - {name}:
            cut[i] = _around(name, sorted(alike), longest, gap)
    is_told_apart = len(set(cut)) == len(set(names))
    return cut if is_told_apart else [*names]


def shorten(name: str, longest: int, gap: str = "…") -> str:
    """Return the name, cut in the middle where it is too long: checkpoints differ at their ends."""
    kept = longest - len(gap)
    return name if len(name) <= longest else f"{name[: kept - kept // 2]}{gap}{name[-(kept // 2) :]}"


def _around(name: str, others: list[str], longest: int, gap: str) -> str:
    """Return the start of a name, and its letters around the place where it differs from the others."""
    place = min(_first_difference(name, other) for other in others)
    head = longest // 3
    tail = longest - head - 2 * len(gap)
    start = max(min(place - tail // 2, len(name) - tail), head)
    end = gap if start + tail < len(name) else ""
    return f"{name[:head]}{gap}{name[start : start + tail]}{end}"


def _first_difference(name: str, other: str) -> int:
    pairs = enumerate(zip(name, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(name), len(other)))
