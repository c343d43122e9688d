"""Who beat whom: win rates seen and expected, how far apart they are, and on how many votes.

The matrices are tables and not figures: their numbers can be read, searched and copied, the names
stay in sight while the rest scrolls, and the reader's light or dark is theirs without a rule. A
column is headed by the number its model has at the left.
"""

from collections.abc import Callable, Iterator

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ratings.analysis.residuals import LARGE, PairTable, pairs_of
from ratings.board.words import TIES
from ratings.intervals.differences import Differences
from ratings.report.html.elements import Part, join, number, paragraph, percent, plural, scrolling, section, signed, tag
from ratings.report.names import cut_names
from ratings.report.report import Report
from ratings.scale import POINTS_PER_NAT, POINTS_PER_TENFOLD

Floats = NDArray[np.float64]

MOST_MODELS = 16
"""Most models in a matrix; beyond that its cells cannot be read and the page grows heavy."""

_LONGEST_NAME = 18

_FULL = 4.0
"""Standard errors at which a cell has its full colour."""


def pairs_section(report: Report) -> Part | None:
    """Return the matrices; without a fit those of what was seen alone."""
    pairs = pairs_of(report.board, report.counts, report.fit, MOST_MODELS)
    if not pairs.battles.any():
        return None
    shown = len(pairs.models)
    which = " The models of group 1." if report.board.groups else ""
    which += f" The first {shown} models." if shown < len(report.board.rows) else ""
    blocks = [_block("Observed", "percent of the votes that the model at the left took", _rates(pairs, pairs.observed))]
    if pairs.expected is not None and pairs.residual is not None:
        blocks.append(_block("Predicted", "percent that the fit expects", _rates(pairs, pairs.expected)))
        if np.isfinite(pairs.residual).any():
            blocks.append(
                _block("Residuals", "standard errors seen beyond predicted", _residuals(pairs, pairs.residual))
            )
    if report.differences is not None:
        level = percent(report.board.settings.confidence)
        what = f"Elo points ahead, bold where sure with {level} confidence for all pairs at once"
        blocks.append(_block("Differences", what, _differences(pairs, report.differences)))
    blocks.append(_block("Votes", "battles of each pair, either way round", _battles(pairs)))
    size = "wide" if shown > 12 else "small" if shown < 7 else ""
    return section(
        "pairs",
        "Head to head",
        paragraph(f"The model at the left against the one whose number stands on top. {_how_counted(report)}{which}"),
        paragraph(*([verdict(pairs)] if pairs.residual is not None else [])),
        tag("div", join(blocks, "\n"), class_=f"matrices {size}".strip()),
    )


def verdict(pairs: PairTable) -> str:
    """Return a summary of the residuals, as plain text: how many are large, and the largest."""
    assert pairs.residual is not None
    assert pairs.expected is not None
    upper = np.triu(np.ones_like(pairs.residual, dtype=bool), 1) & np.isfinite(pairs.residual)
    tested = int(upper.sum())
    if not tested:
        return "No pair is left to hold the fit against: each is what decides how its models compare."
    size = np.where(upper, np.abs(pairs.residual), -1.0)
    large = int((size > LARGE).sum())
    i, j = (int(k) for k in np.unravel_index(int(size.argmax()), size.shape))
    if pairs.residual[i, j] < 0:
        i, j = j, i
    off = "No pair is" if large == 0 else f"{plural(large, 'pair is', 'pairs are')}"
    return (
        f"{off} more than {LARGE:g} standard errors from what the fit expects, of {number(tested)} that can be "
        f"checked. The furthest: {pairs.models[i]} took {percent(round(float(pairs.observed[i, j]), 3))} "
        f"of {plural(int(pairs.battles[i, j]), 'battle')} with {pairs.models[j]}, "
        f"{percent(round(float(pairs.expected[i, j]), 3))} were expected "
        f"({float(pairs.residual[i, j]):.1f} standard errors)."
    )


def _how_counted(report: Report) -> str:
    settings = report.board.settings
    weighted = " Votes are weighted by the chance of their pair." if report.counts.weights is not None else ""
    return f"Counted as the ratings count: ties: {TIES[settings.ties]}; both bad: {settings.both_bad}.{weighted}"


def _block(title: str, what: str, matrix: Markup) -> Markup:
    return tag("figure", tag("figcaption", tag("b", title), " ", what), scrolling(matrix, title))


def _rates(pairs: PairTable, share: Floats) -> Markup:
    def cell(i: int, j: int) -> Markup:
        value = float(share[i, j])
        title = f"{100 * value:.1f}% of {plural(round(pairs.battles[i, j]), 'battle')} with {j + 1}"
        return _cell(f"{100 * value:.0f}", title, "win" if value > 0.5 else "loss", abs(value - 0.5) * 2)

    return _matrix(pairs, share, cell)


def _residuals(pairs: PairTable, residual: Floats) -> Markup:
    def cell(i: int, j: int) -> Markup:
        value = float(residual[i, j])
        title = f"{value:+.2f} standard errors with {j + 1}"
        shown = f"{value:+.1f}".replace("-", "−") if abs(value) >= 0.05 else "0.0"
        kind = f"{'win' if value > 0 else 'loss'}{' large' if abs(value) > LARGE else ''}"
        return _cell(shown, title, kind, min(abs(value) / _FULL, 1))

    return _matrix(pairs, residual, cell)


def _differences(pairs: PairTable, found: Differences) -> Markup:
    size = len(pairs.models)  # the first of the rated models, which are in the same order
    ahead, low, high = (
        POINTS_PER_NAT * part[:size, :size] for part in (found.estimate, found.joint_lower, found.joint_upper)
    )

    def cell(i: int, j: int) -> Markup:
        value, bounds = float(ahead[i, j]), (float(low[i, j]), float(high[i, j]))
        within = f"{bounds[0]:.0f} to {bounds[1]:.0f}" if np.isfinite(bounds).all() else "no interval"
        title = f"{value:+.1f} over {j + 1}, {within}"
        kind = f"{'win' if value > 0 else 'loss'}{' sure' if bounds[0] > 0 or bounds[1] < 0 else ''}"
        return _cell(signed(value), title, kind, min(abs(value) / POINTS_PER_TENFOLD, 1))

    return _matrix(pairs, np.where(np.eye(size, dtype=bool), np.nan, ahead), cell)


def _battles(pairs: PairTable) -> Markup:
    most = pairs.battles.max()

    def cell(i: int, j: int) -> Markup:
        n = float(pairs.battles[i, j])
        return _cell(number(n), f"{number(n)} with {j + 1}", "count", n / most)

    return _matrix(pairs, np.where(np.eye(len(pairs.models), dtype=bool), np.nan, pairs.battles), cell)


def _matrix(pairs: PairTable, known: Floats, cell: Callable[[int, int], Markup]) -> Markup:
    """Return the table; a cell that is not known is empty."""
    numbers = range(len(pairs.models))
    names = cut_names(pairs.models, _LONGEST_NAME)

    def rows() -> Iterator[Markup]:
        for i, name in enumerate(pairs.models):
            cells = (cell(i, j) if np.isfinite(known[i, j]) else tag("td") for j in numbers)
            yield tag("tr", tag("th", tag("span", str(i + 1)), " ", names[i], title=name), *cells)

    head = tag("tr", tag("th"), *(tag("th", str(j + 1), title=pairs.models[j]) for j in numbers))
    return tag("table", tag("thead", head), tag("tbody", join(rows(), "\n")), class_="matrix")


def _cell(shown: str, title: str, kind: str, strength: float) -> Markup:
    return tag("td", shown, title=title, class_=f"{kind} s{round(20 * strength)}")
