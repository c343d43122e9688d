"""Which backend writes for which contestant."""

from pathlib import Path
from typing import Any

import pytest

from arena.backends import local
from arena.backends.opening import open_backends, require_memory
from arena.backends.scripted import ScriptedBackend
from arena.checkpoints.size import estimate_size
from arena.contestants import ChatStyle, Contestant, ScriptedContestant
from common.models_yaml import ModelsError
from tests.arena.helpers.played import make_contestant


class Opened:
    """Stands for the transformers backend, which would load weights."""

    def __init__(self, path: Path, names: tuple[str, ...], *, share_of_cores: int, **options: Any) -> None:
        self.path, self.names, self.share_of_cores, self.options = path, names, share_of_cores, options

    def for_adapter(self, folder: Path) -> "tuple[Opened, Path]":
        return self, folder


def test_contestants_with_the_same_weights_share_a_backend_and_cores_are_divided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "TransformersBackend", Opened)
    weights, other = Path("/weights"), Path("/other")
    scripted = ScriptedContestant(name="elm", stage="demo", backend="scripted", replies=("x",))
    contestants = (
        make_contestant("alder", path=weights),
        scripted,
        make_contestant("birch", path=other),
        make_contestant("cedar", path=weights),
    )
    backends = open_backends(contestants)
    assert list(backends) == ["alder", "elm", "birch", "cedar"]
    assert backends["alder"] is backends["cedar"]
    assert isinstance(backends["elm"], ScriptedBackend)
    opened = [backend for backend in (backends["alder"], backends["birch"]) if isinstance(backend, Opened)]
    assert [(each.path, each.names, each.share_of_cores) for each in opened] == [
        (weights, ("alder", "cedar"), 2),
        (other, ("birch",), 2),
    ]


def test_adapters_share_the_engine_of_their_base_and_other_numbers_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "TransformersBackend", Opened)
    weights = Path("/weights")
    base, half = (make_contestant(name, path=weights) for name in ("alder", "birch"))
    half = half.model_copy(update={"dtype": "bfloat16"})
    tuned, other = (base.model_copy(update={"name": name, "adapter": Path(name)}) for name in ("cedar", "elm"))
    backends: dict[str, Any] = dict(open_backends((base, half, tuned, other), memory=7, preload=False))
    assert backends["cedar"] == (backends["alder"], Path("cedar"))
    assert backends["elm"] == (backends["alder"], Path("elm"))
    assert backends["birch"] is not backends["alder"]
    assert backends["alder"].names == ("alder", "cedar", "elm")
    assert (backends["birch"].options["dtype"], backends["birch"].options["preload"]) == ("bfloat16", False)
    assert backends["birch"].options["memory"] is backends["alder"].options["memory"]
    assert backends["birch"].options["memory"].limit == 7


def test_two_that_do_not_fit_together_are_refused_by_name(checkpoint: Path) -> None:
    size = estimate_size(checkpoint)
    alder = make_contestant("alder", path=checkpoint)
    half = alder.model_copy(update={"name": "birch", "dtype": "bfloat16"})
    again = alder.model_copy(update={"name": "cedar"})
    require_memory((alder, half, again), round(size * 1.5) + 1)
    with pytest.raises(
        ModelsError, match=r"alder \([\d.e-]+ GB\) and birch \([\d.e-]+ GB\) do not fit into the [\d.e-]+ GB"
    ):
        require_memory((alder, half, again), round(size * 1.5) - 2)
    require_memory((alder, again), size)  # the same weights
    with pytest.raises(ModelsError, match=r"alder \([\d.e-]+ GB\) do"):
        require_memory((alder, again), size - 1)
    require_memory((alder, half, again), None)


def test_a_kind_without_a_backend_is_refused() -> None:
    with pytest.raises(TypeError, match="no backend writes for Contestant"):
        open_backends((Contestant(name="elm", stage="demo", prompt=ChatStyle(style="chat")),))
