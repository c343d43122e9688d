"""A report is written as a page and as JSON, each of which appears whole."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.evaluate import report
from training.evaluate.report import Report, make_report

CARD: dict[str, Any] = {"family": "nano", "name": "sft", "stage": "sft", "machine": "CPU", "exact_by_family": {}}


def test_a_report_is_a_page_with_its_figures_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report.html"
    Report([CARD], {}, []).write(out)
    assert "Report card: nano" in out.read_text(encoding="utf-8")
    assert json.loads(out.with_suffix(".json").read_text(encoding="utf-8")) == [CARD]
    assert sorted(path.name for path in out.parent.iterdir()) == ["report.html", "report.json"]


def test_every_checkpoint_is_measured_on_as_many_prompts_as_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "evaluate", lambda folder, per_task: CARD | {"name": folder.name, "asked": per_task})
    (tmp_path / "rlhf").mkdir()
    (tmp_path / "rlhf" / "history.json").write_text('[{"step": 1, "loss": 2.0}]')
    made = make_report([tmp_path / "sft", tmp_path / "rlhf"], per_task=3)
    assert [(card["name"], card["asked"]) for card in made.cards] == [("sft", 3), ("rlhf", 3)]
    assert made.histories == {"nano/rlhf": [{"step": 1, "loss": 2.0}]}
    assert capsys.readouterr().err.startswith("[1/2]")
