"""What moved between two boards, and whether that is more than noise.

The newer board rests on the older one's votes and more, so the two are
not independent, and comparing their intervals for overlap would be far too strict. An efficient
estimate satisfies cov(old, new) = var(new) (Hausman 1978, doi:10.2307/1913827: otherwise the new one
could be improved by leaning on the old), so

    var(new - old) = var(old) - var(new).

That holds for the sandwich too while votes keep coming from pairs in the same proportions; the
printed variances are estimates, so the difference may come out too small or below zero. It is
therefore never taken below var(old) (1 - n_old / n_new), n being the model's votes, which is what it
comes to where variance goes with 1 / n. Where the newer board cannot hold the older one's votes
(some model has fewer of any kind), nothing is known of the covariance, and the largest possible
spread is taken, sd(old) + sd(new), which can only be too wide.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ratings.scale import quantile

_NEEDED = {"model", "rating", "lower", "upper", "rank", "votes", "wins", "losses", "ties", "both_bad"}
_COUNTS = ("votes", "wins", "losses", "ties", "both_bad")


@dataclass(frozen=True)
class Move:
    """What happened to one model between two boards; None where a board has no number for it."""

    model: str
    old_rating: float | None
    new_rating: float | None
    old_rank: int | None
    new_rank: int | None
    moved: float | None
    """Elo points up, measured from the mean of the models rated on both boards."""
    margin: float | None
    """Points a model may move by noise alone; holds for all models at once (Bonferroni)."""
    is_more_than_noise: bool | None
    """None where there is no margin to hold the move against."""
    status: str
    """"stayed", "new", "gone", "gained a rating" or "lost its rating"."""


@dataclass(frozen=True)
class Changes:
    """The moves between two boards, the largest first, then the models that are not on both."""

    old: str
    """When the older board was made, as it records itself."""
    new: str
    new_votes: int
    """Rows read by the newer board beyond the older one's."""
    is_nested: bool
    """Whether the newer board can hold all the older one's votes, which sets the margin."""
    confidence: float
    """With which no unmoved model is reported as moved."""
    caveats: tuple[str, ...]
    """What keeps the two boards from being the same measurement, in plain words."""
    moves: tuple[Move, ...]


def compare_boards(old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    """Return who moved between two boards, each as `Leaderboard.to_json_dict` gives it."""
    before, after = _rows(old), _rows(new)
    both = [model for model in after if _is_rated(before.get(model)) and _is_rated(after[model])]
    mates: dict[tuple[int, int], list[str]] = {}
    for model in both:
        mates.setdefault((_group(before[model]), _group(after[model])), []).append(model)
    shifts = _shifts(before, after, mates)
    is_nested = all(
        model in after and row[kind] <= after[model][kind] for model, row in before.items() for kind in _COUNTS
    )
    confidence = float(new["settings"].get("confidence", 0.95))
    # Bonferroni: each of the moves is held to its share of the error.
    joint = quantile(1 - (1 - confidence) / max(len(both), 1))
    z = tuple(quantile(float(board["settings"].get("confidence", 0.95))) for board in (old, new))
    moves = [
        _move(model, before.get(model), after.get(model), shifts.get(model), joint, z, is_nested)
        for model in {**after, **before}
    ]
    moves.sort(key=lambda move: (move.moved is None, -abs(move.moved or 0.0), move.model))
    return Changes(
        old=old["created"],
        new=new["created"],
        new_votes=new["votes"]["read"] - old["votes"]["read"],
        is_nested=is_nested,
        confidence=confidence,
        caveats=(*_caveats(old, new, is_nested, before, after), *_group_caveat(mates)),
        moves=tuple(moves),
    )


def _move(
    model: str,
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
    shift: float | None,
    joint: float,
    z: tuple[float, ...],
    is_nested: bool,
) -> Move:
    moved = margin = None
    if shift is not None:
        assert old is not None
        assert new is not None
        moved = new["rating"] - old["rating"] - shift
        variance = _variance(old, new, z, is_nested)
        margin = joint * float(np.sqrt(variance)) if variance is not None else None
    return Move(
        model=model,
        old_rating=old["rating"] if old else None,
        new_rating=new["rating"] if new else None,
        old_rank=old["rank"] if old else None,
        new_rank=new["rank"] if new else None,
        moved=moved,
        margin=margin,
        is_more_than_noise=None if moved is None or margin is None else abs(moved) > margin,
        status=_status(old, new),
    )


def _variance(old: Mapping[str, Any], new: Mapping[str, Any], z: tuple[float, ...], is_nested: bool) -> float | None:
    """Return the variance of new minus old in points squared, or None where there is nothing to estimate it from."""
    if None in (old["lower"], old["upper"], new["lower"], new["upper"]):
        return None  # a method without intervals
    sd_old, sd_new = ((row["upper"] - row["lower"]) / 2 / q for row, q in zip((old, new), z, strict=True))
    if not is_nested:
        return float((sd_old + sd_new) ** 2)
    least = sd_old**2 * (1 - old["votes"] / new["votes"])
    variance = max(sd_old**2 - sd_new**2, least)
    return float(variance) if variance > 0 else None


def _status(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> str:
    if old is None or new is None:
        return "new" if old is None else "gone"
    if _is_rated(old) == _is_rated(new):
        return "stayed"
    return "gained a rating" if _is_rated(new) else "lost its rating"


def _caveats(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    is_nested: bool,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> list[str]:
    caveats = []
    if old["method"] != new["method"]:
        caveats.append(f"the method changed from {old['method']} to {new['method']}: moves mix votes with the method")
    changed = [
        key
        for key in sorted({*old["settings"], *new["settings"]})
        if old["settings"].get(key) != new["settings"].get(key)
    ]
    if changed:
        caveats.append(f"settings changed: {', '.join(changed)}; moves mix votes with the settings")
    if not is_nested:
        caveats.append("the newer board does not hold all the older one's votes; margins are the widest possible")
    if {m for m in before if _is_rated(before[m])} != {m for m in after if _is_rated(after[m])}:
        caveats.append("not the same models are rated: moves are from the mean of those on both, margins roughly right")
    return caveats


def _shifts(
    before: Mapping[str, Any], after: Mapping[str, Any], mates: Mapping[tuple[int, int], list[str]]
) -> dict[str, float]:
    """Return by how much the scale of each model moved that is rated on both boards.

    The mean of all rated models moves when one joins; the mean of those on both boards does not. Ratings of two groups
    have no mean in common, so a model that changed its group alone is measured against nobody and left out.
    """
    found: dict[str, float] = {}
    for some in mates.values():
        if len(some) > 1 or len(mates) == 1:
            found |= dict.fromkeys(some, _mean(after, some) - _mean(before, some))
    return found


def _group_caveat(mates: Mapping[tuple[int, int], list[str]]) -> list[str]:
    """Return a sentence where models were split into other groups than before."""
    if len({old for old, _ in mates}) == len(mates) == len({new for _, new in mates}):
        return []
    return ["the groups that can be compared changed: each move is from the mean of the models that stayed together"]


def _rows(board: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the rows of all groups of models by name, each with its group; an earlier version did not write it."""
    others = board.get("components")
    boards = [board["rows"]]
    if isinstance(others, list):
        boards += [one["rows"] for one in others if isinstance(one, Mapping) and isinstance(one.get("rows"), list)]
    return {
        row["model"]: {**row, "group": place}
        for place, rows in enumerate(boards, 1)
        for row in rows
        if isinstance(row, Mapping) and row.keys() >= _NEEDED
    }


def _group(row: Mapping[str, Any]) -> int:
    return int(row["group"])


def _is_rated(row: Mapping[str, Any] | None) -> bool:
    return row is not None and row["rating"] is not None


def _mean(rows: Mapping[str, Any], models: list[str]) -> float:
    return float(np.mean([rows[model]["rating"] for model in models])) if models else 0.0
