"""Counts of a ledger: those it keeps itself, or one GROUP BY over its votes."""

import sqlite3
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ratings.errors import VotesError
from ratings.ledger.access import (
    BITS,
    CATEGORY_SQL,
    CODE_SQL,
    MISSING,
    OUTCOME,
    SIMULATED,
    VOTE_COLUMNS,
    Read,
    check_codes,
    columns_of,
    fetch,
    is_simulated,
    number_or_nan,
)
from ratings.ledger.kept_counts import MEND, disagreement
from ratings.outcomes import OUTCOMES
from ratings.votes.collect import keys_of, numbering
from ratings.votes.counts import Groups

_COUNT_COLUMNS = ("category", "model_a", "model_b", "source", *(outcome.column for outcome in OUTCOMES))
_WEIGHT_SQL = (
    ", sum(1.0 / probability), sum(1.0 / (probability * probability))"
    ", min(coalesce(probability, 0)), max(coalesce(probability, 0))"
)


def read_groups(
    path: Path, ledger: sqlite3.Connection, *, after: int | None = None, weights: bool = False, kept: bool = True
) -> Groups:
    """Return the groups of all votes, or of those with a rowid over `after`; see `read_ledger`.

    The ledger's own counts are taken where it has them and they agree with its votes, as far as a cheap check can see
    (kept_counts.py); otherwise, and without `kept`, the votes themselves are counted.
    """
    notes: tuple[str, ...] = ()
    if kept and after is None and not weights and columns_of(ledger, "vote_counts") == list(_COUNT_COLUMNS):
        problem = disagreement(ledger)
        if not problem:
            return _read_kept(ledger)
        notes = (f"the counts that {path} keeps {problem}, so its votes are counted; {MEND}",)
    has_category = "category" in columns_of(ledger, "votes")
    if weights and "probability" not in columns_of(ledger, "votes"):
        raise VotesError(f"{path}: votes lacks probability, so its votes cannot be weighted")
    # A few new votes are read by their rowid; an index would have to be read from end to end.
    rows = "" if after is None else f"NOT INDEXED WHERE rowid > {int(after)}"
    columns = ", ".join(("category", *VOTE_COLUMNS) if has_category else VOTE_COLUMNS)
    query = (
        f"SELECT {CATEGORY_SQL if has_category else 'NULL'}, model_a, model_b, {CODE_SQL} + (count(*) << {BITS})"
        f"{_WEIGHT_SQL if weights else ''} FROM votes {rows} GROUP BY {columns}"
    )
    names, categories = numbering(), numbering()
    reads: list[Read] = [categories, names, names, None, *[number_or_nan] * (4 * weights)]
    category, a, b, codes, *sums = fetch(ledger.execute(query), reads)
    check_codes(path, ledger, keys_of(names), codes)
    if weights:
        _check_probabilities(path, codes, *sums[2:])
    cells = np.arange(len(codes)), codes & OUTCOME
    votes = np.zeros((len(codes), MISSING + 1), dtype=np.int64)
    votes[cells] = codes >> BITS
    spread = []
    for part in sums[:2]:
        spread.append(np.zeros(votes.shape))
        spread[-1][cells] = part
    groups = Groups([*keys_of(names), None], keys_of(categories), category, a, b, codes & SIMULATED > 0, votes)
    weight, square = spread or (None, None)
    return groups._replace(weights=weight, squared_weights=square, notes=notes)


def _read_kept(ledger: sqlite3.Connection) -> Groups:
    """Return the counts that the ledger keeps itself."""
    names, categories, sources = numbering(), numbering(), numbering()
    reads: list[Read] = [categories, names, names, sources, *[None for _ in OUTCOMES]]
    query = f"SELECT {', '.join(_COUNT_COLUMNS)} FROM vote_counts"
    category, a, b, source, *outcomes = fetch(ledger.execute(query), reads)
    are_simulated = np.array([is_simulated(name) for name in keys_of(sources)], dtype=bool)
    votes = np.stack([*outcomes, np.zeros_like(source)], axis=1)
    return Groups([*keys_of(names), None], keys_of(categories), category, a, b, are_simulated[source], votes)


def _check_probabilities(
    path: Path, codes: NDArray[np.int64], least: NDArray[np.float64], most: NDArray[np.float64]
) -> None:
    usable = (codes & OUTCOME) < MISSING
    for value in (least[usable].min(initial=1.0), most[usable].max(initial=1.0)):
        if not 0 < value <= 1:
            raise VotesError(
                f"{path}: a vote has no probability of its pair, or one outside (0, 1] such as {value:g}; "
                "rate without weights"
            )
