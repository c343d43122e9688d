"""How the page lies on a desktop's and on a phone's screen, in a real browser."""

from typing import TYPE_CHECKING

import pytest
from served import Arena
from watch import VOTES, Open, Watch, expect

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.slow


def test_a_short_reply_begins_as_high_as_a_long_one(arena: "Arena", watch: Open) -> None:
    short, *long = arena.backends.values()
    short.play("Brief.")
    for backend in long:
        backend.play("It went on and on. " * 60)
    page = watch(viewport={"width": 1100, "height": 760})
    for _ in range(20):  # until the short one meets a long one
        page.ask()
        page.expect_open_vote()
        boxes = [page[f"side-{side}"].bounding_box() for side in "ab"]
        if "Brief." in page["side-a"].inner_text() + page["side-b"].inner_text():
            break
        page["skip"].click()
        page.expect_no_vote()
    assert boxes[0]["height"] != boxes[1]["height"]
    assert boxes[0]["y"] == boxes[1]["y"]
    page.check_clean()


def width(page: Watch) -> int:
    return int(page.page.evaluate("() => document.documentElement.scrollWidth"))


def test_on_a_phone_nothing_is_wider_than_the_screen(arena: "Arena", watch: Open) -> None:
    table = "|a" * 14 + "|\n" + "|-" * 14 + "|\n" + "|some" * 14 + "|"
    arena.script(
        "```\n"
        + "y" * 300
        + f"\n```\n\n{table}\n\n"
        + "x" * 300
        + "\n\n# "
        + "H" * 90
        + "\n\n["
        + "l" * 200
        + "](https://example.org/"
        + "p" * 300
        + ")"
    )
    page = watch(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    assert width(page) <= 390
    page.ask("Be wide.")
    page.expect_open_vote()
    assert width(page) <= 390
    for elem_id in ("send", "side-a", "side-b", *VOTES):
        box = page[elem_id].bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    page["vote-a"].click()
    expect(page["reveal"]).to_contain_text("Your vote is stored.")
    assert width(page) <= 390
    page.page.get_by_role("tab", name="Leaderboard").click()
    expect(page["leaderboard"].locator("table")).to_be_visible()
    assert width(page) <= 390
    page.check_clean()
