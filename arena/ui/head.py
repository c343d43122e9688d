"""What stands around the page before Gradio draws it: title, preview, colours of the browser's bar, style and script.

Gradio's own head names Gradio, links to images elsewhere and cannot be set before its script runs, when readers of
previews have left. So the page's HTML is rewritten as it is sent: Gradio's words go, ours come, together with
style.css, page.js and a word for a browser without scripts or cookies.
"""

import html
import re
from pathlib import Path

TITLE = "Checkpoint arena"
DESCRIPTION = (
    "Two language models answer your prompt. You do not know which is which: say whose reply is better, "
    "and see who wrote it."
)
NO_SCRIPT = "This page needs JavaScript: allow it for this site, then load the page again."
NO_COOKIES = (
    "Your browser blocks cookies. One is needed, to know that a battle is yours: "
    "allow cookies for this site, then load the page again."
)
# Into the corners of a phone's screen (style.css keeps clear of them), and above its keyboard.
VIEWPORT = b"viewport-fit=cover, interactive-widget=resizes-content"
BAR_COLOURS = {"light": "#f8fafc", "dark": "#0b1120"}  # as the page's background, for the browser's own bar
GRADIOS = re.compile(rb'\s*<(?:meta\s+(?:property="og:|name="twitter:)|link\s+rel="manifest")[^>]*>')
STYLE, SCRIPT = (Path(__file__).with_name(name) for name in ("style.css", "page.js"))


def write_head(page: bytes, style: str, script: str) -> bytes:
    """Return Gradio's HTML with our head in place of its own, and the notices that need no Gradio."""
    page = GRADIOS.sub(b"", page)
    page = page.replace(b"shrink-to-fit=no", VIEWPORT)
    page = page.replace(b"<head>", b"<head>" + _head(style, script).encode(), 1)
    return re.sub(rb"<body\b[^>]*>", lambda body: body.group() + _notices().encode(), page, count=1)


def _head(style: str, script: str) -> str:
    title, description = html.escape(TITLE), html.escape(DESCRIPTION)
    parts = [
        f'<title>{title}</title><link rel="icon" href="favicon.ico"><meta name="description" content="{description}">',
        f'<meta property="og:type" content="website"><meta property="og:title" content="{title}">',
        f'<meta property="og:description" content="{description}"><meta name="twitter:card" content="summary">',
        '<meta name="color-scheme" content="light dark">',
        *(
            f'<meta name="theme-color" media="(prefers-color-scheme: {scheme})" content="{colour}">'
            for scheme, colour in BAR_COLOURS.items()
        ),
        f"<style>{style}</style>",
        f'<script type="module">{script}</script>',
    ]
    return "".join(parts)


def _notices() -> str:
    return (
        f'<noscript><p class="notice">{html.escape(NO_SCRIPT)}</p></noscript>'
        f'<p id="no-cookies" class="notice" role="alert" hidden>{html.escape(NO_COOKIES)}</p>'
    )
