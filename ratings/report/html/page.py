"""All results of one run as one HTML page that needs no network, no server and no other file.

The first sentence names who leads and how sure that is; then the board, and below it one section for
each thing the report knows. A section without data is left out. plotly.js is in the page once. Light
and dark follow the reader's system through page.css alone, which also recolours the figures: plotly
writes its colours as inline styles, so the rules that replace them are marked important.
"""

from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup

from ratings.board.leaderboard import Leaderboard
from ratings.report.html.boards import (
    board_section,
    categories_section,
    intervals_section,
    rates_section,
)
from ratings.report.html.effects import (
    effects_section,
    lineage_section,
    series_section,
    shuffles_section,
    styled_section,
)
from ratings.report.html.elements import Part, join, number, paragraph, plural, tag
from ratings.report.html.headline import headline, how_sure
from ratings.report.html.pairs import pairs_section
from ratings.report.html.robustness import (
    changes_section,
    fragility_section,
    notes_section,
    settings_section,
    ties_section,
    votes_section,
)
from ratings.report.report import Report

Section = Callable[[Report], Part | None]

SUMMARY: tuple[Section, ...] = (board_section, intervals_section)
"""The sections of a picture."""

SECTIONS: tuple[Section, ...] = (
    *SUMMARY,
    pairs_section,
    series_section,
    rates_section,
    effects_section,
    styled_section,
    lineage_section,
    categories_section,
    changes_section,
    fragility_section,
    shuffles_section,
    ties_section,
    votes_section,
    settings_section,
    notes_section,
)
"""All sections in the order of the page."""

_METHODS = {"elo": "Online Elo", "bradley-terry": "Bradley-Terry", "davidson": "Davidson"}
_STYLE = Path(__file__).with_name("page.css")


def report_html(report: Report, sections: tuple[Section, ...] = SECTIONS) -> str:
    """Return the whole page. Every text that came with the votes is escaped."""
    from plotly.offline import get_plotlyjs

    made = [part for make in sections if (part := make(report))]
    board = report.board
    body = join(
        [
            tag(
                "header",
                tag("p", "Leaderboard", class_="kicker"),
                tag("h1", headline(board)),
                paragraph(how_sure(report)),
            ),
            paragraph(_made(board), class_="made"),
            *([_contents(made)] if len(made) > len(SUMMARY) else []),
            *(part.html() for part in made),
        ],
        "\n",
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Leaderboard</title>\n<style>{_STYLE.read_text(encoding='utf-8')}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _contents(parts: list[Part]) -> Markup:
    return tag("nav", *(tag("a", part.title, href=f"#{part.anchor}") for part in parts))


def _made(board: Leaderboard) -> str:
    method = _METHODS.get(board.method, board.method)
    simulated = f", {number(board.simulated)} of them simulated" if board.simulated else ""
    return (
        f"{method} ratings in Elo points from {plural(board.used, 'vote')}{simulated}. "
        f"Made {board.created.replace('T', ' ').replace('+00:00', ' UTC')}."
    )
