"""One command: two servers, one arena."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import yaml

from arena.quick.__main__ import main
from tests.arena.helpers.program import running
from tests.arena.quick.scripted import listed, say, saying

KEY = "sk-Birch7Tree-0000"


@pytest.fixture
def two() -> Iterator[list[str]]:
    """Serve two models at two addresses."""
    with ExitStack() as stack:
        yield [stack.enter_context(saying(listed(name, owner="vllm"))) for name in ("alder", "birch")]


def refusal(capsys: pytest.CaptureFixture[str], *words: str, **environment: str) -> list[str]:
    assert main(list(words), environment) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_the_arena_opens_with_what_the_servers_list(two: list[str], root: Path, tmp_path: Path) -> None:
    words = ["-m", "arena.quick", *two, "--port", "0", "--db", str(tmp_path / "quick.db")]
    with running(root, words, tmp_path / "log") as program:
        page = httpx.get(program.url, timeout=30)
        assert page.status_code == 200
        assert "Explain to a ten-year-old" in page.text
        assert not any(word in page.text for word in ("alder", "birch", *(url.split("//")[1] for url in two)))
        code, output, _ = program.stop()
    assert (code, "stopped" in output) == (0, True)
    assert (tmp_path / "quick.db").exists()


def test_the_file_is_written_instead_and_never_over_another(
    two: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "models.yaml"
    assert main([*two, "--models-out", str(file), "--api-key-env", "-", "--api-key-env", "K"], {"K": KEY}) == 0
    assert f"python app.py --models {file}" in capsys.readouterr().out
    entries = yaml.safe_load(file.read_text())["contestants"]
    assert [(entry["name"], entry.get("api_key_env")) for entry in entries] == [("alder", None), ("birch", "K")]
    assert KEY not in file.read_text()
    assert refusal(capsys, *two, "--models-out", str(file)) == [
        f"error: {file} exists: remove it, or give another --models-out"
    ]


def test_every_server_that_cannot_be_used_has_its_line(two: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with (
        saying({"/v1/models": (200, "text/html", b"<html>")}) as page,
        saying({"/v1/models": say({"data": []})}) as none,
    ):
        lines = refusal(capsys, two[0], page, "http://127.0.0.1:1", none, "ftp://x")
    assert len(lines) == 4
    for line, told in zip(lines, ("URL 2: http", "URL 3: http", "URL 4: http", "URL 5: no address"), strict=True):
        assert line.startswith(f"error: {told}")


def test_fewer_than_two_models_are_no_battle(two: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    [line] = refusal(capsys, two[0])
    assert line == "error: a battle needs at least 2 models, and 1 model is listed (alder): give another URL"
    [line] = refusal(capsys, *two, "--only", "oak*")
    assert (
        line == "error: a battle needs at least 2 models, and 0 models match oak* (alder, birch): give another --only"
    )


def test_one_address_twice_is_no_battle_of_a_model_with_itself(
    two: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([two[0], two[0].rstrip("/") + "/v1"]) == 2
    assert "is given twice: a model would meet itself" in capsys.readouterr().err


def test_of_many_models_some_are_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with saying(listed(*(f"birch-{n}b" for n in range(50)))) as url:
        [line] = refusal(capsys, url)
        assert "50 models are listed, more than 30: choose with --only" in line
        file = tmp_path / "models.yaml"
        assert main([url, "--only", "BIRCH-7b", "--only", "*-8b", "--models-out", str(file)], {}) == 0
    assert [entry["model"] for entry in yaml.safe_load(file.read_text())["contestants"]] == ["birch-7b", "birch-8b"]


@pytest.mark.parametrize(
    ("environment", "words", "told"),
    [
        ({}, ["--api-key-env", "K"], "the environment variable K is not set"),
        ({"K": "kéy"}, ["--api-key-env", "K"], "the environment variable K holds what no header can"),
        ({}, ["--api-key-env", "A", "--api-key-env", "B", "--api-key-env", "C"], "given 3 times for 2 servers"),
    ],
)
def test_a_key_that_is_not_there_is_named(
    two: list[str], capsys: pytest.CaptureFixture[str], environment: dict[str, str], words: list[str], told: str
) -> None:
    [line] = refusal(capsys, *two, *words, **environment)
    assert told in line
    assert "kéy" not in line


def test_mistakes_on_the_command_line_are_one_line(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "arena.quick", "--port", "x"],
        cwd=root,
        env=dict(os.environ),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
