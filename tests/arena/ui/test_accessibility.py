"""The page for people who cannot see it, see it badly, or use no mouse."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.arena.helpers.played import Signal
from tests.arena.helpers.served import Arena, serve
from tests.arena.helpers.watch import VOTES, Open, Visit, Watch, expect

pytestmark = pytest.mark.slow

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
EVERYTHING = """# Head

One *word* and a [link](https://example.org), `code` and ![an image](x.png).

### Too deep

1. One
2. Two

> Quoted.

| a | b |
|---|---|
| 1 | 2 |

```python
x = "a line that is far too long for any screen of a phone, and too long for half a desktop's screen as well"
```

مرحبا بالعالم

"""


def violations(page: Watch) -> list[str]:
    """Return what axe-core finds against the page, by all of its rules."""
    found = Axe().run(page.page).response["violations"]
    return [f"{one['id']} ({one['impact']}): {node['html']}" for one in found for node in one["nodes"]]


# For every text on the page, those on switched-off buttons and in an empty box too, how far it stands out.
PALE = """() => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
    const pen = canvas.getContext('2d', {willReadFrequently: true});
    const seen = (colours) => {
        for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
        return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
            .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
    };
    const isSeen = (e) => e.checkVisibility() && (e.offsetWidth > 1 || e.ownerSVGElement);
    const isText = (node) => node.nodeType === 3 && node.textContent.trim() !== '';
    const texts = [...document.body.querySelectorAll('*')]
        .filter((e) => isSeen(e) && (e.matches('textarea') || [...e.childNodes].some(isText)));
    return texts.flatMap((element) => {
        const grounds = [];
        let opacity = 1;
        for (let e = element; e; e = e.parentElement) {
            grounds.unshift(getComputedStyle(e).backgroundColor);
            opacity *= getComputedStyle(e).opacity;
        }
        const colours = [getComputedStyle(element)[element.ownerSVGElement ? 'fill' : 'color']];
        if (element.matches('textarea')) colours.push(getComputedStyle(element, '::placeholder').color);
        return colours.map((colour) => {
            const both = [seen(['#fff', ...grounds]), seen(['#fff', ...grounds, colour])];
            const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
            return [element.textContent.trim().slice(0, 40), contrast, opacity];
        });
    }).filter(([, contrast, opacity]) => contrast < 4.5 || opacity < 1);
}"""


def check(page: Watch) -> None:
    assert violations(page) == []
    assert page.page.evaluate(PALE) == []


@pytest.fixture
def fresh_arena(tmp_path: Path) -> Iterator[Arena]:
    """Serve an arena without a vote."""
    with serve(tmp_path) as served:
        yield served


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_state_of_the_page_breaks_a_rule_of_axe_or_is_hard_to_read(
    fresh_arena: Arena, visit: Visit, screen: dict[str, Any], scheme: str
) -> None:
    page = Watch(visit(color_scheme=scheme, **screen), fresh_arena)
    check(page)
    page.page.get_by_role("tab", name="Leaderboard").click()
    expect(page["leaderboard"]).to_contain_text("no votes")
    check(page)
    page.page.get_by_role("tab", name="Battle").click()
    page["send"].click()
    expect(page["message"].locator(".alert")).to_be_visible()
    check(page)
    gate = Signal()
    fresh_arena.script(EVERYTHING, gate, "The end, " * 3)
    page.ask("What is the opposite of hot?\n" * 60)
    for side in ("side-a", "side-b"):
        expect(page[side].locator("h3")).to_be_visible()
    check(page)
    gate.set()
    page.expect_open_vote()
    check(page)
    page["vote-tie"].click()
    expect(page["reveal"]).to_contain_text("Your vote is stored")
    check(page)
    fresh_arena.script("It is cold.")
    page.ask("And now?")
    page.expect_open_vote()
    page["vote-a"].click()
    expect(page["reveal"]).to_contain_text("Your vote is stored")
    page.page.get_by_role("tab", name="Leaderboard").click()
    expect(page["leaderboard"].locator("tbody tr")).to_have_count(2)
    expect(page["leaderboard-plot"].locator(".ytick text")).to_have_count(2)
    check(page)
    page.check_clean()


def test_everything_has_a_name_for_screen_readers(arena: Arena, watch: Open) -> None:
    page = watch()
    found = page.page
    expect(found.get_by_role("textbox", name="Your prompt")).to_be_visible()
    expect(found.get_by_role("group", name="Ready prompts").get_by_role("button")).to_have_count(2)
    expect(found.get_by_role("group", name="Your vote").get_by_role("button")).to_have_count(len(VOTES))
    for side in "AB":
        region = found.get_by_role("region", name=f"Reply {side}")
        expect(region.get_by_role("heading", name=f"Reply {side}", level=2)).to_be_visible()
    expect(found.get_by_role("heading", level=1)).to_have_text("Checkpoint arena")
    page.ask("Why?\nHow?")
    page.expect_open_vote()
    expect(found.get_by_role("group", name="Your prompt")).to_contain_text("Why?")
    page["vote-a"].click()
    expect(found.get_by_role("region", name="Who wrote them")).to_contain_text("Your vote is stored")


def test_messages_appear_in_live_regions_that_exist_before(arena: Arena, watch: Open) -> None:
    page = watch()
    polite, urgent = page["message"].get_by_role("status"), page["message"].get_by_role("alert")
    before = [polite.element_handle(), urgent.element_handle()]
    page["send"].click()
    expect(urgent).to_contain_text("Type a prompt first")
    expect(polite).to_have_text("")
    page.ask()
    page.expect_open_vote()
    expect(polite).to_contain_text("Which reply is better?")
    expect(urgent).to_have_text("")
    after = [polite.element_handle(), urgent.element_handle()]
    assert all(page.page.evaluate("([a, b]) => a === b", list(pair)) for pair in zip(before, after, strict=True))


def test_a_growing_reply_is_busy_and_not_read_out_word_by_word(arena: Arena, watch: Open) -> None:
    gate = Signal()
    arena.script("It is as cold as ", gate, "ice.")
    page = watch()
    page.ask()
    for side in "ab":
        expect(page[f"side-{side}"]).to_contain_text("It is")
        expect(page[f"box-{side}"]).to_have_attribute("aria-busy", "true")
        live = "e => e.closest('[aria-live]:not([aria-live=off]), [role=status], [role=alert], [role=log]')"
        assert page[f"side-{side}"].locator("p").evaluate(live) is None
    gate.set()
    page.expect_open_vote()
    for side in "ab":
        expect(page[f"box-{side}"]).to_have_attribute("aria-busy", "false")


@pytest.mark.parametrize("elem_id", VOTES)
def test_after_a_vote_the_focus_is_on_the_names_and_then_on_the_next_prompt(
    arena: Arena, watch: Open, elem_id: str
) -> None:
    page = watch()
    page.ask(f"{elem_id}?")
    page.expect_open_vote()
    page[elem_id].press("Enter")
    expect(page["reveal"]).to_be_focused()
    page["new-battle"].press("Enter")
    expect(page.prompt).to_be_focused()
    page.check_clean()


def test_sending_leaves_the_focus_where_the_battle_is(arena: Arena, watch: Open) -> None:
    gate = Signal()
    arena.script("It is as cold as ", gate, "ice.")
    page = watch()
    page.ask()
    expect(page["asked"]).to_be_focused()
    gate.set()
    page.expect_open_vote()
    page["new-battle"].click()  # which skips it
    expect(page.prompt).to_be_focused()
    page.prompt.fill("And of wet?")
    page.prompt.press("Enter")
    page.expect_open_vote()
    expect(page.prompt).to_be_focused()


def test_sending_over_an_open_battle_leaves_the_focus_where_the_new_one_is(arena: Arena, watch: Open) -> None:
    arena.script("It is cold.")
    page = watch()
    page.ask("Is it cold?")
    page.expect_open_vote()
    gate = Signal()
    arena.script("It is as wet as ", gate, "water.")
    page.prompt.fill("Is it wet?")
    page["send"].press("Enter")
    expect(page["asked"]).to_contain_text("wet")
    expect(page["asked"]).to_be_focused()
    gate.set()
    page.expect_open_vote()
    expect(page["asked"]).to_be_focused()


def test_arrows_go_from_tab_to_tab(arena: Arena, watch: Open) -> None:
    page = watch()
    battle, board = (page.page.get_by_role("tab", name=name) for name in ("Battle", "Leaderboard"))
    battle.focus()
    for key, now in (
        ("ArrowRight", board),
        ("ArrowRight", battle),
        ("End", board),
        ("Home", battle),
        ("ArrowLeft", board),
    ):
        page.page.keyboard.press(key)
        expect(now).to_be_focused()
        expect(now).to_have_attribute("aria-selected", "true")


def test_a_long_prompt_is_shown_clamped_and_scrolls_from_the_keyboard(arena: Arena, watch: Open) -> None:
    page = watch()
    page.ask("A line of verse\n" * 80)
    page.expect_open_vote()
    asked = page.page.get_by_role("group", name="Your prompt")
    assert asked.bounding_box()["height"] < 200
    asked.focus()
    before = asked.evaluate("e => e.scrollTop")
    asked.press("End")
    page.page.wait_for_function("before => document.querySelector('#asked .asked').scrollTop > before", arg=before)


def test_nothing_moves_for_those_who_asked_for_no_motion(arena: Arena, watch: Open) -> None:
    page = watch(reduced_motion="reduce")
    longest = page.page.evaluate(
        """() => Math.max(...[...document.querySelectorAll('*')].flatMap((e) => [
            ...getComputedStyle(e).animationDuration.split(','), ...getComputedStyle(e).transitionDuration.split(','),
        ]).map(parseFloat))"""
    )
    assert longest < 0.01
