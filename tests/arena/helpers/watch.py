"""A page in a real browser, with a record of everything that goes wrong on it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from arena.ui.battle_tab import CHOICES
from tests.arena.helpers.served import Arena

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

Visit = Callable[..., "BrowserContext"]
VOTES = list(CHOICES)


class Watch:
    """A page together with what went wrong on it and what it asked for."""

    def __init__(self, context: "BrowserContext", arena: "Arena", url: str = "") -> None:
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
        self.page.goto(url or arena.url)
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


Open = Callable[..., Watch]


def expect(locator: Any) -> Any:
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(locator)


def stored(arena: "Arena", sql: str = "SELECT model_a, model_b, outcome FROM votes ORDER BY rowid") -> list[Any]:
    with closing(sqlite3.connect(arena.db)) as connection:
        return connection.execute(sql).fetchall()
