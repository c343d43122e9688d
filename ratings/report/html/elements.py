"""The pieces a page is made of: escaped text, tables, figures and sections.

Every text is escaped unless it is `Markup` (markupsafe), which only the functions here make. So a name that is
forgotten somewhere comes out as text and never as a tag.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import markupsafe
from markupsafe import Markup

from common import words
from ratings.board.columns import Notation

NOTATION = Notation(bounds=" – ", commas=True, minus="−")
NONE = NOTATION.none
"""Stands where there is no number."""

# A name that turns the direction of writing would turn the sentence around it as well.
_TURNS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))


class Part(NamedTuple):
    """A section of the page."""

    anchor: str
    title: str
    body: Markup

    def html(self) -> Markup:
        """Return the section under its title."""
        return tag("section", tag("h2", self.title), "\n", self.body, id=self.anchor)


def escape(text: str) -> Markup:
    """Return the text as HTML that shows it; Markup stays as it is."""
    return text if isinstance(text, Markup) else markupsafe.escape(text.translate(_TURNS))


def join(parts: Iterable[str], between: str = "") -> Markup:
    """Return all parts, each escaped, with something between them."""
    return escape(between).join(escape(part) for part in parts)


def tag(name: str, *parts: str, **attributes: str) -> Markup:
    """Return an element; `class_` stands for class, and attributes are escaped."""
    # Not Markup.format, which takes ten times as long: a page of sixty models has six thousand elements.
    text = "".join(f' {key.rstrip("_")}="{markupsafe.escape(value)}"' for key, value in attributes.items() if value)
    return Markup(f"<{name}{text}>{join(parts)}</{name}>")


def paragraph(*parts: str, class_: str = "") -> Markup:
    """Return a paragraph, or nothing where it would be empty."""
    return tag("p", *parts, class_=class_) if any(parts) else Markup()


def section(anchor: str, title: str, *parts: str) -> Part | None:
    """Return a section, or None where all parts are empty."""
    return Part(anchor, title, join(parts, "\n")) if any(parts) else None


def table(
    columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], *, told: str = "table", class_: str = ""
) -> Markup:
    """Return a table that scrolls sideways in a box of its own; a column is (title, class).

    `told` names it to who cannot see it.
    """
    head = tag("tr", *(tag("th", title, class_=kind, scope="col") for title, kind in columns))
    body = join(
        (
            tag("tr", *(tag("td", cell, class_=kind) for cell, (_, kind) in zip(row, columns, strict=True)))
            for row in rows
        ),
        "\n",
    )
    whole = tag("table", tag("thead", head), "\n", tag("tbody", body), class_=class_)
    return scrolling(whole, told)


def scrolling(whole: Markup, told: str) -> Markup:
    """Return a box that scrolls sideways by pointer, finger or keyboard, and shows where there is more."""
    return tag(
        "div", whole, class_="scroll", tabindex="0", role="region", **{"aria-label": f"{told}, scrolls sideways"}
    )


def facts(lines: Iterable[tuple[str, str]]) -> Markup:
    """Return names with their values, one per line, or nothing where there are none."""
    rows = [tag("tr", tag("td", name, class_="what"), tag("td", value)) for name, value in lines]
    return tag("table", tag("tbody", join(rows, "\n")), class_="facts") if rows else Markup()


def bullets(lines: Iterable[str]) -> Markup:
    """Return a list, or nothing where there is nothing to list."""
    items = [tag("li", line) for line in lines]
    return tag("ul", *items) if items else Markup()


def figure(drawn: Markup, name: str) -> Markup:
    """Return a drawing as a figure of the page."""
    return tag("div", drawn, class_="figure", id=name)


def number(n: float) -> str:
    """Return a whole number with commas."""
    return f"{n:,.0f}"


def signed(points: float) -> str:
    """Return points with their sign, a true minus for a screen."""
    return f"{points:+.0f}".replace("-", "−") if round(points) else "0"


def from_to(old: str, new: str) -> str:
    """Return "2 → 3", or one of them where both are the same."""
    return old if old == new else f"{old} → {new}"


def percent(level: float) -> str:
    """Return a level or share in percent without needless digits."""
    return f"{100 * level:.4g}%"


def listing(names: Sequence[str], most: int = 4) -> str:
    """Return "a, b and c", or the first few and how many more."""
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} others"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def plural(n: int, what: str, several: str = "") -> str:
    """Return "1 vote" or "1,200 votes"."""
    return words.plural(n, what, several, commas=True)
