"""A browser that keeps no cookie gets a message about it, and does not reload the page again and again."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.arena.helpers.served import Arena
from tests.arena.helpers.watch import Visit, Watch, expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow


def find_browser() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(path for name in names if (path := shutil.which(name)))


def test_a_browser_that_blocks_cookies_gets_one_message(arena: Arena, browser: "Browser", tmp_path: Path) -> None:
    settings = tmp_path / "Default" / "Preferences"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"profile": {"default_content_setting_values": {"cookies": 2}}}))
    context = browser.browser_type.launch_persistent_context(
        tmp_path,
        executable_path=find_browser(),
        args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    )
    loads: list[str] = []
    page = context.new_page()
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    page.goto(arena.url)
    expect(page.locator("#no-cookies")).to_be_visible()
    page.wait_for_timeout(7000)  # Gradio asks every two seconds whether it may load the page again
    context.close()
    assert len(loads) == 1


def test_a_deleted_cookie_is_reported_where_the_click_was(arena: Arena, visit: Visit) -> None:
    arena.script("It is cold.")
    page = Watch(visit(), arena)
    page.ask()
    page.expect_open_vote()
    page.page.context.clear_cookies()
    page["vote-a"].click()
    expect(page.page.locator(".toast-body")).to_contain_text("load the page again")
