"""A board's settings in words, as they stand on the page and in leaderboard.json.

Two snapshots are compared by them (analysis/changes.py). So they hold what was chosen, with the kind of interval that
the votes allowed, and nothing else that changes with the votes, and what was written once stays as it is.
"""

from ratings.board.settings import Settings
from ratings.scale import CENTRE, POINTS_PER_TENFOLD

Words = dict[str, str | float]

TIES = {"half": "half a win each", "drop": "dropped", "davidson": "Davidson's tie parameter"}

NO_INTERVAL = "none: online Elo depends on the order of the votes and has no interval"


def describe(method: str, settings: Settings, *, is_weighted: bool, held_equal: tuple[str, ...]) -> Words:
    """Return every choice that moved a number on a board, by name."""
    words = _of_elo(settings) if method == "elo" else _of_fit(settings, is_weighted)
    words |= {"centre": CENTRE, "points for odds of ten to one": POINTS_PER_TENFOLD}
    if settings.anchor:
        name, points = settings.anchor
        words["anchor"] = f"{name} reads {points:g}; all numbers move alike and no interval widens"
    words |= settings.which.words()
    if held_equal:
        words["held equal"] = ", ".join(held_equal)
    return words


def _of_fit(settings: Settings, is_weighted: bool) -> Words:
    by = "" if settings.cluster == "none" else f" by {settings.cluster}"
    interval = {
        "auto": f"clustered{by}, every vote alike, each model on its own",
        "sandwich": "sandwich, each model on its own",
        "clustered": f"clustered by {settings.cluster}, each model on its own",
        "bootstrap": "Poisson bootstrap, each model on its own",
        "sequence": f"confidence sequence{by and ' clustered'}{by}, each model on its own; may be looked at any time",
    }[settings.interval]
    words: Words = {
        "ties": TIES[settings.ties],
        "both_bad": settings.both_bad,
        "confidence": settings.confidence,
        "interval": interval,
        "rank": "1 + models surely better; the rank intervals of all models hold at once",
    }
    if settings.prior:
        words["prior"] = f"normal around the mean, standard deviation {settings.prior.sd_points:g} Elo points"
    if is_weighted:
        words["weights"] = "each vote by 1 / (chance of its pair when it was drawn)"
    return words


def _of_elo(settings: Settings) -> Words:
    return {
        "ties": TIES["half"],
        "both_bad": settings.both_bad,
        "k": settings.k,
        "interval": NO_INTERVAL,
        "rank": "position by rating, as there is no interval",
    }
