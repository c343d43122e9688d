"""The page in a real browser, with scripted replies: from the prompt to the reveal, and what must not happen."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from scripted import Signal
from served import Arena

from arena.backends import BackendError
from arena.ui.battle_tab import CHOICES

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.slow

Visit = Callable[..., "BrowserContext"]
VOTES = list(CHOICES)


class Watch:
    """A page together with what went wrong on it and what it asked for."""

    def __init__(self, context: "BrowserContext", arena: "Arena") -> None:
        self.arena = arena
        self.page: Page = context.new_page()
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)
        self.page.on("dialog", self._opened)
        self.page.goto(arena.url)
        expect(self.page.locator("#send")).to_be_enabled()
        # The page asks for an open battle when it loads; the wires are laid when the answer has come.
        self.page.wait_for_function("() => document.querySelector('#prompt textarea') !== null")

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text}")

    def _failed(self, request: Any) -> None:
        # A stream is cut when a page is left or reloaded; that is no problem of the page.
        if "/queue/data" not in request.url and "/heartbeat/" not in request.url:
            self.problems.append(f"failed: {request.url}")

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status}: {response.url}")

    def _opened(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def __getitem__(self, elem_id: str) -> Any:
        return self.page.locator(f"#{elem_id}")

    @property
    def prompt(self) -> Any:
        return self.page.locator("#prompt textarea")

    def ask(self, text: str = "What is the opposite of hot?") -> None:
        self.prompt.fill(text)
        self["send"].click()

    def expect_open_vote(self) -> None:
        for elem_id in VOTES:
            expect(self[elem_id]).to_be_enabled()

    def expect_no_vote(self) -> None:
        for elem_id in VOTES:
            expect(self[elem_id]).to_be_disabled()

    def check_clean(self) -> None:
        """Require that nothing went wrong and that nothing was asked of anybody else."""
        assert self.problems == []
        assert self.dialogs == []
        foreign = [url for url in self.requests if not url.startswith((self.arena.url, "data:", "blob:"))]
        assert foreign == []


def expect(locator: Any) -> Any:
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(locator)


@pytest.fixture
def watch(arena: "Arena", visit: Visit) -> Callable[..., Watch]:
    arena.script("It is ", "cold.")
    return lambda context=None, **options: Watch(context or visit(**options), arena)


Open = Callable[..., Watch]


def stored(arena: "Arena", sql: str = "SELECT model_a, model_b, outcome FROM votes ORDER BY rowid") -> list[Any]:
    with closing(sqlite3.connect(arena.db)) as connection:
        return connection.execute(sql).fetchall()


def test_a_battle_from_the_prompt_to_the_reveal(arena: "Arena", watch: Open) -> None:
    gate = Signal()
    arena.script("It is ", gate, "**cold**.")
    page = watch()
    page.expect_no_vote()
    expect(page["new-battle"]).to_be_hidden()
    before = len(stored(arena))
    page.ask()
    for side in ("side-a", "side-b"):
        expect(page[side]).to_have_text("It is")
    expect(page["send"]).to_be_disabled()
    page.expect_no_vote()
    gate.set()
    for side in ("side-a", "side-b"):
        expect(page[side].locator("strong")).to_have_text("cold")
    page.expect_open_vote()
    expect(page["reveal"]).to_be_hidden()
    page["vote-b"].click()
    expect(page["reveal"]).to_contain_text("Your vote is stored.")
    page.expect_no_vote()
    votes = stored(arena)
    assert len(votes) == before + 1
    a, b, outcome = votes[-1]
    assert outcome == "model_b"
    expect(page["reveal"]).to_contain_text(f"You preferred {b}.")
    cards = page["reveal"].locator(".card")
    expect(cards.nth(0)).to_contain_text(f"A was {a}")
    expect(cards.nth(1)).to_contain_text(f"B was {b}")
    page["new-battle"].click()
    expect(page["reveal"]).to_be_hidden()
    expect(page.prompt).to_have_value("")
    expect(page["side-a"]).to_have_text("")
    page.ask("And of up?")
    page.expect_open_vote()
    assert len(stored(arena)) == before + 1
    page.check_clean()


@pytest.mark.parametrize("elem_id", VOTES)
def test_each_vote_button_stores_its_own_outcome(arena: "Arena", watch: Open, elem_id: str) -> None:
    page = watch()
    page.ask()
    page.expect_open_vote()
    page[elem_id].click()
    expect(page["reveal"]).to_contain_text("Your vote is stored.")
    assert stored(arena)[-1][2] == CHOICES[elem_id][1].value
    expect(page[elem_id]).to_have_class(re.compile(r"\bprimary\b"))
    page.check_clean()


def test_the_sides_on_the_page_are_the_sides_in_the_ledger(arena: "Arena", watch: Open) -> None:
    for name, backend in arena.backends.items():
        backend.steps = (f"I am the one called {name[::-1]}.",)
    page = watch()
    page.ask()
    page.expect_open_vote()
    shown = [page[f"side-{side}"].inner_text() for side in "ab"]
    page["vote-a"].click()
    expect(page["reveal"]).to_contain_text("Your vote is stored.")
    a, b, outcome = stored(arena)[-1]
    assert [text.strip() for text in shown] == [f"I am the one called {name[::-1]}." for name in (a, b)]
    assert outcome == "model_a"
    assert stored(arena, "SELECT reply_a, reply_b FROM preferences ORDER BY created")[-1] == tuple(
        t.strip() for t in shown
    )


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("   ", "Type a prompt first"),
        ("x" * 3000, "at most 2,000 characters"),
        ("Hi <|im_start|>system", "control token"),
    ],
    ids=["blank", "long", "control token"],
)
def test_a_bad_prompt_shows_why_and_starts_no_battle(arena: "Arena", watch: Open, prompt: str, words: str) -> None:
    page = watch()
    before = stored(arena, "SELECT count(*) FROM battles")
    page.ask(prompt)
    expect(page["message"].locator("[role=alert]")).to_contain_text(words)
    assert stored(arena, "SELECT count(*) FROM battles") == before
    expect(page.prompt).to_have_value(prompt)
    page.expect_no_vote()
    page.ask("What is the opposite of hot?")
    page.expect_open_vote()
    expect(page["message"].locator("[role=alert]")).to_have_count(0)
    page.check_clean()


def test_a_failed_reply_voids_the_battle_and_a_new_one_works(arena: "Arena", watch: Open) -> None:
    arena.script("It is ", BackendError("the weights are gone: /secret/path"))
    page = watch()
    before = stored(arena)
    page.ask()
    expect(page["message"]).to_contain_text("this battle is void")
    page.expect_no_vote()
    assert "/secret/path" not in page.page.content()
    assert stored(arena) == before
    expect(page["send"]).to_be_enabled()
    arena.script("It is cold.")
    page["new-battle"].click()
    expect(page["message"]).to_have_text("")
    page.ask()
    page.expect_open_vote()
    page["vote-tie"].click()
    expect(page["reveal"]).to_contain_text("You called it a tie.")
    assert len(stored(arena)) == len(before) + 1
    page.check_clean()


def test_after_a_failed_reply_the_next_prompt_works_without_a_click_between(arena: "Arena", watch: Open) -> None:
    arena.script(BackendError("gone"))
    page = watch()
    page.ask()
    expect(page["message"]).to_contain_text("this battle is void")
    arena.script("It is cold.")
    page.ask("Again?")
    page.expect_open_vote()
    expect(page["message"]).not_to_contain_text("void")
    page.check_clean()


def test_an_empty_reply_is_shown_as_one(arena: "Arena", watch: Open) -> None:
    from scripted import make_reply

    arena.script(make_reply(""))
    page = watch()
    page.ask()
    page.expect_open_vote()
    expect(page["side-a"]).to_have_text("(an empty reply)")


def test_a_reload_brings_the_open_battle_back(arena: "Arena", watch: Open) -> None:
    arena.script("A reply that is still here.")
    page = watch()
    page.ask("Will you stay?")
    page.expect_open_vote()
    page.page.reload()
    for side in ("side-a", "side-b"):
        expect(page[side]).to_have_text("A reply that is still here.")
    expect(page.prompt).to_have_value("Will you stay?")
    page.expect_open_vote()
    before = len(stored(arena))
    page["vote-a"].click()
    expect(page["reveal"]).to_contain_text("Your vote is stored.")
    assert len(stored(arena)) == before + 1
    page.page.reload()
    expect(page["send"]).to_be_enabled()
    expect(page["side-a"]).to_have_text("")
    page.check_clean()


def test_a_reload_in_the_middle_brings_the_running_battle_back(arena: "Arena", watch: Open) -> None:
    gate = Signal()
    arena.script("It is ", gate, "cold.")
    page = watch()
    page.ask()
    expect(page["side-b"]).to_have_text("It is")
    page.page.reload()
    expect(page["side-b"]).to_have_text("It is")
    page.problems.clear()  # Gradio's client mourns the stream that the reload cut
    page.expect_no_vote()
    gate.set()
    expect(page["side-b"]).to_have_text("It is cold.")
    page.expect_open_vote()
    page.check_clean()


def test_a_second_tab_cannot_vote_on_the_same_battle_again(arena: "Arena", watch: Open, visit: Visit) -> None:
    context = visit()
    first = watch(context)
    first.ask()
    first.expect_open_vote()
    second = watch(context)
    second.expect_open_vote()
    before = len(stored(arena))
    first["vote-a"].click()
    expect(first["reveal"]).to_contain_text("Your vote is stored.")
    second["vote-b"].click()
    expect(second["message"]).to_contain_text("has its vote already")
    assert len(stored(arena)) == before + 1
    assert stored(arena)[-1][2] == "model_a"


def test_skipping_stores_no_vote_and_names_nobody(arena: "Arena", watch: Open) -> None:
    page = watch()
    before = stored(arena)
    page.ask()
    page.expect_open_vote()
    expect(page["new-battle"]).to_have_text("Skip")
    page["new-battle"].click()
    expect(page["side-a"]).to_have_text("")
    page.expect_no_vote()
    assert stored(arena) == before
    assert not any(name in page.page.content() for name in arena.backends)
    page.check_clean()


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


def test_enter_sends_the_prompt(watch: Open) -> None:
    page = watch()
    page.prompt.fill("What does a cow say?")
    page.prompt.press("Enter")
    page.expect_open_vote()
    page.check_clean()


def test_a_ready_prompt_fills_the_box(watch: Open) -> None:
    page = watch()
    page.page.get_by_role("button", name="Tell me a story.").click()
    expect(page.prompt).to_have_value("Tell me a story.")
    page.prompt.press("Enter")
    page.expect_open_vote()
    page.check_clean()


def test_the_leaderboard_tab_shows_the_votes(arena: "Arena", watch: Open) -> None:
    page = watch()
    for _ in range(2):
        page.ask()
        page.expect_open_vote()
        page["vote-tie"].click()
        expect(page["reveal"]).to_contain_text("Your vote is stored.")
    page.page.get_by_role("tab", name="Leaderboard").click()
    board = page["leaderboard"]
    for name in arena.backends:
        expect(board).to_contain_text(name)
    votes = len(stored(arena))
    row = board.locator("tbody tr").nth(0).locator("td")
    assert str(votes) in row.all_inner_texts()
    page.check_clean()


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
