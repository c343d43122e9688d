"""A report as leaderboard.json and leaderboard.csv.

The keys of the board come first and stay what they always were; what a report adds stands behind them, null
or empty where it was not asked for. The JSON is strict: no NaN and no infinity. In the CSV a name that a
spreadsheet would take for a formula is preceded by an apostrophe.
"""

import csv
import io
import json
import re
from dataclasses import asdict, fields, is_dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ratings.analysis.elo_shuffles import EloShuffles
from ratings.board.columns import BoardRow
from ratings.board.leaderboard import Leaderboard
from ratings.fit.covariates import CovariateFit
from ratings.intervals.differences import Differences
from ratings.report.report import Report
from ratings.scale import POINTS_PER_NAT

DIGITS = 6
"""Of a difference in points: far below what any vote can tell."""

MOST_MODELS = 50
"""Models up to which all pairs are written and not neighbours alone."""


_NUMBERS = re.compile(r"\[\n((?: +(?:-?[0-9][0-9.e+-]*|null),?\n)+) *\]")
"""A list of numbers over several lines; no text in JSON holds a line break."""


def to_json(report: Report) -> str:
    """Return the content of leaderboard.json."""
    text = json.dumps(to_json_dict(report), indent=2, ensure_ascii=False, allow_nan=False)
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


def to_json_dict(report: Report) -> dict[str, Any]:
    """Return the report as text, ints, finite floats, nulls, lists and dicts."""
    confidence = report.board.settings.confidence
    models = [row.model for row in report.board.rows if row.rating is not None]
    added = {
        "differences": _differences(report.differences, models) if report.differences else None,
        "ties": report.tie_choice,
        "tie_parameter": report.tie_parameter,
        "categories": {name: board.to_json_dict() for name, board in report.categories.items()},
        "position": _covariates(report.position, None, confidence) if report.position else None,
        "style": _covariates(report.style, report.styled_board, confidence) if report.style else None,
        "series": report.series.to_json_dict() if report.series else None,
        "other_series": [series.to_json_dict() for series in report.other_series],
        "attribution": report.attribution,
        "elo_shuffles": _shuffles(report.elo_shuffles, report.counts.models) if report.elo_shuffles else None,
        "fragility": report.fragility,
        "voters": report.voters,
        "changes": report.changes,
        "notes": report.notes,
        "title": report.title,
        "source": report.provenance.to_json_dict(report.counts),
    }
    content: dict[str, Any] = _plain(report.board.to_json_dict() | added)
    return content


def to_csv(board: Leaderboard) -> str:
    """Return the content of leaderboard.csv: one line per model, empty where there is no number."""
    text = io.StringIO()
    columns = [column.name for column in fields(BoardRow)]
    lines = csv.DictWriter(text, columns, lineterminator="\n")
    lines.writeheader()
    for row in board.all_rows:
        lines.writerow({**asdict(row), "model": _defused(row.model)})
    return text.getvalue()


def _defused(name: str) -> str:
    return f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name


def _differences(found: Differences, models: list[str]) -> dict[str, Any]:
    """Return the differences in points, of neighbours on the board and, where models are few, of all pairs."""
    names = ("lower", "upper", "joint_lower", "joint_upper")
    points = {"points": found.estimate, **{name: getattr(found, name) for name in names}}
    points = {name: np.round(POINTS_PER_NAT * matrix, DIGITS) for name, matrix in points.items()}
    neighbours = [
        {"first": first, "second": second, **{name: matrix[i, i + 1] for name, matrix in points.items()}}
        for i, (first, second) in enumerate(pairwise(models))
    ]
    is_full = len(models) <= MOST_MODELS
    return {"neighbours": neighbours, "all": {"models": models, **points} if is_full else None}


def _covariates(fit: CovariateFit, board: Leaderboard | None, confidence: float) -> dict[str, Any]:
    """Return the coefficients, and the board with them held equal where there is one."""
    content: dict[str, Any] = {"confidence": confidence, "coefficients": fit.covariates(confidence)}
    return content | ({"board": board.to_json_dict()} if board else {})


def _shuffles(found: EloShuffles, models: tuple[str, ...]) -> dict[str, Any]:
    columns = ("mean", "sd", "lowest", "highest")
    return {
        "shuffles": found.shuffles,
        "models": {model: {name: getattr(found, name)[k] for name in columns} for k, model in enumerate(models)},
    }


def _plain(value: Any) -> Any:
    """Return the same in the types of JSON, with null for what is not a finite number."""
    if is_dataclass(value) and not isinstance(value, type):
        return {column.name: _plain(getattr(value, column.name)) for column in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
