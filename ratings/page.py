"""The leaderboard as one HTML page that needs no network, no server and no other file.

plotly.js is in the page once. Light and dark follow the reader's system through CSS alone, which
also recolours the figures: plotly writes its colours as inline styles, so the rules that replace
them are marked important.
"""

import html
from typing import TYPE_CHECKING

from ratings.counts import Counts
from ratings.existence import RATED
from ratings.leaderboard import Leaderboard, Row
from ratings.plots import MOST_MODELS, interval_figure, matrix_rows, win_rate_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go

_STYLE = """
:root { color-scheme: light dark; --paper: #fdfdfc; --ink: #1c1c1a; --quiet: #6b6b66; --line: #e4e4df; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #161615; --ink: #e8e8e3; --quiet: #9b9b94; --line: #31312e; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 56rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.6rem; font-weight: 650; letter-spacing: -0.01em; margin: 0; }
h2 { font-size: 1.05rem; font-weight: 650; margin: 3rem 0 0.25rem; }
p { margin: 0.3rem 0 1rem; color: var(--quiet); max-width: 44rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 0.94rem; }
th { font-weight: 500; font-size: 0.8rem; color: var(--quiet); white-space: nowrap; }
th, td { padding: 0.45rem 0 0.45rem 1rem; text-align: right; border-bottom: 1px solid var(--line);
  vertical-align: baseline; }
th:first-child, td:first-child { padding-left: 0; }
.name, .what { text-align: left; overflow-wrap: anywhere; }
td.name { min-width: 8rem; }
td.rating { font-weight: 650; }
td.range { white-space: nowrap; color: var(--quiet); }
small { display: block; color: var(--quiet); font-size: 0.82rem; }
table.facts td { text-align: left; padding-left: 0; }
table.facts td.what { color: var(--quiet); width: 15rem; padding-right: 1rem; }
.figure text:not(.hovertext text) { fill: var(--ink) !important; }
@media (max-width: 40rem) {
  body { padding: 1.5rem 1rem 3rem; }
  .detail { display: none; }
  table { font-size: 0.85rem; }
  th { font-size: 0.72rem; }
  th, td { padding-left: 0.5rem; }
  td.name { min-width: 5.5rem; }
  table.facts td.what { width: 8rem; }
}
"""


def leaderboard_html(board: Leaderboard, counts: Counts) -> str:
    """Return the whole page: table, figures, then the settings and what was left out.

    `counts` are those the board was made from. Every text that came with the votes is escaped.
    """
    from plotly.offline import get_plotlyjs

    body = [
        "<h1>Leaderboard</h1>",
        f"<p>{_headline(board)}</p>",
        _table(board),
        *_figures(board, counts),
        "<h2>How it was made</h2>",
        _facts([("method", board.method), *_settings(board)]),
        "<h2>Votes</h2>",
        _facts(
            [
                ("read", _number(board.read)),
                ("used", _number(board.used)),
                *((f"left out: {reason}", _number(n)) for reason, n in board.left_out.items()),
                ("simulated", _number(board.simulated)),
            ]
        ),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Leaderboard</title>\n<style>{_STYLE}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def _table(board: Leaderboard) -> str:
    has_interval = any(row.lower is not None for row in board.rows)
    level = f"{100 * float(board.settings['confidence']):.4g}%" if has_interval else ""
    head = (
        '<th>rank</th><th class="name">model</th><th>rating</th>'
        + (f"<th>{level} interval</th>" if has_interval else "")
        + '<th>votes</th><th class="detail">won</th><th class="detail">lost</th>'
        '<th class="detail">tied</th><th class="detail">both bad</th>'
    )
    rows = "\n".join(_table_row(row, has_interval) for row in board.rows)
    return f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>'


def _table_row(row: Row, has_interval: bool) -> str:
    note = "" if row.status == RATED else f"<small>{html.escape(row.status)}</small>"
    rating = "–" if row.rating is None else f"{row.rating:.0f}"
    interval = "–" if row.lower is None or row.upper is None else f"{row.lower:.0f} – {row.upper:.0f}"
    details = (row.wins, row.losses, row.ties, row.both_bad)
    return (
        f"<tr><td>{'–' if row.rank is None else row.rank}</td>"
        f'<td class="name">{html.escape(row.model)}{note}</td><td class="rating">{rating}</td>'
        + (f'<td class="range">{interval}</td>' if has_interval else "")
        + f"<td>{_number(row.votes)}</td>"
        + "".join(f'<td class="detail">{_number(n)}</td>' for n in details)
        + "</tr>"
    )


def _figures(board: Leaderboard, counts: Counts) -> list[str]:
    parts = []
    if any(row.rating is not None for row in board.rows):
        what = (
            "Each bar holds with its confidence on its own; models whose bars overlap may still differ."
            if any(row.lower is not None for row in board.rows)
            else "Online Elo depends on the order of the votes and has no interval."
        )
        parts += [
            "<h2>Ratings</h2>",
            f"<p>{what}</p>",
            _figure(interval_figure(board), "ratings", min_width=0),
        ]
    shown = len(matrix_rows(board))
    which = f" The first {shown} models." if shown == MOST_MODELS else ""
    parts += [
        "<h2>Head to head</h2>",
        f"<p>How often the model on the left won against the one on top, a tie counting half.{which}</p>",
        _figure(
            win_rate_figure(board, counts),
            "head-to-head",
            min_width=16 + 2.6 * shown,
        ),
    ]
    return parts


def _figure(figure: "go.Figure", name: str, min_width: float) -> str:
    div = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=name,
        config={"displayModeBar": False, "responsive": True},
    )
    return f'<div class="figure scroll"><div style="min-width: {min_width:g}rem">{div}</div></div>'


def _facts(facts: list[tuple[str, str]]) -> str:
    rows = "\n".join(
        f'<tr><td class="what">{html.escape(name)}</td><td>{html.escape(value)}</td></tr>' for name, value in facts
    )
    return f'<table class="facts"><tbody>\n{rows}\n</tbody></table>'


def _settings(board: Leaderboard) -> list[tuple[str, str]]:
    return [
        (name.replace("_", " "), f"{value:g}" if isinstance(value, float) else value)
        for name, value in board.settings.items()
    ]


def _headline(board: Leaderboard) -> str:
    method = "Online Elo" if board.method == "elo" else "Bradley-Terry"
    simulated = f", {_number(board.simulated)} of them simulated" if board.simulated else ""
    return (
        f"{method} ratings in Elo points from {_number(board.used)} votes{simulated}. "
        f"Made {html.escape(board.created.replace('T', ' '))}."
    )


def _number(n: int) -> str:
    return f"{n:,}"
