"""Checks of rendered replies: fails on anything that a reply must not produce, and collects text and links."""

import re
from html.parser import HTMLParser

from arena.ui.render import GrowingReply, render_reply

TAGS = {
    "p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a", "div",
    "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
DIR = {"dir"}
ATTRIBUTES = {
    "a": {"href", "target", "rel"},
    "p": {"class", "dir"},
    "li": {"value"},
    "div": {"class", "role", "aria-label", "tabindex"},
    "th": {"style", "scope"},
    "td": {"style"},
} | dict.fromkeys(("ul", "ol", "blockquote", "h3", "h4", "h5", "h6", "table"), DIR)
VALUES = {
    "class": re.compile("growing|plain|note|scroll"),
    "style": re.compile("text-align:(left|right|center)"),
    "value": re.compile("[0-9]{1,9}"),
    "dir": re.compile("auto"),
    "role": re.compile("group"),
    "aria-label": re.compile("Code|Table"),
    "tabindex": re.compile("0"),
    "scope": re.compile("col"),
    "target": re.compile("_blank"),
    "rel": re.compile("nofollow noopener noreferrer"),
}
SCHEMES = ("https://", "http://", "mailto:")
TAG = re.compile(r"</?(?:" + "|".join(sorted(TAGS, key=len, reverse=True)) + r')(?: [a-z-]+="[^"<>]*")*(?: /)?>')


class Checker(HTMLParser):
    """Fails on any tag, attribute or address that a reply must not produce; keeps the text and the links."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.links = "", []  # type: ignore[var-annotated]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        for name, value in attrs:
            assert name in ATTRIBUTES.get(tag, set()), f"{tag} {name}={value}"
            value = value or ""
            if name == "href":
                assert value.lower().startswith(SCHEMES), value
                self.links.append(value)
            else:
                assert VALUES[name].fullmatch(value), f"{tag} {name}={value}"
        assert tag != "a" or {name for name, _ in attrs} == {"href", "target", "rel"}

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment


def check(text: str) -> Checker:
    """Render a reply both ways, require both to be safe, and return the final one."""
    checker = Checker()
    for is_final in (False, True):
        rendered = str(render_reply(text)) if is_final else "".join(GrowingReply().render(text))
        # What the standard library's parser takes for text, a browser might not: no other "<" may be there at all.
        assert "<" not in TAG.sub("", rendered)
        checker = Checker()
        checker.feed(rendered)
        checker.close()
    return checker


def lines(rendered: str) -> list[str]:
    """Return the lines that are seen, without their marks and the empty ones between blocks."""
    rendered = re.sub("<pre>.*?</pre>", lambda code: code[0].replace("\n", "<br>"), str(rendered), flags=re.DOTALL)
    rendered = rendered.replace("\n", " ")  # as a browser reads it
    rendered = re.sub(r"<br>|</?(?:p|h\d|li|ul|ol|blockquote|tr|div)\b[^>]*>", "\n", rendered)
    checker = Checker()
    checker.feed(rendered)
    return [line.strip() for line in checker.text.split("\n") if line.strip()]
