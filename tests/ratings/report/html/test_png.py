"""The picture is taken by whatever browser is found, and every way it can fail is said in one line."""

import struct
from pathlib import Path

import pytest

from ratings.errors import OutputError, RatingsError
from ratings.report.html.png import BROWSERS, WIDTH, find_browser, write_png
from tests.ratings.helpers.reports import minimal_report

DRAW = """#!/bin/sh
for word; do case "$word" in
  --dump-dom) echo '<html lang="en" data-height="900">' ;;
  --screenshot=*) echo "$@" > "${word#--screenshot=}" ;;
esac; done
"""


@pytest.fixture
def path_of_browsers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that alone is searched for browsers, beside the shell's own tools."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(folder: Path, script: str, name: str = BROWSERS[0]) -> None:
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


def test_without_a_browser_the_error_says_what_to_install(path_of_browsers: Path, tmp_path: Path) -> None:
    with pytest.raises(RatingsError, match="install Chromium"):
        write_png(minimal_report(), tmp_path / "board.png")


def test_browsers_are_looked_for_in_order(path_of_browsers: Path) -> None:
    install(path_of_browsers, DRAW, BROWSERS[2])
    assert find_browser().endswith(BROWSERS[2])
    install(path_of_browsers, DRAW, BROWSERS[0])
    assert find_browser().endswith(BROWSERS[0])


def test_window_is_as_tall_as_the_page_says(path_of_browsers: Path, tmp_path: Path) -> None:
    install(path_of_browsers, DRAW)
    write_png(minimal_report(), tmp_path / "new" / "board.png")
    told = (tmp_path / "new" / "board.png").read_text()
    assert f"--window-size={WIDTH},900" in told
    assert told.rstrip().endswith("page.html")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["board.png"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("#!/bin/sh\necho first >&2; echo no display >&2; exit 3\n", "exit status 3.*no display"),
        ("#!/bin/sh\nexit 0\n", "printed no page to measure"),
        (DRAW.replace('echo "$@" >', ": "), "took no picture"),
        ("#!/bin/sh\nwhile :; do :; done\n", "longer than 0.3 s"),
    ],
)
def test_failing_browser_is_one_line_and_leaves_the_earlier_picture(
    path_of_browsers: Path, tmp_path: Path, script: str, message: str
) -> None:
    install(path_of_browsers, script)
    picture = tmp_path / "board.png"
    picture.write_text("earlier")
    with pytest.raises(OutputError, match=message) as raised:
        write_png(minimal_report(), picture, time_limit=0.3 if "while" in script else 20)
    assert "\n" not in str(raised.value)
    assert picture.read_text() == "earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "board.png"]


def test_folder_that_cannot_be_made_is_said(path_of_browsers: Path, tmp_path: Path) -> None:
    install(path_of_browsers, DRAW)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"board\.png: cannot be written"):
        write_png(minimal_report(), tmp_path / "file" / "board.png")


@pytest.mark.slow
def test_chromium_takes_the_whole_page(tmp_path: Path) -> None:
    picture = tmp_path / "board.png"
    write_png(minimal_report(), picture)
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    assert width == 2 * WIDTH
    assert 1_000 < height < 2_500
