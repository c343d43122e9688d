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


def test_a_mistake_is_one_line_on_stderr_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().error("two\nlines")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: two lines\n"
