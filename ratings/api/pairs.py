"""Two models compared, and which two should meet next."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from ratings.api.numbers import check_numbers
from ratings.api.vote_set import AnyVotes, read_votes
from ratings.choices import Cluster
from ratings.errors import SettingsError
from ratings.outcomes import BothBad

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from ratings.report.sources import Needs, Source
    from ratings.votes.counts import Counts

Answer = Literal["first", "second", "undecided", "too early"]


@dataclass(frozen=True, repr=False)
class ModelComparison:
    """What the votes say about two models, in Elo points, as `compare_models` returns it; prints as sentences."""

    first: str
    second: str
    points: float
    """The first model's rating minus the second's."""
    lower: float
    """Of an interval that may be looked at after every vote; infinite where there are too few voters for one."""
    upper: float
    answer: Answer
    """Which is better, "undecided", or "too early" for the interval to hold."""
    votes: int
    """Votes that entered the fit."""
    met: int
    """Those between the two."""
    pair_votes: float | None
    """More votes between the two until it is decided, if the estimate is true; None for never."""
    arena_votes: float | None
    """More votes of all kinds at the present rates until then; None for never."""
    grouping: str
    """Which votes were taken together, such as "votes grouped by 40 voters", or why none were."""
    text: str

    def __repr__(self) -> str:
        """Return what ``python -m ratings.compare`` prints."""
        return self.text


def compare_models(
    votes: AnyVotes,
    first: str,
    second: str,
    *,
    cluster: Cluster = "voter",
    confidence: float = 0.95,
    horizon: float = 1000.0,
    both_bad: BothBad = "tie",
    **which: Any,
) -> ModelComparison:
    """Return whether `first` is better than `second` so far; it may be asked after every vote.

    The options are those of ``python -m ratings.compare``; `which` are those of `rate` that say which votes count. The
    votes of one voter are taken together where the votes say who cast them; `cluster` may also be "prompt" or "none".
    Raises SettingsError where a model is unknown or has no rating beside the other, and NoVotesError without a vote.
    """
    from ratings.analysis.comparison import compare
    from ratings.compare import describe
    from ratings.report.sources import comparison_needs
    from ratings.scale import POINTS_PER_NAT

    for name in (first, second):
        if not isinstance(name, str):
            raise SettingsError(f"{name!r} is no name of a model; give a text")
    check_numbers(confidence=confidence, horizon=horizon)
    if cluster not in get_args(Cluster):
        raise SettingsError(f"cluster is {cluster!r}; choose one of {', '.join(get_args(Cluster))}")
    source = _chosen(votes, comparison_needs(cluster), which)
    result = compare(
        source.counts,
        first,
        second,
        votes=source.votes,
        voters=source.voters,
        cluster=cluster,
        confidence=confidence,
        horizon=horizon,
        both_bad=both_bad,
    )
    return ModelComparison(
        first=first,
        second=second,
        points=POINTS_PER_NAT * result.estimate,
        lower=POINTS_PER_NAT * result.lower,
        upper=POINTS_PER_NAT * result.upper,
        answer=result.answer,  # type: ignore[arg-type]
        votes=result.used,
        met=result.met,
        pair_votes=result.pair_votes,
        arena_votes=result.arena_votes,
        grouping=result.grouping,
        text=describe(result, confidence),
    )


def next_battles(
    votes: AnyVotes,
    *,
    newcomers: Iterable[str] = (),
    confidence: float = 0.95,
    both_bad: BothBad = "tie",
    exploration: float = 0.2,
    sharpness: float = 4.0,
) -> "pd.DataFrame":
    """Return all pairs of models with the chance to draw each next, so that few votes tell many models apart.

    The columns are model_a, model_b, votes (between the two so far) and chance, the largest first;
    ``.sample(weights="chance")`` draws a battle. `newcomers` are models without a vote. A share of `exploration`
    is drawn uniformly and the rest by what one more vote is worth, to the power of `sharpness`
    (ratings/analysis/next_battle.py). Raises SettingsError and TooFewModelsError.
    """
    import numpy as np
    import pandas as pd

    from ratings.analysis.next_battle import pair_chances

    counts = read_votes(votes).counts
    more = [newcomers] if isinstance(newcomers, str) else newcomers
    names = list(dict.fromkeys([*counts.models, *more]))
    rated, worth = _worth_of_votes(counts, confidence, both_bad)
    chances = pair_chances(worth, rated=rated, models=len(names), exploration=exploration, sharpness=sharpness)
    met = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(met, tuple(counts.pairs.T), counts.outcomes.sum(axis=1).astype(np.int64))
    first, second = np.triu_indices(len(names), 1)
    columns = {
        "model_a": [names[i] for i in first],
        "model_b": [names[i] for i in second],
        "votes": (met + met.T)[first, second],
        "chance": chances[first, second],
    }
    return pd.DataFrame(columns).sort_values("chance", ascending=False, kind="stable", ignore_index=True)


def _chosen(votes: AnyVotes, needs: "Needs", which: dict[str, Any]) -> "Source":
    from ratings.report.sources import read_chosen
    from ratings.which import NAMES, which_of

    if unknown := sorted(which.keys() - set(NAMES)):
        raise TypeError(f"compare_models() got an unexpected keyword argument {unknown[0]!r}")
    nothing = dict.fromkeys(NAMES) | {"min_votes": 0, "dedup": False}
    return read_chosen(read_votes(votes).source, needs, which_of(nothing | which))


def _worth_of_votes(
    counts: "Counts", confidence: float, both_bad: BothBad
) -> tuple["NDArray[np.int64]", "NDArray[np.float64]"]:
    """Return (R,) the places of the rated models, and (R, R) what one more vote on each pair of them is worth."""
    import numpy as np

    from ratings.analysis.next_battle import vote_worth
    from ratings.board.estimate import estimate
    from ratings.board.settings import Settings

    settings = Settings(both_bad=both_bad, confidence=confidence)
    if counts.used == 0:
        return np.zeros(0, dtype=np.int64), np.zeros((0, 0))
    found = estimate(counts, settings)
    return found.shown, vote_worth(found.strengths, found.covariance, confidence=confidence)
