"""The board and its intervals as a picture, taken of the page by the machine's own Chromium.

plotly can export its figures alone, and needs a library and a browser for it. The browser is enough: it
is started twice without a window, first to measure how tall the page is, then to take its picture. It
reads one local file and asks the network for nothing.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ratings.errors import OutputError
from ratings.report.html.page import SUMMARY, report_html
from ratings.report.report import Report

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Programs that can take the picture, in the order in which they are looked for."""

WIDTH = 1000
"""Of the page, in CSS pixels; the picture has twice as many, for sharp text."""

TIME_LIMIT = 60.0
"""Seconds for each start of the browser."""

# Low, as a page never measures less than its window.
_FIRST_HEIGHT = 400
# The browser prints the page as it stands after its scripts, so they can leave a note in it.
_MEASURE = (
    "addEventListener('load', () => { const root = document.documentElement;"
    " root.dataset.height = root.scrollHeight; });"
)


def write_png(report: Report, path: Path, *, time_limit: float = TIME_LIMIT) -> None:
    """Write a PNG of headline, board and intervals to `path`, aside and then renamed, in light colours.

    Raises OutputError where no browser is found, where it fails or takes longer than `time_limit`
    seconds per start, or where `path` cannot be written.
    """
    browser = find_browser()
    page = report_html(report, SUMMARY, extra_script=_MEASURE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            source, picture = Path(folder) / "page.html", Path(folder) / "page.png"
            source.write_text(page, encoding="utf-8")
            printed = _run(browser, source, _FIRST_HEIGHT, ["--dump-dom"], time_limit)
            _run(browser, source, _height(browser, printed), [f"--screenshot={picture}"], time_limit)
            if not picture.is_file():
                raise OutputError(f"{path}: {browser} took no picture of the page; try another version of it")
            os.replace(picture, path)
    except OSError as problem:
        raise OutputError(f"{path}: cannot be written: {problem.strerror or problem}") from None


def find_browser() -> str:
    """Return the path of the first browser found; raise OutputError where there is none."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise OutputError(
            f"a PNG needs a browser on the PATH: install Chromium ({', '.join(BROWSERS)}), or leave it out"
        )
    return found


def _run(browser: str, source: Path, height: int, task: list[str], time_limit: float) -> str:
    """Return what the browser prints about the page in a window of this height."""
    options = [
        "--headless",
        "--disable-gpu",
        "--hide-scrollbars",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--force-device-scale-factor=2",
        "--virtual-time-budget=10000",  # the figures are drawn by then, and no real time passes
        f"--window-size={WIDTH},{height}",
        f"--user-data-dir={source.parent / 'profile'}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium refuses to start for root with it
    try:
        done = subprocess.run(
            [browser, *options, *task, source.as_uri()], capture_output=True, timeout=time_limit, check=False
        )
    except subprocess.TimeoutExpired:
        raise OutputError(f"{browser} took longer than {time_limit:g} s to draw the page; try again") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise OutputError(f"{browser} cannot draw the page (exit status {done.returncode}): {lines[-1][:200]}")
    return done.stdout.decode(errors="replace")


def _height(browser: str, printed: str) -> int:
    """Return the height that the page gives of itself."""
    height = re.search(r'<html[^>]* data-height="(\d+)"', printed)
    if height is None:
        raise OutputError(f"{browser} printed no page to measure; try another version of it")
    return int(height[1])
