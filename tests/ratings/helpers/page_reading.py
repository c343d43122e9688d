"""What the tests read off a page: its tags, words, sections and matrices."""

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "link", "hr", "input"}


class Page(HTMLParser):
    """Collect tags with their attributes, the text outside scripts, and the cells of each matrix."""

    def __init__(self, page: str) -> None:
        """Parse the page."""
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.opened: list[str] = []
        self.broken: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.opened.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """Check that what closes is what opened last."""
        if not self.opened or self.opened.pop() != tag:
            self.broken.append(tag)

    def handle_data(self, data: str) -> None:
        """Keep the text unless it is code."""
        if self.opened and self.opened[-1] not in ("script", "style"):
            self.text.append(data)
            if {"td", "th"} & set(self.opened):
                self.tables[-1][-1][-1] += data

    @property
    def sections(self) -> list[str]:
        """Return the anchors of the sections in their order."""
        return [attributes["id"] or "" for tag, attributes in self.tags if tag == "section"]

    def words(self) -> str:
        """Return all text with single spaces."""
        return " ".join("".join(self.text).split())


def matrices(html: str) -> dict[str, list[list[str]]]:
    """Return the cells of each matrix by its title, without names."""
    parts = re.findall(r"<figcaption><b>(\w+)</b>.*?(<table.*?</table>)", html, flags=re.DOTALL)
    return {title: [row[1:] for row in Page(table).tables[0][1:]] for title, table in parts}
