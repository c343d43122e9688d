"""A stage that will not fit is refused before it begins."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from training.recipe import Recipe
from training.runs.checkpoint import CheckpointError
from training.runs.job import Job
from training.runs.resources import require_room
from training.stages import BASE


@pytest.mark.parametrize(("scarce", "cure"), [("memory", "lower batch"), ("disk", "make room")])
def test_a_stage_that_memory_or_disk_will_not_carry_is_refused_before_it_begins(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, scarce: str, cure: str
) -> None:
    import psutil

    job = Job(BASE, tmp_path / "new" / "base", recipe)
    require_room(job, parameters=1000, batch_tokens=100, vocabulary=400)
    free = {"memory": 10**12, "disk": 10**12} | {scarce: 1000}
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free["memory"]))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free["disk"]))
    with pytest.raises(CheckpointError, match=f"{scarce}.*{cure}"):
        require_room(job, parameters=1000, batch_tokens=100, vocabulary=400)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("sharded", "is_refused"), [("false", True), ("true", False)])
def test_sharded_weights_need_a_part_of_the_memory(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, sharded: str, is_refused: bool
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", sharded)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2 * 2**30))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    job = Job(BASE, tmp_path / "base", recipe)
    with pytest.raises(CheckpointError, match=r"3\.0 GiB of memory and 2\.0 are free") if is_refused else nullcontext():
        require_room(job, parameters=3 * 2**26, batch_tokens=0, vocabulary=0)
