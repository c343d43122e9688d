"""Groups of models that cannot be compared: each has a board of its own, the one with most votes first.

A chain of votes is needed to compare two models, and for a rating one that leads back (Ford's condition,
fit/existence.py). So the votes fall into groups, and a model that can be rated in none, because it never
lost, say, stands with the group whose models it met most often.

Online Elo gives a number to whoever has a vote. There a group is what any chain of votes joins.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.board.settings import Settings
from ratings.fit.components import component_counts, counts_among
from ratings.fit.data import gather
from ratings.fit.existence import components, reachable
from ratings.votes.counts import Counts
from ratings.votes.votes import Votes, keep


class Group(NamedTuple):
    """Models that stand on one board."""

    models: tuple[str, ...]
    rated: tuple[str, ...]
    """Those of them that can be compared."""
    counts: Counts
    """The votes among them."""


def groups_of(counts: Counts, settings: Settings, method: str) -> tuple[Group, ...]:
    """Return the groups of two models or more, most votes first; the first one's fit rates all counts.

    A prior joins all models; then there is one group, or none without a vote.
    """
    if (settings.prior and method != "elo") or _is_one(_wins_or_ties(counts, settings, method)):
        return (Group(counts.models, counts.models, counts),)
    if method == "elo":
        members = met(counts)
    else:
        parts = component_counts(counts, ties=settings.ties, both_bad=settings.both_bad)
        members = [part.members for part in parts]
    if not members:
        return ()
    home = _homes(counts, members)
    return tuple(_group(counts, np.flatnonzero(home == place), rated) for place, rated in enumerate(members))


def met(counts: Counts) -> list[NDArray[np.int64]]:
    """Return the sets of models that any chain of votes joins, most votes first, models without a vote left out."""
    votes = _battles(counts)
    return components(votes, reachable(votes), votes)


def votes_among(votes: Votes, models: tuple[str, ...]) -> Votes:
    """Return the votes whose models are both among these, which are sorted."""
    members = np.array([votes.models.index(model) for model in models], dtype=np.int64)
    place = np.full(len(votes.models), -1, dtype=np.int64)
    place[members] = np.arange(len(members))
    inside = keep(votes, is_among(votes, models))
    return replace(
        inside,
        models=models,
        a=place[inside.a],
        b=place[inside.b],
        read=inside.used,
        left_out={},
        simulated=0 if inside.is_simulated is None else int(inside.is_simulated.sum()),
    )


def is_among(votes: Votes, models: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return (n,) whether both models of a vote are among these."""
    among = set(models)
    inside = np.array([model in among for model in votes.models])
    return np.asarray(inside[votes.a] & inside[votes.b])


def how_grouped(counts: Counts, settings: Settings, method: str) -> str:
    """Return a sentence where the settings group the models otherwise than ties of half a win each would, or ""."""
    apart = len(met(counts))
    if settings.prior and method != "elo":
        if apart < 2:
            return ""
        return f"the prior joins {apart} groups of models that never met: how they compare rests on the prior alone"
    if method == "elo" or (settings.ties != "drop" and settings.both_bad == "tie"):
        return ""
    plain = [group.rated for group in groups_of(counts, Settings(), method)]
    chosen = [group.rated for group in groups_of(counts, settings, method)]
    if plain == chosen:
        return ""
    how = [*(["ties dropped"] if settings.ties == "drop" else [])]
    how += [] if settings.both_bad == "tie" else [f"both bad: {settings.both_bad}"]
    return (
        f"{' and '.join(how)}: this changes who can be compared, {_in_words(chosen)} here and "
        f"{_in_words(plain)} with every tie as half a win each"
    )


def _in_words(groups: list[tuple[str, ...]]) -> str:
    if not groups:
        return "nobody"
    sizes = " and ".join(str(len(group)) for group in groups[:5]) + (" and more" if len(groups) > 5 else "")
    return f"{sizes} models" if len(groups) == 1 else f"{len(groups)} groups of {sizes} models"


def _homes(counts: Counts, members: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return (K,) the group of each model: its own, or that which it met most often, or the first."""
    votes = _battles(counts)
    with_each = np.stack([votes[:, rated].sum(axis=1) for rated in members], axis=1)
    home = np.asarray(with_each.argmax(axis=1), dtype=np.int64)
    for place, rated in enumerate(members):
        home[rated] = place
    return home


def _group(counts: Counts, models: NDArray[np.int64], rated: NDArray[np.int64]) -> Group:
    names = tuple(counts.models[k] for k in models)
    return Group(names, tuple(counts.models[k] for k in rated), counts_among(counts, models))


def _wins_or_ties(counts: Counts, settings: Settings, method: str) -> NDArray[np.bool_]:
    """Return (K, K) whether the row's model is joined to the column's, as the method sees it."""
    if method == "elo":
        return _battles(counts) > 0
    return gather(counts, ties=settings.ties, both_bad=settings.both_bad).beats > 0


def _is_one(joined: NDArray[np.bool_]) -> bool:
    """Return whether chains lead from the first model to all others and back; far quicker than `reachable`."""
    for ways in (joined, joined.T):
        reached = np.zeros(len(ways), dtype=bool)
        fresh = np.arange(min(len(ways), 1))
        while len(fresh):
            reached[fresh] = True
            fresh = np.flatnonzero(ways[fresh].any(axis=0) & ~reached)
        if not reached.all():
            return False
    return True


def _battles(counts: Counts) -> NDArray[np.float64]:
    """Return (K, K) votes of each pair, either way round."""
    size = len(counts.models)
    cells = counts.pairs[:, 0].astype(np.int64) * size + counts.pairs[:, 1]
    votes = np.bincount(cells, counts.outcomes.sum(axis=1), size * size).reshape(size, size)
    return np.asarray(votes + votes.T)
