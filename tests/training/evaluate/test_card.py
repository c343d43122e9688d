"""The report card of a family: complete, safe, the same twice, and in plain text too."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.__main__ import main
from training.evaluate.card import render_card
from training.evaluate.measure import evaluate
from training.evaluate.table import look_up, text_table
from training.family import find_checkpoints
from training.runs.checkpoint import CheckpointError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tiny_family: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("card") / "report.html"
    assert main(["evaluate", str(tiny_family), "--out", str(page), "--prompts", "3"]) == 0
    return page


def cards(page: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    return found


def test_the_card_has_a_column_a_stage_in_the_order_of_training(report: Path) -> None:
    assert [card["stage"] for card in cards(report)] == ["base", "sft", "rlhf", "reward"]
    for card in cards(report)[:3]:
        assert 0 < card["bits_per_byte"] < 8
        assert card["parameters"] > 0
        assert set(card["stories"]) == {"hero_kept", "colour_kept", "ended", "no_loop", "all"}
        for key in ("exact", "cut_off", "distinct_1", "distinct_2"):
            assert 0 <= card[key] <= 1
        assert card["shown"]
    assert ["exact_first_line" in card for card in cards(report)] == [True, False, False, False]
    assert look_up(cards(report)[3], "reward_model.probes_below") is not None
    assert look_up(cards(report)[3], "heldout.calibration_error") is not None


def test_the_page_needs_nothing_but_itself(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    assert "<script src" not in page
    assert "<link" not in page
    assert page.count("Plotly.newPlot(") >= 2
    for words in ("Bits per byte", "Self-BLEU", "Calibration error", "Rubric, RLHF model", "Ten prompts"):
        assert words in page


def test_what_a_model_wrote_cannot_run_in_the_page(report: Path) -> None:
    card = cards(report)[1]
    card["shown"] = [{"family": "x", "prompt": "<script>alert(1)</script>", "reply": "<img src=x onerror=alert(2)>"}]
    page = render_card([card], {}, [])
    assert "<script>alert" not in page
    assert "<img" not in page


def test_the_table_for_the_terminal_has_every_stage(report: Path) -> None:
    table = text_table(cards(report))
    for words in ("nano/base", "nano/sft", "nano/rlhf", "nano/reward", "Bits per byte"):
        assert words in table


def test_the_page_shows_how_reinforcement_learning_went(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    assert "On the way of nano/rlhf" in page
    for watched in ("entropy, nats per token", "groups without spread", "share cut off"):
        assert watched in page


def test_dpo_samples_nothing_so_there_is_nothing_to_watch() -> None:
    page = render_card([], {"nano/rlhf": [{"loss": 0.7, "rewards/accuracies": 0.5, "step": 1}]}, [])
    assert "Loss on the way" in page
    assert "On the way of" not in page


def test_a_folder_without_checkpoints_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is no checkpoint and holds none"):
        find_checkpoints([tmp_path])


def test_measuring_twice_gives_the_same_figures(tiny_family: Path, report: Path) -> None:
    again = evaluate(tiny_family / "sft", per_task=3, show=False)
    assert again == next(card for card in cards(report) if card["stage"] == "sft")
