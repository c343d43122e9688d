"""The project as a package: it installs offline, brings its data files, and its commands answer anywhere."""

import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGES = [name for name in ("arena", "common", "ratings", "training") if (ROOT / name).is_dir()]
BESIDE = ("app.py", "pyproject.toml", "setup.py", "MANIFEST.in", "requirements.txt", "README.md", "LICENSE")
SECONDS = 60.0  # that any one of these commands may take
PIP_OPTIONS = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")

pytestmark = pytest.mark.slow


def run(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run(list(map(str, words)), cwd=cwd, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_checkout(folder: Path) -> Path:
    """Return a copy of what a package is built from, since building writes into it."""
    folder.mkdir()
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module", params=["wheel", "editable"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment that holds the package, and sees all that it needs where the tests have it."""
    folder = tmp_path_factory.mktemp(request.param)
    checkout = copy_checkout(folder / "checkout")
    venv.create(folder / "env", with_pip=False)
    library = next((folder / "env" / "lib").glob("python*/site-packages"))
    (library / "needed.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    editable = ["--editable"] if request.param == "editable" else []
    python = folder / "env" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", *PIP_OPTIONS, *editable, checkout, cwd=folder)
    return folder / "env"


def test_the_package_has_every_data_file(installed: Path, tmp_path: Path) -> None:
    code = f"import importlib\nfor name in {PACKAGES}: print(importlib.import_module(name).__path__[0])"
    for name, home in zip(PACKAGES, run(installed / "bin" / "python", "-c", code, cwd=tmp_path).split(), strict=True):
        assert not Path(home).is_relative_to(ROOT)
        files = (path.relative_to(ROOT / name) for path in (ROOT / name).rglob("*") if path.is_file())
        missing = [path for path in files if "__pycache__" not in path.parts and not (Path(home) / path).is_file()]
        assert not missing


@pytest.mark.parametrize(
    ("command", "known"),
    [
        ("arena", "--models"),
        ("arena-ratings", "compute"),
        ("arena-ratings compute", "--both-bad"),
        ("arena-ratings compare", "--horizon"),
        ("arena-ratings export", "--test-share"),
        ("arena-training", "publish"),
    ],
)
def test_every_command_answers_help(installed: Path, tmp_path: Path, command: str, known: str) -> None:
    name, *words = command.split()
    assert known in run(installed / "bin" / name, *words, "--help", cwd=tmp_path)


def test_ratings_rate_a_file_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    votes = "model_a,model_b,winner\nlarge,small,model_a\nlarge,small,model_a\nsmall,large,model_a\n"
    (tmp_path / "votes.csv").write_text(votes, encoding="utf-8")
    code = "import ratings; print(ratings.rate('votes.csv').rows[0].model)"
    assert run(installed / "bin" / "python", "-c", code, cwd=tmp_path) == "large\n"
    printed = run(
        installed / "bin" / "arena-ratings", "compute", "--votes", "votes.csv", "--out", "boards", cwd=tmp_path
    )
    assert "large" in printed
    assert (tmp_path / "boards" / "leaderboard.html").is_file()


def test_a_recipe_is_at_hand_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = "from training.recipe import load_recipe; print(load_recipe('nano').name)"
    assert run(installed / "bin" / "python", "-c", code, cwd=tmp_path) == "nano\n"


def test_requirements_of_the_package_are_those_of_requirements_txt(installed: Path, tmp_path: Path) -> None:
    code = "from importlib.metadata import requires; print(*requires('checkpoint-arena'), sep='\\n')"
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if "==" in line]
    assert pinned
    assert run(installed / "bin" / "python", "-c", code, cwd=tmp_path).split() == pinned


def test_another_command_is_refused_by_name(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [installed / "bin" / "arena-ratings", "rate"], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 2
    assert "choose from 'compute', 'compare', 'export'" in done.stderr
