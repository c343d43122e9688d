"""Which backend writes for which contestant; contestants that share weights share the model."""

from arena.backends.base import Backend
from arena.config import Contestant


def open_backends(contestants: tuple[Contestant, ...]) -> dict[str, Backend]:
    """Return a backend for each contestant's name; the weights load in the background."""
    from arena.backends.local import TransformersBackend

    by_path = {c.path: None for c in contestants}
    loaded = {path: TransformersBackend(path, share_of_cores=len(by_path)) for path in by_path}
    return {contestant.name: loaded[contestant.path] for contestant in contestants}
