"""The report on a family: every checkpoint measured, the page of it, and its figures beside it as JSON."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.files import write_file
from training.evaluate.card import render_card
from training.evaluate.measure import evaluate, read_history, read_snapshots
from training.evaluate.table import label_of, text_table


@dataclass(frozen=True)
class Report:
    """What was measured. histories: what each trainer logged, by label; snapshots: how those of RL were judged."""

    cards: list[dict[str, Any]]
    histories: dict[str, list[dict[str, float]]]
    snapshots: list[dict[str, float]]

    @property
    def text(self) -> str:
        """The main figures, for the terminal."""
        return text_table(self.cards)

    def write(self, out: Path) -> None:
        """Write the page, and the figures beside it with the suffix .json; each file appears whole."""
        out.parent.mkdir(parents=True, exist_ok=True)
        write_file(out.with_suffix(".json"), json.dumps(self.cards, indent=1) + "\n")
        write_file(out, render_card(self.cards, self.histories, self.snapshots))


def make_report(checkpoints: list[Path], *, per_task: int) -> Report:
    """Measure checkpoints, on so many held-out prompts of each task.

    Raises:
        CheckpointError: a folder that holds no finished checkpoint.
    """
    report = Report([], {}, [])
    for number, folder in enumerate(checkpoints, start=1):
        print(f"[{number}/{len(checkpoints)}] {folder}", file=sys.stderr)
        report.cards.append(evaluate(folder, per_task=per_task))
        if history := read_history(folder):
            report.histories[label_of(report.cards[-1])] = history
        report.snapshots.extend(read_snapshots(folder))
    return report
