"""The page's title, preview and notices, which must work before and without its script."""

import re

import httpx
import pytest

from arena.ui.head import DESCRIPTION, NO_COOKIES, NO_SCRIPT, TITLE, write_head
from tests.arena.helpers.served import Arena
from tests.arena.helpers.watch import Visit, expect

PAGE = b"""<!doctype html><html lang="en"><head>
<meta name="viewport" content="width=device-width, initial-scale=1, shrink-to-fit=no" />
<meta property="og:title" content="Gradio" />
<meta
    property="og:image"
    content="https://elsewhere.example/image.jpg"
/>
<meta name="twitter:creator" content="@Gradio" />
<link rel="manifest" href="/manifest.json" /><script>one()</script></head><body
  style="margin: 0"><gradio-app></gradio-app></body></html>"""


def test_the_words_of_gradio_go_and_ours_come() -> None:
    page = write_head(PAGE, "p { margin: 0 }", "two()").decode()
    assert not re.search("Gradio|elsewhere|manifest|shrink", page)
    assert f"<head><title>{TITLE}</title>" in page
    assert "<style>p { margin: 0 }</style>" in page
    assert '<script type="module">two()</script>' in page
    assert '<body\n  style="margin: 0"><noscript>' in page
    assert "<script>one()</script></head>" in page


def meta(page: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, content in re.findall(r'<meta\s+(?:name|property)="([^"]*)"[^>]*?content="([^"]*)"', page):
        found.setdefault(name, []).append(content)
    return found


@pytest.mark.slow
def test_a_preview_of_the_page_names_it_and_shows_nothing_from_elsewhere(arena: Arena) -> None:
    page = httpx.get(arena.url).text
    described = meta(page)
    assert described["description"] == described["og:description"] == [DESCRIPTION]
    assert described["og:title"] == [TITLE]
    assert described["og:type"] == ["website"]
    assert len(described["theme-color"]) == 2
    assert "viewport-fit=cover" in described["viewport"][0]
    assert not {
        name for name in described if name.startswith(("og:image", "og:url", "twitter:")) and name != "twitter:card"
    }
    assert re.search(r'<html\s+lang="en"', page)
    assert page.count("<title>") == 1
    head = page[: page.index("</head>")]
    assert not re.search(r'(?:src|href|content)="(?:https?:)?//', head)


@pytest.mark.slow
def test_a_browser_without_scripts_says_that_they_are_needed(arena: Arena, visit: Visit) -> None:
    page = visit(java_script_enabled=False).new_page()
    page.goto(arena.url)
    notice = page.locator("noscript p")
    expect(notice).to_be_visible()
    expect(notice).to_have_text(NO_SCRIPT)


@pytest.mark.slow
@pytest.mark.parametrize("has_cookies", [True, False])
def test_a_browser_that_blocks_cookies_says_that_one_is_needed(
    arena: Arena, visit: Visit, *, has_cookies: bool
) -> None:
    page = visit().new_page()
    if not has_cookies:
        page.add_init_script("Object.defineProperty(navigator, 'cookieEnabled', {get: () => false})")
    page.goto(arena.url)
    expect(page.locator("#send")).to_be_enabled()
    notice = page.get_by_role("alert").filter(has_text=NO_COOKIES)
    expect(notice).to_be_visible() if not has_cookies else expect(notice).to_have_count(0)
