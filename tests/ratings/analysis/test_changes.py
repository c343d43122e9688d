"""Moves between two boards, and which of them are more than noise."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from ratings.analysis.changes import Move, compare_boards
from ratings.board.leaderboard import Settings, build
from ratings.votes.counts import Counts

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
PAIRS = np.array([[i, j] for i in range(4) for j in range(4) if i < j])
STRENGTHS = np.array([0.6, 0.2, -0.2, -0.6])


def draw(rng: np.random.Generator, votes: int) -> np.ndarray:
    """Return (6, 4) outcomes of so many votes a pair, half-win-like ties among them."""
    p = 1 / (1 + np.exp(STRENGTHS[PAIRS[:, 1]] - STRENGTHS[PAIRS[:, 0]]))
    tie = 0.4 * 2 * p * (1 - p)
    chances = np.stack([p - tie / 2, 1 - p - tie / 2, tie, 0 * p], axis=1)
    return np.array([rng.multinomial(votes, chance) for chance in chances]).astype(float)


def board_of(outcomes: np.ndarray, models: str = "abcd", confidence: float = 0.95) -> dict[str, Any]:
    counts = Counts(tuple(models), PAIRS[: len(outcomes)], outcomes, round(outcomes.sum()))
    return build(counts, "bradley-terry", Settings(confidence=confidence), now=NOW).to_json_dict()


def moves_of(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Move]:
    return {move.model: move for move in compare_boards(old, new).moves}


def test_noise_is_called_a_move_no_more_often_than_the_level_says() -> None:
    """The margin of one model alone is z sd(new - old), and the spread of the moves over many boards is that sd."""
    rng = np.random.default_rng(0)
    called, scaled = [], []
    for _ in range(300):
        first = draw(rng, 150)
        moves = moves_of(board_of(first), board_of(first + draw(rng, 100))).values()
        called.append(any(move.is_more_than_noise for move in moves))
        scaled.extend(move.moved / move.margin for move in moves if move.moved is not None and move.margin)
    # Bonferroni over four models: each margin is 2.498 standard errors wide.
    assert np.std(scaled) == pytest.approx(1 / 2.498, rel=0.08)
    assert np.mean(called) == pytest.approx(0.05, abs=0.03)


def test_model_that_changed_is_more_than_noise() -> None:
    rng = np.random.default_rng(1)
    old = draw(rng, 300)
    late = draw(rng, 300)
    late[2] = [60, 240, 0, 0]  # d beats a now
    comparison = compare_boards(board_of(old), board_of(old + late))
    moves = {move.model: move for move in comparison.moves}
    assert comparison.is_nested
    assert comparison.caveats == ()
    assert comparison.new_votes == 1_800
    assert (moves["d"].is_more_than_noise, moves["a"].is_more_than_noise) == (True, True)
    assert moves["d"].moved is not None
    assert moves["d"].moved > 0
    assert comparison.moves[0].model in "ad"
    sizes = [abs(move.moved) for move in comparison.moves if move.moved is not None]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(move.moved or 0 for move in comparison.moves) == pytest.approx(0, abs=1e-9)
    assert (moves["d"].old_rank, moves["d"].new_rank) == (4, 3)


def test_same_board_has_no_move_and_no_margin() -> None:
    board = board_of(draw(np.random.default_rng(2), 50))
    for move in compare_boards(board, board).moves:
        assert (move.moved, move.margin, move.is_more_than_noise) == (0.0, None, None)


def test_margin_never_falls_below_what_the_new_votes_are_worth() -> None:
    """A sandwich variance that happens to grow with more votes must not make every move count."""
    old = board_of(draw(np.random.default_rng(3), 100))
    new = json.loads(json.dumps(old))
    for row in new["rows"]:
        for tally in ("votes", "wins", "losses"):
            row[tally] *= 2
        row["lower"] -= 1
        row["upper"] += 1
    for row, move in zip(
        old["rows"], sorted(compare_boards(old, new).moves, key=lambda m: -(m.old_rating or 0)), strict=True
    ):
        sd = (row["upper"] - row["lower"]) / 2 / 1.959964
        assert move.margin == pytest.approx(2.497705 * sd * np.sqrt(0.5), rel=1e-6)
        assert move.is_more_than_noise is False


def test_boards_that_are_not_nested_get_the_widest_margin_and_a_caveat() -> None:
    rng = np.random.default_rng(4)
    old, new = board_of(draw(rng, 100)), board_of(draw(rng, 100), confidence=0.9)
    comparison = compare_boards(old, new)
    assert not comparison.is_nested
    assert comparison.confidence == 0.9
    assert any("settings changed: confidence" in told for told in comparison.caveats)
    assert any("does not hold" in told for told in comparison.caveats)
    rows = {row["model"]: row for row in old["rows"]}, {row["model"]: row for row in new["rows"]}
    for move in comparison.moves:
        widths = [rows[k][move.model]["upper"] - rows[k][move.model]["lower"] for k in (0, 1)]
        sds = widths[0] / 2 / 1.959964 + widths[1] / 2 / 1.644854
        assert move.margin == pytest.approx(2.241403 * sds, rel=1e-5)


def test_newcomer_does_not_move_the_others() -> None:
    """The mean of all models rises with a strong newcomer; moves are from the mean of those on both boards."""
    old = board_of(np.array([[30.0, 20, 0, 0]]), "ab")
    counts = Counts(
        tuple("abz"),
        np.array([[0, 1], [0, 2], [1, 2]]),
        np.array([[30.0, 20, 0, 0], [1, 90, 0, 0], [1, 90, 0, 0]]),
        232,
    )
    new = build(counts, "bradley-terry", now=NOW).to_json_dict()
    comparison = compare_boards(old, new)
    moves = {move.model: move for move in comparison.moves}
    assert new["rows"][0]["model"] == "z"
    assert abs(moves["a"].moved or 9) < 15
    assert (moves["z"].status, moves["z"].moved, moves["z"].new_rank) == ("new", None, 1)
    assert any("not the same models" in told for told in comparison.caveats)
    back = {move.model: move.status for move in compare_boards(new, old).moves}
    assert back == {"a": "stayed", "b": "stayed", "z": "gone"}


def test_model_that_gains_or_loses_its_rating_says_so() -> None:
    one_sided = Counts(tuple("abz"), np.array([[0, 1], [0, 2]]), np.array([[30.0, 20, 0, 0], [9, 0, 0, 0]]), 59)
    both = Counts(tuple("abz"), np.array([[0, 1], [0, 2]]), np.array([[30.0, 20, 0, 0], [9, 3, 0, 0]]), 62)
    old, new = (build(counts, "bradley-terry", now=NOW).to_json_dict() for counts in (one_sided, both))
    assert moves_of(old, new)["z"].status == "gained a rating"
    lost = moves_of(new, old)["z"]
    assert (lost.status, lost.moved, lost.is_more_than_noise) == ("lost its rating", None, None)


def test_snapshot_of_an_earlier_version_is_compared_without_a_caveat() -> None:
    """The words of the settings are those that leaderboard.json has always had."""
    board = board_of(draw(np.random.default_rng(2), 60))
    earlier = {
        "ties": "half a win each",
        "both_bad": "tie",
        "confidence": 0.95,
        "interval": "sandwich, each model on its own",
        "rank": "1 + models surely better; the rank intervals of all models hold at once",
        "centre": 1000.0,
        "points for odds of ten to one": 400.0,
    }
    assert compare_boards({**board, "settings": earlier}, board).caveats == ()
    other = compare_boards({**board, "settings": earlier | {"ties": "dropped"}}, board)
    assert other.caveats == ("settings changed: ties; moves mix votes with the settings",)
