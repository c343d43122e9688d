"""How a ledger's votes are spread over its visitors, and when its votes are read for it."""

from pathlib import Path

import pytest

from ratings.ledger.voters import read_ledger_voters
from ratings.report.request import Request
from ratings.report.sources import read_ledger_source
from ratings.votes.clusters import ClusterSizes
from tests.ratings.helpers.ledgers import loosen, new_ledger, store_battle


def ledger_of(path: Path, visitors: list[str | None]) -> Path:
    """Return a ledger with one vote for each of these visitors."""
    with new_ledger(path) as ledger:
        if None in visitors:
            loosen(ledger)
        for i, visitor in enumerate(visitors):
            vote = (f"b{i}", "2030-01-01", visitor, "ab"[i % 2], "ba"[i % 2], "model_a", 0.5, "human", "")
            store_battle(ledger, vote, ("prompt", "left", "right")) if visitor else ledger.execute(
                "INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", vote
            )
    return path


def test_single_visitor_is_told_without_counting(tmp_path: Path) -> None:
    assert read_ledger_voters(ledger_of(tmp_path / "one.db", ["v"] * 30)) == ClusterSizes(1, 1.0, 1.0)


def test_spread_is_that_of_the_votes(tmp_path: Path) -> None:
    path = ledger_of(tmp_path / "many.db", ["zeal"] * 20 + [f"v{i}" for i in range(20)])
    assert read_ledger_voters(path) == ClusterSizes(21, pytest.approx(40**2 / 420), 0.5)  # type: ignore[arg-type]


def test_vote_without_a_visitor_stands_for_itself(tmp_path: Path) -> None:
    path = ledger_of(tmp_path / "some.db", ["v", "v", None, None])
    assert read_ledger_voters(path) == ClusterSizes(3, pytest.approx(16 / 6), 0.5)  # type: ignore[arg-type]
    assert read_ledger_voters(ledger_of(tmp_path / "none.db", [None, None])) is None


def test_votes_are_read_only_where_enough_visitors_cast_them(tmp_path: Path) -> None:
    few = read_ledger_source(ledger_of(tmp_path / "few.db", [f"v{i % 9}" for i in range(90)]), Request().needs)
    assert (few.votes, few.voters) == (None, ClusterSizes(9, pytest.approx(9), pytest.approx(1 / 9)))  # type: ignore[arg-type]
    many = read_ledger_source(ledger_of(tmp_path / "many.db", [f"v{i % 12}" for i in range(60)]), Request().needs)
    assert many.votes is not None
    assert many.votes.voter is not None
    assert len(set(many.votes.voter.tolist())) == 12
