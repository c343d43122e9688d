"""The page's layout on a desktop and a phone, in a real browser."""

from typing import Any

import pytest

from arena.pace import Pace
from arena.ui.render import render_reply
from tests.arena.helpers.played import Signal, make_reply
from tests.arena.helpers.served import Arena
from tests.arena.helpers.watch import VOTES, Open, Watch, expect

pytestmark = pytest.mark.slow

DESKTOP = {"viewport": {"width": 1280, "height": 800}}


def phone(width: int, height: int) -> dict[str, Any]:
    return {"viewport": {"width": width, "height": height}, "is_mobile": True, "has_touch": True}


SCREENS = {
    "desktop": DESKTOP,
    "phone": phone(390, 844),
    "small phone": phone(320, 640),
    "phone with its keyboard open": phone(390, 400),
    "phone on its side": phone(844, 390),
}
TABLE = "|a" * 14 + "|\n" + "|-" * 14 + "|\n" + "|some" * 14 + "|"
WIDE = "\n\n".join(
    [
        "```\n" + "y" * 300 + "\n```",
        TABLE,
        "x" * 300,
        "# " + "H" * 90,
        "[" + "l" * 200 + "](https://example.org/" + "p" * 300 + ")",
        "> " * 12 + "deep",
        "    " + "indented " * 50,
        "`" + "code" * 80 + "`",
        "The end.",
    ]
)


@pytest.fixture(autouse=True)
def without_pace(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let replies be shown as fast as they are written, however long they are."""
    monkeypatch.setattr(arena.service._speeds, "pace", lambda names: Pace(1e9))


def test_a_short_reply_begins_as_high_as_a_long_one(arena: Arena, watch: Open) -> None:
    short, *long = arena.backends.values()
    short.play("Brief.")
    for backend in long:
        backend.play("It went on and on. " * 60)
    page = watch(viewport={"width": 1100, "height": 760})
    page.ask()
    page.expect_open_vote()
    boxes = [page[f"side-{side}"].locator("p").first.bounding_box() for side in "ab"]
    assert boxes[0]["height"] != boxes[1]["height"]
    assert boxes[0]["y"] == boxes[1]["y"]
    page.check_clean()


def width(page: Watch) -> int:
    return int(page.page.evaluate("() => document.documentElement.scrollWidth"))


@pytest.mark.parametrize("pixels", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(arena: Arena, watch: Open, pixels: int) -> None:
    arena.script(WIDE)
    page = watch(**(DESKTOP if pixels == 1280 else phone(pixels, 844)))
    assert width(page) <= pixels
    page.ask("Be wide: " + "w" * 300)
    page.expect_open_vote()
    assert width(page) <= pixels
    for elem_id in ("send", "asked", "side-a", "side-b", *VOTES, "new-battle"):
        box = page[elem_id].bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= pixels
    page["vote-a"].click()
    expect(page["reveal"]).to_contain_text("Your vote is stored")
    assert width(page) <= pixels
    page.page.get_by_role("tab", name="Leaderboard").click()
    expect(page["leaderboard"].locator("table")).to_be_visible()
    assert width(page) <= pixels
    page.check_clean()


def bar(page: Watch) -> list[float]:
    """Return where each vote's button is on the screen, which must be within it."""
    places: list[float] = []
    for elem_id in VOTES:
        box = page[elem_id].evaluate(
            "e => (({x, y, width, height}) => [x, y, width, height])(e.getBoundingClientRect())"
        )
        places += box
        assert box[1] > 0
        assert box[1] + box[3] <= page.page.viewport_size["height"]
        assert box[3] >= 40  # a thumb's width
    return places


def scroll(page: Watch, end: int) -> None:
    page.page.evaluate("end => window.scrollTo(0, end)", end)


@pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS.keys())
def test_the_votes_stay_in_view_and_where_they_are(arena: Arena, watch: Open, screen: dict[str, Any]) -> None:
    gate = Signal()
    arena.script("It went on and on. ", gate, "And on and on it went.\n\n" * 80)
    page = watch(**screen)
    places = pytest.approx(bar(page), abs=1)
    page["send"].click()
    expect(page["message"].locator(".alert")).to_be_in_viewport(ratio=1)
    assert bar(page) == places
    page.ask(f"What is it like on a {screen['viewport']['width']} by {screen['viewport']['height']} screen?")
    expect(page["side-a"]).to_contain_text("It went")
    assert bar(page) == places
    gate.set()
    page.expect_open_vote()
    for end in (0, 700, 100_000):
        scroll(page, end)
        assert bar(page) == places
    scroll(page, 300)
    page["vote-a"].click()
    expect(page["reveal"]).to_contain_text("Your vote is stored")
    expect(page["reveal"].locator(".verdict")).to_be_in_viewport(ratio=1)
    assert bar(page) == places
    page["new-battle"].click()
    expect(page["side-a"]).to_have_text("")
    expect(page.prompt).to_be_in_viewport(ratio=0.95)
    assert bar(page) == places
    page.check_clean()


# Whether a point in the middle of the element's last line is the element's own, or lies under something else.
IS_COVERED = """e => {
    const box = e.getBoundingClientRect();
    const found = document.elementFromPoint(box.x + box.width / 2, box.bottom - 4);
    return !e.contains(found);
}"""


@pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS.keys())
def test_the_bar_covers_no_end_of_a_text(arena: Arena, watch: Open, screen: dict[str, Any]) -> None:
    arena.script("And on and on it went.\n\n" * 60)
    page = watch(**screen)
    page["send"].click()
    alert = page["message"].locator(".alert")
    expect(alert).to_be_visible()
    assert not alert.evaluate(IS_COVERED)
    page.ask(f"And on a {screen['viewport']['width']} by {screen['viewport']['height']} screen?")
    page.expect_open_vote()
    page["vote-tie"].click()
    expect(page["reveal"].locator(".card").last).to_be_in_viewport(ratio=0.1)
    scroll(page, 100_000)
    for text in (page["side-b"].locator("p").last, page["reveal"].locator(".card").last, page["kept"].locator("p")):
        if text.evaluate("e => e.getBoundingClientRect().bottom > 0"):
            assert not text.evaluate(IS_COVERED)
    assert not page["kept"].locator("p").evaluate(IS_COVERED)


def test_a_verse_has_the_same_lines_while_it_grows_and_when_it_has_ended(arena: Arena, watch: Open) -> None:
    gate = Signal()
    arena.script("Roses are red,\nviolets are blue,\nsugar is sweet", gate, ", and so are you.")
    page = watch()
    page.ask()
    shown = page["side-a"].locator("p")
    expect(shown).to_contain_text("sugar")
    assert shown.inner_text().split("\n")[:2] == ["Roses are red,", "violets are blue,"]
    gate.set()
    page.expect_open_vote()
    lines = ["Roses are red,", "violets are blue,", "sugar is sweet, and so are you."]
    assert shown.inner_text().strip("\n\xa0 ").split("\n") == lines


@pytest.mark.parametrize("text", ["", "   \n"], ids=["nothing", "spaces"])
def test_a_reply_that_was_cut_or_is_empty_says_so(arena: Arena, watch: Open, text: str) -> None:
    cut, empty = arena.backends.values()
    cut.play(make_reply("It went on and", finish="length"))
    empty.play(make_reply(text))
    page = watch()
    page.ask(f"Be brief{len(text)}.")
    page.expect_open_vote()
    shown = sorted(page[f"side-{side}"].inner_text().strip() for side in "ab")
    assert shown[0] == "(an empty reply)"
    assert shown[1].split("\n\n") == ["It went on and", "The reply was cut here: it had reached the maximum length."]


HEAVY = {
    "letters without a space": "x" * 100_000,
    "heaped accents": "a" + "\u0301" * 100_000,
    "accents": "a\u0301" * 50_000,
    "quotes": ">" * 10_000 + " deep",
    "lists": "\n".join("  " * depth + "- a" for depth in range(300)),
    "stars": "*" * 50_000,
    "brackets": "[" * 50_000,
    "backticks": "`" * 50_000,
    "nested emphasis": "*a **b " * 1_000 + "** *" * 1_000,
    "lines": "A line.\n" * 12_000,
    "turning letters": "\u202eabc" * 20_000,
    "rows": "a|b\n-|-\n" + "x|y\n" * 1_400,
}


@pytest.mark.parametrize("name", HEAVY)
def test_a_heavy_reply_does_not_freeze_the_browser(watch: Open, name: str) -> None:
    page = watch(**DESKTOP)
    took = page.page.evaluate(
        """(reply) => {
            const began = performance.now();
            for (const side of ['a', 'b']) document.querySelector(`#side-${side} .prose`).innerHTML = reply;
            document.body.getBoundingClientRect();
            const painted = new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            return painted.then(() => performance.now() - began);
        }""",
        render_reply(HEAVY[name]),
    )
    assert took < 2000
    assert width(page) <= 1280
