"""What a reply must not do to the page in a real browser, and what its links reveal to other sites."""

from typing import TYPE_CHECKING

import pytest

from tests.arena.helpers.played import Signal
from tests.arena.helpers.served import Arena
from tests.arena.helpers.watch import Open, expect

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.slow


HOSTILE = {
    "image": "<img src=x onerror=\"window.hacked=1;alert(1)\"> <img src='https://evil.example/pixel.png'>",
    "script": "<script>window.hacked=1;alert(1)</script>",
    "svg link": '<svg width=200 height=60><a xlink:href="javascript:window.hacked=1"><text y=20>click</text></a></svg>',
    "svg onload": "<svg onload=window.hacked=1>",
    "iframe": '<iframe srcdoc="<script>parent.hacked=1</script>" src="https://evil.example/"></iframe>',
    "markdown image": "![pixel](https://evil.example/pixel.png)\n\n![x](//evil.example/x.png)",
    "style": "<style>body{display:none;background:url(https://evil.example/b.png)}</style>",
    "overlay": '<div style="position:fixed;inset:0;z-index:9999;background:red">gone</div>',
    "form": '<form action="https://evil.example/"><input id="prompt"><button id="vote-a">A is better</button></form>',
    "script link": "[click me](javascript:window.hacked=1) [or me](data:text/html,<script>alert(1)</script>)",
}


@pytest.mark.parametrize("is_final", [False, True], ids=["while it grows", "when it has ended"])
def test_a_hostile_reply_runs_nothing_leaves_no_box_and_asks_for_nothing(
    arena: "Arena", watch: Open, is_final: bool
) -> None:
    gate = Signal()
    everything = "\n\n".join(HOSTILE.values())
    arena.script(everything, *([] if is_final else [gate]), "\n\nThe end.")
    page = watch()
    page.ask("Be evil.")
    if is_final:
        page.expect_open_vote()
    expect(page["side-a"]).to_contain_text("onerror")
    for side in ("side-a", "side-b"):
        box = page[side].locator(".prose")  # what is around it is Gradio's own
        for tag in ("script", "img", "svg", "iframe", "style", "form", "input", "button", "[id]", "[onclick]"):
            assert box.locator(tag).count() == 0, tag
        for link in box.locator("a").all():
            assert str(link.get_attribute("href")).startswith("https://")
        # Whatever the text does, it is painted inside its own side.
        style = box.evaluate("e => [getComputedStyle(e).contain, getComputedStyle(e).overflow]")
        assert "paint" in style[0] or style[0] in ("content", "strict")
        assert style[1] == "hidden"
    assert page.page.evaluate("() => window.hacked") is None
    assert page.page.locator("#vote-a").count() == 1
    expect(page["send"]).to_be_visible()
    gate.set()
    page.expect_open_vote()
    assert page.page.evaluate("() => window.hacked") is None
    page.check_clean()


def test_the_policy_alone_would_stop_a_script_and_a_remote_image(watch: Open) -> None:
    """Should rendering ever let markup through, the browser must refuse to run it or to fetch for it."""
    page = watch()
    page.page.evaluate(
        """() => new Promise(done => {
            document.addEventListener('securitypolicyviolation', event => {
                window.violations = (window.violations || []).concat(event.effectiveDirective);
                if (window.violations.length === 3) done();
            });
            const box = document.querySelector('#side-a');
            box.innerHTML = '<img src="https://evil.example/x.png"><img src="data:," onerror="window.hacked=1">';
            const script = document.createElement('script');
            script.textContent = 'window.hacked=2';
            box.append(script);
        })"""
    )
    assert sorted(page.page.evaluate("() => window.violations")) == ["img-src", "script-src-attr", "script-src-elem"]
    assert page.page.evaluate("() => window.hacked") is None


def test_an_honest_link_opens_a_tab_that_knows_nothing_of_us(arena: "Arena", watch: Open) -> None:
    arena.script("See [here](https://example.org/a).")
    page = watch()
    page.ask()
    page.expect_open_vote()
    link = page["side-a"].locator("a")
    assert link.get_attribute("href") == "https://example.org/a"
    assert link.get_attribute("target") == "_blank"
    assert set(str(link.get_attribute("rel")).split()) == {"nofollow", "noopener", "noreferrer"}
