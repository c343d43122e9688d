"""The backend of each contestant; contestants with the same weights share one model in memory."""

from collections.abc import Sequence
from pathlib import Path

from arena.backends.base import Backend
from arena.contestants import Contestant, OpenAIContestant, ScriptedContestant, TransformersContestant


def open_backends(
    contestants: Sequence[Contestant], *, memory: int | None = None, preload: bool = True
) -> dict[str, Backend]:
    """Return a backend for each contestant's name; weights are loaded in the background.

    Raises:
        TypeError: there is no backend for this kind of contestant.
    """
    paths = dict.fromkeys(c.path for c in contestants if isinstance(c, TransformersContestant))
    loaded: dict[object, Backend] = {}
    opened: dict[str, Backend] = {}
    for contestant in contestants:
        match contestant:
            case TransformersContestant():
                if contestant.path not in loaded:
                    from arena.backends.local import TransformersBackend

                    names = tuple(c.name for c in contestants if getattr(c, "path", None) == contestant.path)
                    loaded[contestant.path] = TransformersBackend(
                        Path(contestant.path), names, share_of_cores=len(paths)
                    )
                opened[contestant.name] = loaded[contestant.path]
            case OpenAIContestant():
                from arena.backends.openai.backend import OpenAIBackend

                opened[contestant.name] = OpenAIBackend(contestant)
            case ScriptedContestant():
                from arena.backends.scripted import ScriptedBackend

                opened[contestant.name] = ScriptedBackend(contestant.replies)
            case _:
                raise TypeError(f"no backend writes for {type(contestant).__name__}")
    return opened
