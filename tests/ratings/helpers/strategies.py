"""Invented votes for property tests, and every way to fit them."""

from hypothesis import settings
from hypothesis import strategies as st

from ratings.fit.prior import Prior
from ratings.fit.protocol import Fit
from ratings.fit.ties import TREATMENTS, fit_with
from ratings.outcomes import OUTCOMES, BothBad, Ties
from ratings.votes.collect import collect
from ratings.votes.counts import Counts
from ratings.votes.votes import Record

RESULT = st.sampled_from(OUTCOMES)
VOTES = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), RESULT).filter(lambda vote: vote[0] != vote[1]),
    min_size=1,
    max_size=60,
).map(lambda votes: collect(Record("abcde"[a], "abcde"[b], outcome) for a, b, outcome in votes))

WAYS = st.tuples(
    st.sampled_from(TREATMENTS),
    st.sampled_from(["tie", "drop", "loss-to-the-field"]),
    st.sampled_from([None, Prior(250)]),
)
FEW = settings(max_examples=40)
Way = tuple[Ties, BothBad, Prior | None]


def rated(counts: Counts, way: Way) -> Fit:
    """Return the fit with this treatment of ties, of both-bad votes, and this prior."""
    ties, both_bad, prior = way
    return fit_with(counts, ties, both_bad=both_bad, prior=prior)
