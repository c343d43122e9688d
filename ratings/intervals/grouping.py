"""Which votes belong together, and the words for it.

Where votes say who cast them, those of one voter are grouped, as tastes make them lean the same way (clustered.py).
Grouping needs voters: from FEWEST effective ones on it is done without being asked for. Otherwise every vote is
taken as independent, and a note says why.

The votes of one program are the exception: nothing is known of how it judges, and a program that draws its
noise anew for each vote casts independent votes. So where all votes are simulated and by fewer programs than could be
grouped by, they count as independent.
"""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from common.words import plural
from ratings.choices import Cluster
from ratings.errors import VotesError
from ratings.votes.clusters import FEWEST, ClusterSizes, sizes_of
from ratings.votes.votes import Votes

LARGE_SHARE = 0.1
"""The share of the votes from which on one voter is worth a remark."""

_UNSAID = {"voter": "who cast them", "prompt": "which prompt they are about"}


@dataclass(frozen=True)
class Grouping:
    """Which votes are taken together."""

    cluster: Cluster
    """What they are grouped by; "none" where every vote is taken as independent."""
    codes: NDArray[Any] | None
    """(n,) a code from 0 for each vote, where they are grouped."""
    sizes: ClusterSizes | None
    """None where the votes do not say."""
    words: str
    """What was done and why, such as "votes grouped by 40 voters"."""
    shortage: str = ""
    """What is wanting where the votes say who cast them, but too few did to tell how their votes belong together."""

    @property
    def is_too_few(self) -> bool:
        """Return whether there are too few clusters to group by."""
        return bool(self.shortage)


def group(
    votes: Votes | None, cluster: Cluster, *, sizes: ClusterSizes | None = None, are_simulated: bool = False
) -> Grouping:
    """Return how the votes are grouped by `cluster`, or why each is taken as independent.

    `sizes` is what is known of the voters where the votes themselves were not read; `are_simulated` says that
    programs cast them all.
    """
    if cluster == "none":
        return Grouping("none", None, None, "every vote taken as independent, as asked for")
    codes = _codes(votes, cluster)
    if codes is not None and len(codes):
        sizes = sizes_of(codes)
    if sizes is None:
        return Grouping("none", None, None, f"every vote taken as independent: the votes do not say {_UNSAID[cluster]}")
    who = plural(sizes.number, cluster, commas=True)
    if sizes.is_enough and codes is not None:
        return Grouping(cluster, codes, sizes, f"votes grouped by {who}")
    if are_simulated and cluster == "voter":
        words = f"every vote taken as independent: {'a program' if sizes.number == 1 else who} cast them"
        return Grouping("none", None, sizes, words)
    return too_few(who, sizes)


def too_few(who: str, sizes: ClusterSizes | None) -> Grouping:
    """Return that nothing is grouped, as there are only these, such as "9 voters"."""
    is_uneven = sizes is not None and sizes.effective < sizes.number - 0.5
    worth = f", worth {sizes.effective:.0f} of equal weight," if sizes and is_uneven else ""
    verb = "is" if who.startswith("1 ") and not worth else "are"
    shortage = f"{who}{worth} {verb} too few to group by; it takes {FEWEST}"
    return Grouping("none", None, sizes, f"every vote taken as independent: {shortage}", shortage)


def codes_of(votes: Votes, cluster: Cluster) -> NDArray[Any]:
    """Return the (n,) codes to group by; raise VotesError where the votes do not record them."""
    codes = _codes(votes, cluster)
    if codes is None:
        raise VotesError(
            f"these votes do not record {_UNSAID[cluster]}, so they cannot be clustered; choose another interval"
        )
    return codes


def remark_on_largest(sizes: ClusterSizes | None, cluster: Cluster) -> str:
    """Return a sentence where one of several voters cast a large share of the votes, else nothing."""
    if sizes is None or cluster == "prompt" or sizes.number < 2 or sizes.largest < LARGE_SHARE:
        return ""
    return f"one voter cast {100 * sizes.largest:.0f}% of the votes"


def _codes(votes: Votes | None, cluster: Cluster) -> NDArray[Any] | None:
    if votes is None or cluster == "none":
        return None
    return votes.voter if cluster == "voter" else votes.prompt
