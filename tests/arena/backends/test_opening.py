"""Which backend writes for which contestant."""

from pathlib import Path

import pytest

from arena.backends import local
from arena.backends.opening import open_backends
from arena.backends.scripted import ScriptedBackend
from arena.contestants import ChatStyle, Contestant, ScriptedContestant
from tests.arena.helpers.played import make_contestant


class Opened:
    """Stands for the transformers backend, which would load weights."""

    def __init__(self, path: Path, names: tuple[str, ...], *, share_of_cores: int) -> None:
        self.path, self.names, self.share_of_cores = path, names, share_of_cores


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


def test_a_kind_without_a_backend_is_refused() -> None:
    with pytest.raises(TypeError, match="no backend writes for Contestant"):
        open_backends((Contestant(name="elm", stage="demo", prompt=ChatStyle(style="chat")),))
