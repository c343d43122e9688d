"""Boards kept over time: one folder a snapshot, a pointer to the latest, and what moved between two.

    DIR/2030-01-02T03-04-05Z/leaderboard.json, .csv, .html
    DIR/latest -> 2030-01-02T03-04-05Z

A snapshot is written aside and renamed once it is complete, and the pointer is replaced in one step,
so a reader meets the earlier snapshot or the new one, never half of either. `latest` is a relative
symbolic link, so the whole folder can be moved; where links are not possible it is a text file that
holds the folder's name. Snapshots are never overwritten.

Is a move more than noise? The newer board rests on the older one's votes and more, so the two are
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

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from common.files import write_files
from ratings.errors import OutputError, VotesError
from ratings.intervals.sandwich import quantile

LATEST = "latest"

_STAMP = "%Y-%m-%dT%H-%M-%SZ"  # a colon cannot stand in a file's name everywhere
_COLUMNS = {"model", "rating", "lower", "upper", "rank", "votes", "wins", "losses", "ties", "both_bad"}
_TALLIES = ("votes", "wins", "losses", "ties", "both_bad")


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
class Comparison:
    """The moves between two boards, the largest first, then the models that are not on both."""

    old: str
    """When the older board was made, as it says itself."""
    new: str
    new_votes: int
    """Rows read by the newer board beyond the older one's."""
    is_nested: bool
    """Whether the newer board can hold all the older one's votes, which sets the margin."""
    confidence: float
    """With which no unmoved model is said to have moved."""
    caveats: tuple[str, ...]
    """What keeps the two boards from being the same measurement, in plain words."""
    moves: tuple[Move, ...]


def write_snapshot(root: Path, texts: Mapping[str, str | bytes], *, now: datetime) -> Path:
    """Write `texts` by name into a folder of their own under `root`, point `latest` to it, return it.

    `now` must know its offset from UTC. A second snapshot within a second gets "-2" behind its name.
    Raises OutputError where that cannot be done; what stood there before then still does.
    """
    name = now.astimezone(UTC).strftime(_STAMP)
    aside = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        if (root / LATEST).is_dir() and not (root / LATEST).is_symlink():
            raise OutputError(f"{root / LATEST}: is a folder of its own; move it away, the name is for the pointer")
        aside = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=root))
        write_files(aside, texts)
        aside.chmod(0o755)  # mkdtemp's folders are private to their owner
        folder = _settle(aside, root, name)
        _point(root, folder.name)
    except OSError as problem:
        raise OutputError(f"{root}: cannot be written: {problem.strerror}") from None
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
    return folder


def list_snapshots(root: Path) -> list[Path]:
    """Return the complete snapshots under `root`, oldest first."""
    found = [(stamp, path) for path in root.iterdir() if (stamp := _read_stamp(path))] if root.is_dir() else []
    return [path for _, path in sorted(found)]


def latest_snapshot(root: Path) -> Path | None:
    """Return the folder `latest` points to, or None where there is none yet.

    Raises VotesError where the pointer leads nowhere.
    """
    pointer = root / LATEST
    if not pointer.is_symlink() and not pointer.exists():
        return None
    name = os.readlink(pointer) if pointer.is_symlink() else pointer.read_text(encoding="utf-8").strip()
    if not (root / name).is_dir():
        raise VotesError(f"{pointer}: points to {name!r}, which is not there; remove it or write a new snapshot")
    return root / name


def read_board(folder: Path) -> dict[str, Any]:
    """Return a snapshot's leaderboard.json; raise VotesError where it is missing or broken."""
    path = folder / "leaderboard.json"
    try:
        board = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise VotesError(f"{path}: no such file; expected a snapshot of a board") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise VotesError(f"{path}: cannot be read as a board: {problem}") from None
    if not isinstance(board, dict) or not {"created", "method", "settings", "votes", "rows"} <= board.keys():
        raise VotesError(f"{path}: is not a board; it lacks created, method, settings, votes or rows")
    for number, row in enumerate(board["rows"], 1):
        if not isinstance(row, dict) or not row.keys() >= _COLUMNS:
            raise VotesError(f"{path}: row {number} is not a model's; it lacks one of {', '.join(sorted(_COLUMNS))}")
    return board


def compare_snapshots(old: Path, new: Path) -> Comparison:
    """Return who moved between two snapshots' folders; raise VotesError where one cannot be read."""
    return compare_boards(read_board(old), read_board(new))


def compare_boards(old: Mapping[str, Any], new: Mapping[str, Any]) -> Comparison:
    """Return who moved between two boards, each as `Leaderboard.to_json_dict` gives it."""
    before = {row["model"]: row for row in old["rows"]}
    after = {row["model"]: row for row in new["rows"]}
    both = [model for model in after if _is_rated(before.get(model)) and _is_rated(after[model])]
    # The mean of all rated models moves when one joins; the mean of those on both boards does not.
    shift = _mean(after, both) - _mean(before, both)
    is_nested = all(
        model in after and row[tally] <= after[model][tally] for model, row in before.items() for tally in _TALLIES
    )
    confidence = float(new["settings"].get("confidence", 0.95))
    # Bonferroni: each of the moves is held to its share of the error.
    joint = quantile(1 - (1 - confidence) / max(len(both), 1))
    z = tuple(quantile(float(board["settings"].get("confidence", 0.95))) for board in (old, new))
    moves = [
        _move(model, before.get(model), after.get(model), shift, joint, z, is_nested) for model in {**after, **before}
    ]
    moves.sort(key=lambda move: (move.moved is None, -abs(move.moved or 0.0), move.model))
    return Comparison(
        old=old["created"],
        new=new["created"],
        new_votes=new["votes"]["read"] - old["votes"]["read"],
        is_nested=is_nested,
        confidence=confidence,
        caveats=tuple(_caveats(old, new, is_nested, before, after)),
        moves=tuple(moves),
    )


def _move(
    model: str,
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
    shift: float,
    joint: float,
    z: tuple[float, ...],
    is_nested: bool,
) -> Move:
    moved = margin = None
    if _is_rated(old) and _is_rated(new):
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
    """Return the variance of new minus old in points squared, or None where there is nothing to tell it by."""
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
    told = []
    if old["method"] != new["method"]:
        told.append(f"the method changed from {old['method']} to {new['method']}: moves mix votes with the method")
    changed = [
        key
        for key in sorted({*old["settings"], *new["settings"]})
        if old["settings"].get(key) != new["settings"].get(key)
    ]
    if changed:
        told.append(f"settings changed: {', '.join(changed)}; moves mix votes with the settings")
    if not is_nested:
        told.append("the newer board does not hold all the older one's votes; margins are the widest possible")
    if {m for m in before if _is_rated(before[m])} != {m for m in after if _is_rated(after[m])}:
        told.append("not the same models are rated: moves are from the mean of those on both, margins roughly right")
    return told


def _is_rated(row: Mapping[str, Any] | None) -> bool:
    return row is not None and row["rating"] is not None


def _mean(rows: Mapping[str, Any], models: list[str]) -> float:
    return float(np.mean([rows[model]["rating"] for model in models])) if models else 0.0


def _settle(aside: Path, root: Path, name: str) -> Path:
    """Rename the complete folder to the first free name; a folder with files is never replaced."""
    for number in count(1):
        folder = root / (name if number == 1 else f"{name}-{number}")
        try:
            if not folder.exists():
                aside.rename(folder)
                return folder
        except OSError:
            if not folder.exists():
                raise  # not a race for the name
    raise AssertionError("unreachable")


def _point(root: Path, name: str) -> None:
    """Make `latest` name the folder, in one step."""
    with tempfile.TemporaryDirectory(prefix=f".{LATEST}.", dir=root) as folder:
        pointer = Path(folder) / LATEST
        try:
            pointer.symlink_to(name, target_is_directory=True)
        except (OSError, NotImplementedError):  # a file system, or a Windows user, without links
            pointer.unlink(missing_ok=True)
            pointer.write_text(f"{name}\n", encoding="utf-8")
        os.replace(pointer, root / LATEST)


def _read_stamp(path: Path) -> tuple[datetime, int] | None:
    """Return when a snapshot was made, and its number within that second; None for any other file."""
    stamp, _, number = path.name.partition("Z")
    try:
        made = datetime.strptime(f"{stamp}Z", _STAMP), int(number.removeprefix("-") or 1)
    except ValueError:
        return None
    return made if path.is_dir() else None
