"""The coverage study at a size that fits a test: its worlds, its memory and its table."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import coverage
from benchmarks.coverage import CELLS, PAIRS, Cell, Result, main, outcome_chances, run_cell, table, truth
from benchmarks.tastes import HEADING, TASTE_CELLS, TasteCell, TasteResult, draw, run_taste_cell, taste_section
from ratings.scale import POINTS_PER_NAT

SMALL = (
    Cell("sandwich", "half-win", 2_000),
    Cell("clustered", "voters", 2_000),
    Cell("joint ranks", "equals", 2_000),
    Cell("sandwich", "davidson", 50_000, is_target=False),
)


def test_half_a_win_for_a_tie_is_the_expected_score_in_the_half_win_world() -> None:
    ahead = np.linspace(-4, 4, 9)
    won, lost, tied = outcome_chances("half-win", ahead).T
    assert won + tied / 2 == pytest.approx(1 / (1 + np.exp(-ahead)))
    assert won + lost + tied == pytest.approx(np.ones(9))
    assert (outcome_chances("half-win", ahead) > 0).all()


def test_decisions_follow_bradley_terry_in_davidsons_world() -> None:
    won, lost, tied = outcome_chances("davidson", np.array([1.5])).T
    assert np.log(won / lost) == pytest.approx([1.5])
    assert tied**2 / (won * lost) == pytest.approx([coverage.NU**2])


def test_voters_with_tastes_shrink_the_strengths_they_agree_on() -> None:
    shrunk = truth("voters") / truth("half-win")
    assert (shrunk > 0.7).all()
    assert (shrunk < 0.95).all()


def test_last_models_are_the_rarest() -> None:
    shown = np.bincount(PAIRS.ravel(), np.repeat(coverage.pair_chances(), 2))
    assert (np.diff(shown) < 0).all()


@pytest.mark.parametrize(("cell", "low", "high"), [(SMALL[0], 0.92, 0.975), (SMALL[1], 0.91, 0.98), (SMALL[3], 0, 0.6)])
def test_coverage_is_near_its_level_where_the_method_belongs_and_far_where_not(
    cell: Cell, low: float, high: float
) -> None:
    assert low <= run_cell(cell, 40, 1).average <= high


def test_method_with_a_narrow_interval_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "covariance", lambda fit: np.eye(20) * (10 / POINTS_PER_NAT) ** 2)
    assert run_cell(SMALL[0], 20, 1).average < 0.7


def test_finished_cells_are_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "CELLS", SMALL[:1] + SMALL[2:3])
    monkeypatch.setattr(coverage, "TASTE_CELLS", ())
    out, memory = tmp_path / "docs" / "coverage.md", tmp_path / "cells.jsonl"
    arguments = ["--repetitions", "3", "--out", str(out), "--resume", str(memory)]
    assert main(arguments) == 0
    first = memory.read_text()
    assert [json.loads(line)["cell"]["method"] for line in first.splitlines()] == ["sandwich", "joint ranks"]
    memory.write_text(first.splitlines()[0] + "\n" + first.splitlines()[1][:40])  # killed while writing
    assert main(arguments) == 0
    assert out.read_text().count("| half-win | 2,000 |") == 1
    monkeypatch.setattr(coverage, "run_cell", None)
    monkeypatch.setattr(coverage, "TASTE_CELLS", (TasteCell("board", 0.5, 30),))
    assert main([*arguments, "--only", "tastes"]) == 0
    page = out.read_text()
    assert page.count("| half-win | 2,000 |") == page.count(HEADING) == page.count("| board | 0.5 | 30 |") == 1
    assert main([*arguments, "--only", "tastes"]) == 0
    assert out.read_text() == page
    monkeypatch.setattr(coverage, "TASTE_CELLS", ())
    again = memory.read_text()
    assert again.startswith(first.splitlines()[0])
    monkeypatch.setattr(coverage, "run_cell", None)  # nothing is left to run
    assert main(arguments) == 0


def test_table_says_that_votes_are_simulated_and_which_goals_are_missed() -> None:
    from datetime import UTC, datetime

    results = {cell: Result(0.951, 0.94, 0, 20.0) for cell in CELLS}
    results[CELLS[0]] = Result(0.951, 0.92, 3, 20.0)
    clustered = next(cell for cell in CELLS if cell.method == "clustered")
    results[clustered] = Result(0.94, 0.929, 0, 20.0)
    text = table(results, 1000, 20, datetime(2030, 1, 2, tzinfo=UTC))
    assert "All votes are simulated: 1000 repetitions" in text
    assert "2030-01-02" in text
    assert "| sandwich | half-win | 2,000 | 0.951 | 0.920 | 20.0 | 3 | 0.94 to 0.96, rarest 0.93 | missed |" in text
    assert text.count("missed |") == 2
    assert text.count("\n| ") == len(CELLS) + 2


def test_orders_of_voters_are_blocks_and_turns() -> None:
    rng = np.random.default_rng(1)
    blocks, turns = (draw(TasteCell("board", 1.0, 30, order), 2, rng).voter for order in ("in blocks", "in turns"))
    assert blocks is not None
    assert turns is not None
    assert (np.bincount(blocks) == 30).all()
    assert (np.bincount(turns) == 30).all()
    assert (np.diff(blocks) >= 0).all()
    assert (turns[:100] == np.arange(100)).all()


@pytest.mark.parametrize(("method", "low"), [("board", 0.9), ("sequence", 0.8), ("compare", 0.7)])
def test_grouping_by_voter_holds_where_independence_does_not(method: str, low: float) -> None:
    few = {"compare": 6}.get(method, 10)
    by_voter, alone = (
        run_taste_cell(TasteCell(method, 1.0, 30, cluster=cluster), few, 2)  # type: ignore[arg-type]
        for cluster in ("voter", "none")
    )
    assert by_voter.right >= low
    assert alone.right < by_voter.right


def test_section_tells_met_from_missed() -> None:
    results = {cell: TasteResult(0.94, 300, 20.0) for cell in TASTE_CELLS}
    text = "\n".join(taste_section(results))
    assert "| board | 0 | 1 |  | voter | 0.940 | 20.0 | 300 | at least 0.93 | met |" in text
    assert "| compare | 1 | 30 | in turns | voter | 0.940 | 20.0 | 300 | at least 0.95 | missed |" in text
    assert "| compare | 1 | 30 | in blocks | nothing | 0.940 | 20.0 | 300 |  |  |" in text
