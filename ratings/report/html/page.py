"""All results of one run as one HTML page that needs no network, no server and no other file.

The first sentence names who leads and how sure that is; then the board, and below it one section for
each thing the report knows. A section without data is left out. Light and dark follow the reader's system
through page.css alone, figures are SVG, and the one small script sorts the board (page.js); the page's own policy
lets nothing else run and nothing be fetched.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from hashlib import sha256
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
_HERE = Path(__file__).parent


def report_html(
    report: Report, sections: tuple[Section, ...] = SECTIONS, *, beside: Sequence[str] = (), extra_script: str = ""
) -> str:
    """Return the whole page. Every text that came with the votes is escaped.

    `beside` names the files that lie in its folder and that it links to; `extra_script` runs after the page's own.
    """
    made = [part for make in sections if (part := make(report))]
    board = report.board
    scripts = [(_HERE / "page.js").read_text(encoding="utf-8"), *([extra_script] if extra_script else [])]
    body = join(
        [
            tag(
                "header",
                tag("p", report.title, class_="kicker"),
                tag("h1", headline(board)),
                paragraph(how_sure(report)),
            ),
            paragraph(_made(board), *_links(beside), class_="made"),
            *([_contents(made)] if len(made) > len(SUMMARY) else []),
            *(part.html() for part in made),
            *(Markup(f"<script>{script}</script>") for script in scripts),
        ],
        "\n",
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{tag('title', report.title)}\n<style>{(_HERE / 'page.css').read_text(encoding='utf-8')}</style>\n"
        f"</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _policy(scripts: list[str]) -> str:
    """Return what the page may do: run its own scripts by their hash, and ask nobody for anything."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src {hashes}; base-uri 'none'; form-action 'none'"


def _links(beside: Sequence[str]) -> list[Markup]:
    """Return links to the same board as data."""
    links = [tag("a", name.rpartition(".")[2].upper(), href=name) for name in beside]
    return [join([" The same as ", join(links, ", "), "."])] if links else []


def _contents(parts: list[Part]) -> Markup:
    return tag("nav", *(tag("a", part.title, href=f"#{part.anchor}") for part in parts))


def _made(board: Leaderboard) -> str:
    method = _METHODS.get(board.method, board.method)
    simulated = f", {number(board.simulated)} of them simulated" if board.simulated else ""
    used = sum(one.used for one in board.every)
    return (
        f"{method} ratings in Elo points from {plural(used, 'vote')}{simulated}. "
        f"Made {board.created.replace('T', ' ').replace('+00:00', ' UTC')}."
    )
