"""The command line of app.py; what it refuses is in tests/arena/test_app_refusals.py."""

from pathlib import Path

import pytest

from arena.server.options import build_parser, parse_options
from arena.server.site import Site


def test_the_defaults_are_an_arena_of_ones_own() -> None:
    options = parse_options([])
    assert (options.models, options.db) == (Path("models.yaml"), Path("data/arena.db"))
    assert (options.host, options.port, options.site) == ("127.0.0.1", 7860, Site())


def test_a_command_line_is_read_as_it_is_meant() -> None:
    words = ["--root-path", "/arena/", "--proxy", "10.0.0.0/8,::1", "--host", "[::1]", "--port", "80"]
    options = parse_options([*words, "--frame-ancestors", "https://a.example  https://*.b.example:8443"])
    assert options.site == Site("/arena", ("10.0.0.0/8", "::1"), ("https://a.example", "https://*.b.example:8443"))
    assert (options.host, options.port, parse_options([]).site) == ("::1", 80, Site())


@pytest.mark.parametrize(("text", "size"), [("4", 4 * 10**9), ("0.5", 5 * 10**8)])
def test_memory_is_given_in_gigabytes(text: str, size: int) -> None:
    assert parse_options(["--memory", text]).memory == size


def test_weights_are_loaded_at_the_start_as_far_as_they_fit_unless_that_is_not_wanted() -> None:
    options = parse_options([])
    assert (options.memory, options.preload, options.check) == (None, True, False)
    assert parse_options(["--no-preload"]).preload is False


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "much", ""])
def test_what_is_no_amount_of_memory_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options([f"--memory={text}"])
    assert "write GB, such as 4 or 0.5" in capsys.readouterr().err


def test_a_mistake_is_one_line_on_stderr_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().error("two\nlines")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: two lines\n"
