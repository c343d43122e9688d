"""Who leads and how sure that is, in one sentence; the first thing on the page.

The rank intervals hold all at once, so whoever may have rank 1 may be the best, and nobody else. One
such model leads; several share the first place for now.
"""

from collections import Counter
from math import isfinite

from ratings.analysis.fragility import Fragility
from ratings.board.columns import BoardRow, ranks
from ratings.board.leaderboard import Leaderboard
from ratings.fit.existence import RATED
from ratings.intervals.differences import Differences
from ratings.report.html.elements import listing, number, percent, plural
from ratings.report.html.plots import IN_WORDS
from ratings.report.report import Report
from ratings.scale import POINTS_PER_NAT
from ratings.wording import small_share


def headline(board: Leaderboard) -> str:
    """Return the sentence, as plain text: a name leads, names share the first place, or nobody is rated."""
    rated = [row for row in board.rows if row.rating is not None]
    if not rated:
        return "Nobody is rated yet"
    first = [row.model for row in rated if row.rank_lower == 1]
    where = f" in group 1 of {len(board.every)}" if board.groups else ""
    if len(first) == 1:
        return f"{first[0]} leads{where}"
    if first:
        return f"Too close to call{where}: {listing(first)} share the first place"
    return f"{rated[0].model} is ahead{where}, how surely is not known"


def how_sure(report: Report) -> str:
    """Return the sentence below it: by how much, against whom, and how little would change it."""
    board = report.board
    rated = [row for row in board.rows if row.rating is not None]
    if not rated:
        return _why_nobody(board)
    if len(rated) == 1:
        return f"It stands at {rated[0].rating:.0f} points, and no other model is rated."
    sentences = [_lead(rated, report.differences, board.settings.confidence)]
    if rated[0].rank_lower is None:
        why = str(board.words()["interval"])
        sentences.append(f"{why[0].upper()}{why[1:]}")
    else:
        level = percent(board.settings.confidence)
        sentences.append(f"The ranks of all models hold at once with {level} confidence")
    if board.groups:
        sentences.append(f"The models fall into {len(board.every)} groups that cannot be compared, each with its board")
    if report.fragility:
        sentences.append(fragility_sentence(report.fragility))
    return " ".join(f"{sentence.rstrip('.')}." for sentence in sentences if sentence)


def fragility_sentence(found: Fragility) -> str:
    """Return how few votes hold up the first place, as plain text."""
    if found.needed is None:
        return (
            f"No choice of votes to leave out is known that would put {found.challenger} "
            f"or another model in the place of {found.first}"
        )
    return (
        f"Leaving out {number(found.needed)} of the {plural(found.votes, 'vote')} ({small_share(found.share)}), chosen "
        f"against it, would put {found.challenger} in the place of {found.first}"
    )


def _lead(rated: list[BoardRow], found: Differences | None, confidence: float) -> str:
    first, second = rated[0], rated[1]
    assert first.rating is not None
    assert second.rating is not None
    by = first.rating - second.rating
    if round(by) == 0:
        return f"{_named(first)} and {_named(second)} both stand at {first.rating:.0f} points"
    return f"{_named(first)} is {by:.0f} points{_within(found, confidence)} above {_named(second)}"


def _within(found: Differences | None, confidence: float) -> str:
    """Return the joint interval of the first lead, such as " (12 to 72 with 95% confidence for all pairs at once)"."""
    if found is None:
        return ""
    bounds = [POINTS_PER_NAT * float(bound[0, 1]) for bound in (found.joint_lower, found.joint_upper)]
    if not all(map(isfinite, bounds)):
        return ""
    low, high = (f"{bound:.0f}".replace("-", "−") for bound in bounds)
    return f" ({low} to {high} with {percent(confidence)} confidence for all pairs at once)"


def _named(row: BoardRow) -> str:
    """Return the model with its ranks, "rlhf (rank 1 to 2)", where it has an interval of them."""
    if row.rank_lower is None or row.rank_upper is None:
        return row.model
    return f"{row.model} (rank {ranks(row, IN_WORDS)})"


def _why_nobody(board: Leaderboard) -> str:
    reasons = Counter(row.status for row in board.rows if row.status != RATED)
    if not reasons:
        return "There is no model with a vote."
    text = "; ".join(f"{reason} ({plural(n, 'model')})" for reason, n in reasons.most_common(3))
    return f"{text[0].upper()}{text[1:]}."
