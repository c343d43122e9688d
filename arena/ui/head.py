"""The page's HTML before Gradio draws anything: title, link preview, theme colour, style and script.

Gradio's own head names Gradio, links to images on other sites and can be changed only by a script, which programs that
make link previews do not run. So the page's HTML is rewritten as it is sent: Gradio's metadata goes, ours comes,
together with style.css, page.js and notices for browsers without scripts or cookies.
"""

import re
from pathlib import Path

from markupsafe import Markup

TITLE = "Checkpoint arena"
DESCRIPTION = (
    "Two language models answer your prompt. You do not know which is which: choose the better reply, "
    "and see who wrote it."
)
NO_SCRIPT = "This page needs JavaScript: allow it for this site, then load the page again."
NO_COOKIES = (
    "Your browser blocks cookies. One is needed, to know that a battle is yours: "
    "allow cookies for this site, then load the page again."
)
# The page fills a phone's screen into its corners (style.css keeps clear of them) and stays above its keyboard.
VIEWPORT = b"viewport-fit=cover, interactive-widget=resizes-content"
BAR_COLOURS = {"light": "#f8fafc", "dark": "#0b1120"}  # of the browser's address bar: the page's background
GRADIOS = re.compile(rb'\s*<(?:meta\s+(?:property="og:|name="twitter:)|link\s+rel="manifest")[^>]*>')
HEAD = Markup(
    '<title>{title}</title><link rel="icon" href="favicon.ico"><meta name="description" content="{description}">'
    '<meta property="og:type" content="website"><meta property="og:title" content="{title}">'
    '<meta property="og:description" content="{description}"><meta name="twitter:card" content="summary">'
    '<meta name="color-scheme" content="light dark">{colours}<style>{style}</style>'
    '<script type="module">{script}</script>'
)
COLOUR = Markup('<meta name="theme-color" media="(prefers-color-scheme: {})" content="{}">')
NOTICES = Markup(
    '<noscript><p class="notice">{}</p></noscript><p id="no-cookies" class="notice" role="alert" hidden>{}</p>'
).format(NO_SCRIPT, NO_COOKIES)
STYLE, SCRIPT = (Path(__file__).with_name(name) for name in ("style.css", "page.js"))


def write_head(page: bytes, style: str, script: str) -> bytes:
    """Return Gradio's HTML with our head in place of its own, and the notices that need no Gradio."""
    page = GRADIOS.sub(b"", page)
    page = page.replace(b"shrink-to-fit=no", VIEWPORT)
    page = page.replace(b"<head>", b"<head>" + _head(style, script).encode(), 1)
    return re.sub(rb"<body\b[^>]*>", lambda body: body.group() + NOTICES.encode(), page, count=1)


def _head(style: str, script: str) -> Markup:
    return HEAD.format(
        title=TITLE,
        description=DESCRIPTION,
        colours=Markup().join(COLOUR.format(scheme, colour) for scheme, colour in BAR_COLOURS.items()),
        style=Markup(style),  # our own files: escaped, they would be neither a style nor a script
        script=Markup(script),
    )
