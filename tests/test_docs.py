"""Every command that the README and the docs show is run, in a folder that looks like a used checkout."""

import doctest
import random
import re
import shlex
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import yaml
from pydantic import TypeAdapter

from arena.backends.base import Reply
from arena.battle import Battle
from arena.contestants import AnyContestant
from arena.ledger.store import Store
from arena.pairing import draw_pair
from ratings.outcomes import Outcome
from tests.arena.quick.scripted import listed, saying
from tests.paths import ROOT

PAGES = [*sorted(ROOT.glob("[!.]*.md")), *sorted((ROOT / "docs").glob("*.md"))]
ROOMS = ("arena", "benchmarks", "common", "ratings", "tests", "training")
SECONDS = 600.0  # that any one command may take, on a busy machine
NAMES = ["demo-base", "demo-sft", "demo-rlhf"]


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def fill_ledger(path: Path) -> None:
    """Store battles and votes through the arena's own store."""
    store, rng = Store(path), random.Random(0)
    for number in range(40):
        battle = Battle("visitor", f"Prompt {number}?", draw_pair(NAMES, rng))
        store.begin(battle)
        for side in ("a", "b"):
            battle.finish(side, Reply(f"Reply {side} to {number}.", "end", 3, 5, 0.1, 0.01, {"seed": number}))
        store.finish(battle)
        store.vote(battle.id, "visitor", rng.choice(list(Outcome)))
    store.close()


@pytest.fixture(scope="module")
def checkout(tiny_family: Path, smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "checkpoints" / "open").mkdir(parents=True)
    (folder / "checkpoints" / "open" / "smollm2").symlink_to(smollm2)
    for name in ("nano", "demo", "mini"):
        (folder / "checkpoints" / name).symlink_to(tiny_family)
    for name in ("app.py", "models.yaml", "Makefile", "arena", "common", "ratings", "training", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    models = (ROOT / "models.yaml").read_text(encoding="utf-8")
    (folder / "models.yaml").unlink()
    # The tiny family stands in for the shipped ones; its context holds no long replies.
    (folder / "models.yaml").write_text(models.replace("max_tokens: 140", "max_tokens: 24"), encoding="utf-8")
    (folder / "data").mkdir()
    fill_ledger(folder / "data" / "arena.db")
    return folder


def serve_until_healthy(words: list[str], folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = [*words[: words.index("--port")], "--port", port] if "--port" in words else [*words, "--port", port]
    process = subprocess.Popen(words, cwd=folder)
    try:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, "the server ended by itself"
            try:
                assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
                return
            except httpx.TransportError:
                time.sleep(0.1)
        pytest.fail(f"no server within {SECONDS:g} s: {shlex.join(words)}")
    finally:
        process.kill()
        process.wait()


def test_the_docs_show_commands() -> None:
    shown = [command for page in PAGES for command in commands(page)]
    assert {"make arena", "make test"} <= set(shown)
    assert len(shown) > 10


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_shown_works(page: Path, checkout: Path, tiny_settings: list[str]) -> None:
    for command in commands(page):
        words = shlex.split(command)
        while "=" in words[0]:  # a variable of the environment
            words = words[1:]
        if words[0] == "make":
            # Targets are run by whoever runs the tests; here it is enough that they exist and resolve.
            subprocess.run([*words, "--dry-run"], cwd=ROOT, check=True, capture_output=True)
            continue
        assert words[0] == "python", f"{page.name} shows a command that no test runs: {command}"
        words[0] = sys.executable
        if words[1:3] == ["-m", "arena.quick"]:
            with saying(listed("alder")) as one, saying(listed("birch")) as other:
                serve_until_healthy([*words[:3], one, other], checkout)
            continue
        if words[1] == "app.py" and "--check" not in words:
            serve_until_healthy(words, checkout)
            continue
        if words[2:4] == ["training", "evaluate"]:
            words += ["--prompts", "1"]
        elif words[2] == "benchmarks.board":
            words += ["--battles", "10"]
        elif words[2] == "training" and words[3] not in ("chat", "fetch"):
            words += tiny_settings
        done = subprocess.run(
            words, cwd=checkout, capture_output=True, text=True, input="Hello!\n", timeout=SECONDS, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stderr[-2000:]}"


def test_every_contestant_that_a_page_shows_is_one() -> None:
    shown = 0
    for page in PAGES:
        for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            for entry in yaml.safe_load(block).get("contestants", []):
                assert TypeAdapter(AnyContestant).validate_python(entry).name == entry["name"]
                shown += 1
    assert shown > 10


def test_the_readme_s_python_does_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    session = doctest.DocTestParser().get_doctest(block, {}, "README.md", None, 0)
    assert len(session.examples) == 3
    assert doctest.DocTestRunner().run(session).failed == 0


def test_the_citation_names_the_version_that_is_packaged() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert citation["abstract"] == project["description"]


def test_every_page_is_linked_from_the_readme() -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert {str(page.relative_to(ROOT)) for page in PAGES} - {"README.md"} <= set(targets)


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_modules_that_pages_name_are_there() -> None:
    there = [f"/{path.relative_to(ROOT)}" for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    for page in PAGES:
        if page.name == "CHANGELOG.md":  # it names what was there at the time
            continue
        for name in re.findall(r"`((?:\w+/)+\w+\.py)`", page.read_text(encoding="utf-8")):
            assert any(path.endswith(f"/{name}") for path in there), f"{page.name}: {name}"


def first_cells(text: str) -> list[tuple[str, str]]:
    """Return the first two cells of each row whose first cell is a name in code."""
    return re.findall(r"^\| `(\w+)` \| `?(\w+)`? \|", text, re.MULTILINE)


def test_the_page_about_the_ledger_shows_its_schema(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    Store(tmp_path / "arena.db").close()
    with closing(sqlite3.connect(tmp_path / "arena.db")) as ledger:
        made = ledger.execute(
            "SELECT type, name, tbl_name FROM sqlite_schema WHERE name NOT GLOB '*sqlite_*'"
        ).fetchall()
        columns = {
            name: [(column, kind) for _, column, kind, *_ in ledger.execute(f"PRAGMA table_info({name})")]
            for kind, name, _ in made
            if kind in ("table", "view")
        }
    tables = {name for kind, name, _ in made if kind == "table"}
    assert tables <= set(sections)
    for name in tables:
        assert first_cells(sections[name]) == columns[name], name
    others, _, view = sections["Triggers, indexes and the view"].partition("The view `preferences`")
    assert sorted(first_cells(others)) == sorted((name, on) for kind, name, on in made if kind in ("trigger", "index"))
    assert [column for column, _ in first_cells(view)] == [column for column, _ in columns["preferences"]]
    assert {name for kind, name, _ in made if kind == "view"} == {"preferences"}


def test_pinned_packages_are_explained() -> None:
    explained = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "-")):
            name, equals, _ = line.partition("==")
            assert equals, f"{line} is not pinned exactly"
            assert name.lower() in explained, name
