"""Which votes count: by whom, when, in which language, between which contestants.

Every vote that a choice leaves out is counted under a reason, so read == used + left out still holds. A value that
matches nothing is refused with what there is: it is a slip of the pen far more often than a wish.

Names are merged first, then contestants left out, then votes chosen one by one, and last those of contestants with too
few votes, again and again until nobody has fewer.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ratings.choices import VotesBy
from ratings.errors import SettingsError
from ratings.votes.collect import SELF_BATTLE
from ratings.votes.votes import Votes, keep

SHOWN = 20
"""Names that an error lists."""


@dataclass(frozen=True)
class Which:
    """Which votes count; nothing of it is chosen by default."""

    by: VotesBy | None = None
    """None counts both as "all" does, and a note says so where there are both."""
    since: float | None = None
    """Seconds since 1970, UTC; votes of this moment count."""
    until: float | None = None
    """Votes of this moment do not."""
    languages: tuple[str, ...] = ()
    """As the column language of a file has them, or categories; in any case of letters."""
    without: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    """(old, new) names."""
    min_votes: int = 0
    """A contestant with fewer is left out with its votes."""
    dedup: bool = False
    """Whether votes marked as too many on one prompt are left out."""

    def __post_init__(self) -> None:
        """Raise SettingsError for choices that exclude each other or make no sense."""
        if self.by not in (None, *get_args(VotesBy)):
            raise SettingsError(f"votes by {self.by!r}; choose one of {', '.join(get_args(VotesBy))}")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise SettingsError(f"since {_moment(self.since)} until {_moment(self.until)} is no time at all; swap them")
        if not 0 <= self.min_votes <= 10**12:
            raise SettingsError(f"min votes is {self.min_votes}; give a whole number from 0 on")
        old = [name for name, _ in self.aliases]
        if twice := [name for name, n in Counter(old).items() if n > 1]:
            raise SettingsError(f"alias {twice[0]!r} is given two names; give one")
        for name, new in self.aliases:
            if not name.strip() or not new.strip() or name == new or new in old:
                raise SettingsError(f"alias {name!r}={new!r} leads nowhere; give each old name its last new one")
        if gone := [name for name in self.without if name in old]:
            raise SettingsError(f"{gone[0]!r} is left out and merged; give one of the two")

    @property
    def is_choice(self) -> bool:
        """Return whether any vote may be left out or renamed."""
        return self != Which() and self != Which(by="all")

    @property
    def has_times(self) -> bool:
        """Return whether it depends on when votes were cast."""
        return self.since is not None or self.until is not None

    def words(self) -> dict[str, str]:
        """Return what was chosen, by name, for the settings of a board."""
        words = {
            "votes by": self.by or "",
            "since": "" if self.since is None else _moment(self.since),
            "until": "" if self.until is None else _moment(self.until),
            "languages": ", ".join(self.languages),
            "without": ", ".join(self.without),
            "merged": ", ".join(f"{old} as {new}" for old, new in self.aliases),
            "fewest votes": str(self.min_votes or ""),
            "over-frequent prompts": "left out" if self.dedup else "",
        }
        return {name: text for name, text in words.items() if text}


def choose(votes: Votes, which: Which) -> tuple[Votes, NDArray[np.int64]]:
    """Return the votes that count, the others among those left out, and (n,) their places among all.

    Raises SettingsError where a choice matches nothing or the votes do not record what it asks about.
    """
    place = np.arange(votes.used)
    votes = _merged(votes, which.aliases)
    reasons: list[tuple[str, NDArray[np.bool_]]] = []
    if which.aliases:
        reasons.append((SELF_BATTLE, votes.a == votes.b))
    reasons += _about_names(votes, which)
    reasons += _about_votes(votes, which)
    for reason, leaves in reasons:
        votes, place = _less(votes, place, reason, leaves[place])
    reason = f"contestant with fewer than {which.min_votes} votes"
    while (few := _few(votes, which.min_votes)).any():
        votes, place = _less(votes, place, reason, few[votes.a] | few[votes.b])
    if which.min_votes or which.without:
        votes = _only(votes, which)
    if not votes.used:
        raise SettingsError("no vote is left of those chosen; " + _listed(votes.left_out))
    return votes, place


def _merged(votes: Votes, aliases: tuple[tuple[str, str], ...]) -> Votes:
    """Return the votes with each old name replaced."""
    if not aliases:
        return votes
    for old, _ in aliases:
        _require(old, votes.models, "alias of a contestant")
    renamed = dict(aliases)
    names = [renamed.get(name, name) for name in votes.models]
    models = tuple(sorted(set(names)))
    place = np.array([models.index(name) for name in names], dtype=np.int64)
    return replace(votes, models=models, a=place[votes.a], b=place[votes.b])


def _about_names(votes: Votes, which: Which) -> list[tuple[str, NDArray[np.bool_]]]:
    for name in which.without:
        _require(name, votes.models, "contestant to leave out")
    if not which.without:
        return []
    gone = np.array([name in which.without for name in votes.models], dtype=bool)
    return [("contestant left out", gone[votes.a] | gone[votes.b])]


def _about_votes(votes: Votes, which: Which) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return (reason, (n,) which votes leave for it)."""
    nothing = np.zeros(votes.used, dtype=bool)
    found: list[tuple[str, NDArray[np.bool_]]] = []
    if which.by in ("human", "simulated"):
        simulated = nothing if votes.is_simulated is None else votes.is_simulated
        is_human = which.by == "human"
        if not (~simulated if is_human else simulated).any():
            others = "simulated" if is_human else "human"
            raise SettingsError(f"no votes by {which.by}; all {votes.used:,} are {others}")
        found.append(("simulated", simulated) if is_human else ("human", ~simulated))
    if which.has_times:
        found += _about_times(votes, which)
    if which.languages:
        found.append(("another language", ~_in_languages(votes, which.languages)))
    if which.dedup:
        if votes.is_repeated is None:
            raise SettingsError("no vote is marked as one of too many on its prompt (dedup_tag); leave out --dedup")
        found.append(("over-frequent prompt", votes.is_repeated))
    return found


def _about_times(votes: Votes, which: Which) -> list[tuple[str, NDArray[np.bool_]]]:
    time = votes.time
    if time is None:
        raise SettingsError("the votes do not record when they were cast; leave out --since and --until")
    early = -np.inf if which.since is None else which.since
    late = np.inf if which.until is None else which.until
    outside = (time < early) | (time >= late)
    if (outside | np.isnan(time)).all():
        first, last = _moment(float(np.nanmin(time))), _moment(float(np.nanmax(time)))
        raise SettingsError(f"no votes in that time; there are votes from {first} to {last}")
    return [("no time", np.isnan(time)), ("cast at another time", outside)]


def _in_languages(votes: Votes, languages: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return (n,) whether each vote is in one of the languages."""
    if votes.category is None:
        raise SettingsError("the votes do not record a language or category; leave out --languages")
    known = {name.removeprefix("language=").casefold(): name for names in votes.categories for name in names}
    for language in languages:
        if language.casefold() not in known:
            there = sorted(name.removeprefix("language=") for name in known.values())
            raise SettingsError(f"no votes in a language {language!r}; there are {_names(there)}")
    wanted = {known[language.casefold()] for language in languages}
    is_wanted = np.array([not wanted.isdisjoint(names) for names in votes.categories], dtype=bool)
    return np.asarray(is_wanted[votes.category])


def _few(votes: Votes, least: int) -> NDArray[np.bool_]:
    """Return (K,) who has votes, but fewer than `least`."""
    number = np.bincount(votes.a, minlength=len(votes.models)) + np.bincount(votes.b, minlength=len(votes.models))
    return (number > 0) & (number < least)


def _less(
    votes: Votes, place: NDArray[np.int64], reason: str, leaves: NDArray[np.bool_]
) -> tuple[Votes, NDArray[np.int64]]:
    """Return the votes without some, which are counted under the reason, and the places of the others."""
    if not leaves.any():
        return votes, place
    left_out = dict(Counter(votes.left_out) + Counter({reason: int(leaves.sum())}))
    kept = keep(votes, ~leaves)
    simulated = 0 if kept.is_simulated is None else int(kept.is_simulated.sum())
    return replace(kept, left_out=left_out, simulated=simulated), place[~leaves]


def _only(votes: Votes, which: Which) -> Votes:
    """Return the votes over those models alone that were not left out by name or for having too few."""
    met = np.zeros(len(votes.models), dtype=bool)
    met[votes.a] = met[votes.b] = True
    stays = met if which.min_votes else np.array([name not in which.without for name in votes.models], dtype=bool)
    to = np.cumsum(stays) - 1
    models = tuple(name for name, is_kept in zip(votes.models, stays, strict=True) if is_kept)
    return replace(votes, models=models, a=to[votes.a], b=to[votes.b])


def _require(name: str, models: tuple[str, ...], what: str) -> None:
    if name not in models:
        raise SettingsError(f"no {what} {name!r}; there are {_names(models)}")


def _names(names: "tuple[str, ...] | list[str]") -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(repr, names[:SHOWN])) + more


def _listed(left_out: dict[str, int]) -> str:
    return ", ".join(f"{reason}: {n:,}" for reason, n in left_out.items())


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g}"
