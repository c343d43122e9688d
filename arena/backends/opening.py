"""The backend of each contestant; contestants of the same weights share one engine, its memory and its batches."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

from arena.backends.base import Backend
from arena.backends.memory import Memory, find_free, in_gb
from arena.checkpoints.size import estimate_size
from arena.contestants import (
    Contestant,
    OpenAIContestant,
    ScriptedContestant,
    TransformersContestant,
    VllmContestant,
)
from common.models_yaml import ModelsError

ENGINES = "engines"


def open_backends(
    contestants: Sequence[Contestant], *, memory: int | None = None, preload: bool = True, logs: Path = Path("data")
) -> dict[str, Backend]:
    """Return a backend for each contestant's name; what is loaded at the start is loaded in the background.

    memory: bytes for the weights in this process, by default most of what is free. preload: load as many as fit at
    the start, and not when they are drawn. logs: the folder for what engines beside the arena print.

    Raises:
        TypeError: there is no backend for this kind of contestant.
    """
    here = [each for each in contestants if isinstance(each, TransformersContestant)]
    beside = [each for each in contestants if isinstance(each, VllmContestant)]
    opened: dict[str, Backend] = {}
    if here:
        opened |= _open_weights(here, memory, preload=preload)
    if beside:
        from arena.backends.vllm.backend import open_engines

        opened |= open_engines(beside, logs / ENGINES)
    for contestant in contestants:
        match contestant:
            case TransformersContestant() | VllmContestant():
                pass
            case OpenAIContestant():
                from arena.backends.openai.backend import OpenAIBackend

                opened[contestant.name] = OpenAIBackend(contestant)
            case ScriptedContestant():
                from arena.backends.scripted import ScriptedBackend

                opened[contestant.name] = ScriptedBackend(contestant.replies)
            case _:
                raise TypeError(f"no backend writes for {type(contestant).__name__}")
    return {contestant.name: opened[contestant.name] for contestant in contestants}


def require_memory(contestants: Sequence[Contestant], memory: int | None) -> None:
    """Require that any two contestants whose weights are loaded in this process fit into memory together.

    Raises:
        ModelsError: names the largest two, with their estimated sizes.
    """
    sizes: dict[Hashable, tuple[int, str]] = {}
    for each in contestants:
        if isinstance(each, TransformersContestant) and weights_of(each) not in sizes:
            size = estimate_size(Path(each.path), dtype=each.dtype, quantization=each.quantization)
            sizes[weights_of(each)] = size, each.name
    if not sizes:
        return
    limit = find_free() if memory is None else memory
    largest = sorted(sizes.values(), reverse=True)[:2]
    if sum(size for size, _ in largest) > limit:
        named = " and ".join(f"{name} ({in_gb(size)})" for size, name in largest)
        of = "is free" if memory is None else "--memory allows"
        raise ModelsError(
            f"{named} do not fit into the {in_gb(limit)} that {of}: give more, take quantization or half "
            "precision, or serve them elsewhere (backend: vllm or openai)"
        )


def _open_weights(
    contestants: Sequence[TransformersContestant], memory: int | None, *, preload: bool
) -> dict[str, Backend]:
    """Return the backends of contestants whose weights are loaded in this process."""
    from arena.backends.local import TransformersBackend

    room = Memory(find_free() if memory is None else memory)
    names: dict[Hashable, list[str]] = {}
    for contestant in contestants:
        names.setdefault(weights_of(contestant), []).append(contestant.name)
    engines: dict[Hashable, Any] = {}
    opened: dict[str, Backend] = {}
    for contestant in contestants:
        weights = weights_of(contestant)
        if weights not in engines:
            engines[weights] = TransformersBackend(
                Path(contestant.path),
                tuple(names[weights]),
                share_of_cores=len(names),
                dtype=contestant.dtype,
                quantization=contestant.quantization,
                memory=room,
                preload=preload,
            )
        engine = engines[weights]
        opened[contestant.name] = engine.for_adapter(contestant.adapter) if contestant.adapter else engine
    return opened


def weights_of(contestant: TransformersContestant) -> Hashable:
    """Return what contestants of one engine have in common."""
    return contestant.path, contestant.dtype, contestant.quantization
