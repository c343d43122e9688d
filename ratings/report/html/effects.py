"""What moves ratings and votes: time, looks and sides, training steps, and the order of the votes."""

import math

from markupsafe import Markup

from ratings.analysis.attribution import Gain
from ratings.analysis.over_time import Series
from ratings.analysis.position import POSITION
from ratings.analysis.style import odds_of_double
from ratings.board.columns import ranks
from ratings.board.leaderboard import Leaderboard
from ratings.fit.covariates import Covariate, CovariateFit
from ratings.report.html.elements import (
    NOTATION,
    Part,
    bullets,
    facts,
    figure,
    from_to,
    join,
    number,
    paragraph,
    percent,
    plural,
    section,
    signed,
    table,
    tag,
)
from ratings.report.html.plot_series import MOST_DRAWN, order_of_lines, series_figure
from ratings.report.html.plots import Dot, dots_figure, shift_figure
from ratings.report.report import Report

_TWICE = {
    "length": "twice as long",
    "headers": "twice as many headers",
    "bold": "twice as much in bold",
    "lists": "twice as many list items",
}

Effect = tuple[str, float, float, float]
"""What is held against what, and the factor on the odds of a win with its bounds."""


def series_section(report: Report) -> Part | None:
    """Return the ratings over time, of each group of models."""
    every = [one for one in (report.series, *report.other_series) if one is not None and one.periods]
    if not every:
        return None
    found = every[0]
    what = (
        f"The board at the end of each {found.by}, from all votes up to then."
        if found.cumulative
        else f"Each {found.by} on its own votes."
    )
    parts: list[Markup] = []
    for place, one in enumerate(every, 1):
        name = "series-figure" if place == 1 else f"series-figure-{place}"
        parts += [*([tag("h3", f"Group {place}")] if len(every) > 1 else []), paragraph(_drawn(one))]
        parts.append(figure(series_figure(one), name))
    return section(
        "series",
        "Over time",
        paragraph(
            f"{what} Bands are {percent(found.confidence)} intervals, each for its own {found.by}. Ratings are "
            "measured from the mean of the models rated at that time, so a newcomer moves all others."
        ),
        *parts,
    )


def _drawn(found: Series) -> str:
    """Return which lines and votes are not in the figure, as plain text."""
    lines = len(order_of_lines(found))
    hidden = (
        f"The {MOST_DRAWN} of {lines} models that stand highest at the end are drawn." if lines > MOST_DRAWN else ""
    )
    untimed = f"{plural(found.untimed, 'vote')} without a time left out." if found.untimed else ""
    return f"{hidden} {untimed}".strip()


def effects_section(report: Report) -> Part | None:
    """Return what a reply's looks and side do to its chance of winning."""
    effects = _effects(report)
    if not effects:
        return None
    dots = [
        Dot(name, odds, low, high, f"{name}: odds × {odds:.3g} ({low:.3g} to {high:.3g})")
        for name, odds, low, high in effects
    ]
    return section(
        "effects",
        "Position and style",
        paragraph(
            "What a reply's side and looks do to its odds of winning, between equal models and with everything else "
            f"alike. A factor of 1 is no effect; whiskers are {percent(_confidence(report))} intervals."
        ),
        bullets(_effect_sentences(report, effects)),
        figure(dots_figure(dots, "factor on the odds of a win", reference=1, is_factor=True), "effects-figure"),
    )


def _effects(report: Report) -> list[Effect]:
    level = _confidence(report)
    styled = report.style.covariates(level) if report.style else ()
    sides = [one for one in styled if one.name == POSITION]
    if not sides and report.position:
        sides = [one for one in report.position.covariates(level) if one.name == POSITION]
    looks = [_twice(one) for one in styled if one.name != POSITION]
    return [*looks, *(("shown on side A", one.odds, one.odds_lower, one.odds_upper) for one in sides)]


def _twice(one: Covariate) -> Effect:
    low, middle, high = (odds_of_double(value, one.sd) for value in (one.lower, one.coefficient, one.upper))
    return _TWICE.get(one.name, f"twice as much {one.name}"), middle, low, high


def _effect_sentences(report: Report, effects: list[Effect]) -> list[str]:
    lines = [
        f"{name} → odds × {odds:.2f} [{low:.2f}, {high:.2f}]{'' if low > 1 or high < 1 else ', perhaps no effect'}"
        for name, odds, low, high in effects
    ]
    fits: list[CovariateFit] = [one for one in (report.position,) if one is not None]
    for one in (covariate for fit in fits for covariate in fit.covariates(_confidence(report))):
        lines.append(
            f"between equals, side A takes {100 * one.win_share:.1f}% of the wins "
            f"[{100 * one.win_share_lower:.1f}, {100 * one.win_share_upper:.1f}]"
        )
    return lines


def styled_section(report: Report) -> Part | None:
    """Return the board as voted beside the one with looks held equal."""
    styled = report.styled_board
    if styled is None:
        return None
    as_voted = {row.model: row for row in report.board.all_rows}
    both = [
        (as_voted[row.model], row)
        for row in styled.all_rows
        if row.rating is not None and row.model in as_voted and as_voted[row.model].rating is not None
    ]
    if not both:
        return None
    names = [row.model for row, _ in both]
    before, after = ([row.rating or 0.0 for row in rows] for rows in zip(*both, strict=True))
    rows = [
        [
            old.model,
            from_to(ranks(old, NOTATION), ranks(new, NOTATION)),
            from_to(f"{came:.0f}", f"{to:.0f}"),
            signed(to - came),
        ]
        for (old, new), came, to in zip(both, before, after, strict=True)
    ]
    columns = [("model", "name"), ("rank", "range"), ("rating", "range"), ("change", "rating")]
    return section(
        "styled",
        "With and without style",
        paragraph(
            "Where the replies of two models look alike, who wins? A model that falls here wins partly by its looks. "
            f"{_measured(report, styled)}"
        ),
        figure(shift_figure(names, before, after, ("as voted", "style held equal")), "styled-figure"),
        table(columns, rows),
    )


def _measured(report: Report, styled: Leaderboard) -> str:
    if styled.used == report.board.used:
        return ""
    return f"It rests on the {plural(styled.used, 'vote')} whose replies were measured."


def lineage_section(report: Report) -> Part | None:
    """Return what each step of training and each tag is worth."""
    found = report.attribution
    if found is None or not (found.gains or found.left_out):
        return None
    steps = {gain.pairs for gain in found.gains if gain.kind == "step"}  # a step of one pair is shown once
    dots = [
        Dot(
            _arrow(gain.name),
            gain.points,
            gain.lower,
            gain.upper,
            f"{_arrow(gain.name)}: {_points(gain)}",
        )
        for gain in found.gains
        if gain.kind != "pair" or gain.pairs not in steps
    ]
    return section(
        "lineage",
        "What each step is worth",
        paragraph(
            f"Elo points gained, with one {percent(found.confidence)} interval for each difference. It measures how "
            "surely voters prefer these very checkpoints, not how another run of the same training would come out."
        ),
        bullets(_gain_sentence(gain) for gain in found.gains if gain.kind != "pair"),
        figure(dots_figure(dots, "gain, Elo points", reference=0), "lineage-figure") if dots else "",
        facts((f"left out: {name}", why) for name, why in found.left_out.items()),
    )


def _gain_sentence(gain: Gain) -> Markup:
    over = f"mean of {len(gain.pairs)} pairs" if len(gain.pairs) > 1 else " → ".join(gain.pairs[0])
    sure = "" if gain.lower > 0 or gain.upper < 0 else ", which may be nothing"
    return join([tag("b", _arrow(gain.name)), f": {_points(gain)}{sure} ", tag("small", f"{over}; {gain.basis}")])


def _arrow(name: str) -> str:
    return name.replace(" -> ", " → ")


def _points(gain: Gain) -> str:
    return f"{signed(gain.points)} [{signed(gain.lower)}, {signed(gain.upper)}]"


def shuffles_section(report: Report) -> Part | None:
    """Return how far the order of the same votes moves Elo."""
    found = report.elo_shuffles
    if found is None:
        return None
    numbers = (part.tolist() for part in (found.mean, found.lowest, found.highest, found.sd))
    lines = zip(report.counts.models, *numbers, strict=True)
    known = sorted((line for line in lines if not math.isnan(line[1])), key=lambda line: -line[1])
    if not known:
        return None
    dots = [
        Dot(name, mean, low, high, f"{name}: {mean:.0f}, from {low:.0f} to {high:.0f}; sd {sd:.1f}")
        for name, mean, low, high, sd in known
    ]
    apart = " Models of different groups cannot be compared." if report.board.groups else ""
    widest = max(known, key=lambda line: line[3] - line[2])
    return section(
        "shuffles",
        "Elo and the order of the votes",
        paragraph(
            f"Online Elo over {number(found.shuffles)} random orders of the same votes: the mean, and from the lowest "
            f"to the highest. {widest[0]} moved most, by {widest[3] - widest[2]:.0f} points. This is no interval: it "
            f"shows only what the order does.{apart}"
        ),
        figure(dots_figure(dots, "Elo over shuffled orders"), "shuffles-figure"),
    )


def _confidence(report: Report) -> float:
    return report.board.settings.confidence
