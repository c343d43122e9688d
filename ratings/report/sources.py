"""What is read for what is asked: the counts alone, or the votes themselves and what stands beside them.

A ledger is aggregated where it lies, and its votes are read one by one only where something depends on
more than their counts. Intervals do where enough voters cast them to be grouped by, which is asked first. A
file is always read vote by vote.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.words import plural
from ratings.choices import Cluster
from ratings.errors import VotesError
from ratings.files.naming import Naming
from ratings.files.read import read_votes_file
from ratings.ledger.reader import (
    read_ledger,
    read_ledger_by_category,
    read_ledger_prompts,
    read_ledger_styles,
    read_ledger_votes,
)
from ratings.ledger.voters import read_ledger_voters
from ratings.votes.clusters import FEWEST, ClusterSizes
from ratings.votes.counts import ALL, Counts, count, count_by_category, weighted_counts
from ratings.votes.votes import Votes
from ratings.votes.which import Which, choose

Styles = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Needs:
    """What a report asks of its source beside the counts."""

    votes: bool = False
    """The votes in their order, with who cast them and when."""
    voters: bool = False
    """Who cast the votes, where enough did to group them by (intervals/grouping.py)."""
    weights: bool = False
    categories: bool = False
    prompts: bool = False
    """Which votes are about the same prompt."""
    styles: bool = False
    left_out: bool = False
    """A list of the rows left out."""
    times: bool = False
    """When each vote of a file was cast."""

    @property
    def details(self) -> frozenset[str]:
        """Return which details of the votes are read of a file."""
        asked = {"prompt": self.prompts, "time": self.times, "probability": self.weights, "category": self.categories}
        asked["voter"] = self.votes or self.voters
        return frozenset({"battle", *(what for what, is_asked in asked.items() if is_asked)})

    @property
    def has_votes(self) -> bool:
        """Return whether the counts are not enough."""
        return self.votes or self.prompts or self.styles or self.left_out


@dataclass(frozen=True)
class Source:
    """Votes as counts, and in more detail where that was asked for."""

    counts: Counts
    votes: Votes | None = None
    by_category: dict[str, Counts] = field(default_factory=dict)
    """The counts of each category, without those of all votes."""
    styles: Styles | None = None
    """(n, 4) counts of `markdown.FEATURES` of the replies on side A and on side B."""
    no_styles: str = ""
    """Why there are none, where they were asked for."""
    voters: ClusterSizes | None = None
    """How the votes are spread over those who cast them, where that is known and the votes were not read for it."""


def comparison_needs(cluster: Cluster) -> Needs:
    """Return what a comparison of two models asks for that groups votes by `cluster`."""
    return Needs(voters=cluster == "voter", prompts=cluster == "prompt")


def read_ledger_source(path: Path, needs: Needs) -> Source:
    """Return what is needed of the ledger at `path`; raises as `reader.read_ledger` does."""
    by_category = read_ledger_by_category(path, weights=needs.weights) if needs.categories else {}
    voters = None
    if not needs.has_votes and needs.voters:
        voters = read_ledger_voters(path)
    if not needs.has_votes and not (voters and voters.number >= FEWEST):
        counts = by_category.pop(ALL) if by_category else read_ledger(path, weights=needs.weights)
        return Source(counts, by_category=by_category, voters=voters)
    by_category.pop(ALL, None)
    more = True if needs.has_votes or needs.weights or needs.categories else ("visitor",)
    votes = read_ledger_votes(path, details=more, keep_left_out=needs.left_out)
    # Whatever is read after the votes may know some more of them, at the end.
    if needs.prompts:
        votes = replace(votes, prompt=read_ledger_prompts(path)[: votes.used])
    counts = weigh(path, votes) if needs.weights else count(votes)
    source = Source(counts, votes, by_category)
    if not needs.styles:
        return source
    try:
        left, right = read_ledger_styles(path)
    except VotesError as problem:
        return replace(source, no_styles=str(problem))
    return replace(source, styles=(left[: votes.used], right[: votes.used]))


def read_file_source(paths: Path | Sequence[Path], needs: Needs, naming: Naming | None = None) -> Source:
    """Return what is needed of one file of votes or several; raises as `read.read_votes_file` does."""
    first, *more = [paths] if isinstance(paths, Path) else paths
    votes = read_votes_file(
        first, *more, naming=naming, details=needs.details, keep_left_out=needs.left_out or needs.styles
    )
    counts = weigh(first, votes) if needs.weights else count(votes)
    by_category = count_by_category(votes) if needs.categories else {}
    by_category.pop(ALL, None)
    source = Source(counts, votes, by_category)
    if not needs.styles:
        return source
    from ratings.files.reply_styles import read_file_styles

    try:
        if more:
            raise VotesError("the replies of several files are not measured; give one")
        return replace(source, styles=read_file_styles(first, votes))
    except VotesError as problem:
        return replace(source, no_styles=str(problem))


def read_chosen(read: Callable[[Needs], Source], needs: Needs, which: Which) -> Source:
    """Return what is needed of a source, of the votes that were chosen.

    Without a choice the counts alone may do; with one the votes are read. Where people and programs voted and nothing
    was chosen, a note says that both count. Raises SettingsError where a choice matches nothing.
    """
    if not which.is_choice:
        return _with_note(read(needs), which)
    more = replace(
        needs,
        votes=True,
        times=needs.times or which.has_times,
        categories=needs.categories or bool(which.languages),
    )
    source = read(more)
    assert source.votes is not None
    votes, place = choose(source.votes, which)
    counts = weigh("the votes", votes) if needs.weights else count(votes)
    by_category = count_by_category(votes) if needs.categories else {}
    by_category.pop(ALL, None)
    styles = source.styles and (source.styles[0][place], source.styles[1][place])
    counts = replace(counts, notes=source.counts.notes)
    chosen = replace(source, counts=counts, votes=votes, by_category=by_category, styles=styles, voters=None)
    return _with_note(chosen, which)


def _with_note(source: Source, which: Which) -> Source:
    counts = source.counts
    if which.by is not None or not 0 < counts.simulated < counts.used:
        return source
    note = (
        f"{counts.simulated:,} of the {counts.used:,} votes {'is' if counts.simulated == 1 else 'are'} simulated and "
        "count as those of people do; "
        "--votes-by human or simulated leaves the others out, and --votes-by all this note"
    )
    return replace(source, counts=replace(counts, notes=(*counts.notes, note)))


def weigh(path: Path | str, votes: Votes) -> Counts:
    """Return counts with every vote weighed by 1 / (chance of its pair); raise VotesError where it is not recorded."""
    chance = votes.probability
    if chance is None:
        raise VotesError(
            f"{path}: no vote records the chance with which its pair was drawn, for which a file needs a column "
            "probability (or --columns probability=NAME); rate without weights"
        )
    unsaid = int(np.isnan(chance).sum())
    if unsaid:
        raise VotesError(
            f"{path}: {unsaid} of {plural(votes.used, 'vote')} without the chance of the pair when it was drawn, so "
            "without a weight; rate without weights, or leave them out of the file"
        )
    odd = chance[(chance <= 0) | (chance > 1)]
    if len(odd):
        raise VotesError(
            f"{path}: {plural(len(odd), 'vote')} with a chance of the pair outside (0, 1], such as {odd[0]:g}; mend "
            "them, or rate without weights"
        )
    return weighted_counts(votes, 1 / chance)
