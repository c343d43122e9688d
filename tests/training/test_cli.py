"""The parser: every command explains itself, and an incomplete one is refused."""

import pytest

from training.__main__ import main
from training.stages import STAGES

COMMANDS = ("run", *(stage.command for stage in STAGES))


@pytest.mark.parametrize("command", [(), *((command,) for command in COMMANDS)])
def test_every_command_explains_itself(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main([*command, "--help"])
    assert exit.value.code == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in (("--out", "--set", "--force") if command else COMMANDS))


@pytest.mark.parametrize(
    "words", [(), ("fly",), ("run", "nano"), ("sft", "--out", "x"), ("run", "nano", "--out", "x", "--speed", "3")]
)
def test_an_incomplete_command_line_ends_with_code_2(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        main(list(words))
    assert exit.value.code == 2
    assert "Traceback" not in capsys.readouterr().err
