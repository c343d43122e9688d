"""Half precision is taken where it is faster and worth it, and never for small models."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig

from arena.backends.local import dtypes
from arena.backends.local.dtypes import choose_dtype, count_layers, time_layers

LARGE = LlamaConfig(vocab_size=32_000, hidden_size=1024, intermediate_size=2048, num_hidden_layers=4)
TINY = LlamaConfig(vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2)


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that says how fast half precision is, where float32 takes 10 ms."""

    def measured(milliseconds: float | None) -> None:
        dtypes.is_faster.cache_clear()
        monkeypatch.setattr(dtypes, "find_half", lambda device: None if milliseconds is None else torch.bfloat16)
        times = {torch.float32: 10.0, torch.bfloat16: milliseconds}
        monkeypatch.setattr(dtypes, "time_layers", lambda layers, dtype, device: times[dtype])

    yield measured
    dtypes.is_faster.cache_clear()


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(3.0, torch.bfloat16), (9.5, torch.float32), (30.0, torch.float32), (None, torch.float32)],
)
def test_bfloat16_is_taken_only_where_it_is_clearly_faster(half: Any, milliseconds: Any, expected: torch.dtype) -> None:
    half(milliseconds)
    assert choose_dtype(LARGE, "auto", "cpu") == expected


def test_it_is_measured_once_for_models_of_the_same_shapes(half: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    half(3.0)
    assert choose_dtype(LARGE, "auto", "cpu") == torch.bfloat16
    monkeypatch.setattr(dtypes, "time_layers", lambda layers, dtype, device: pytest.fail("measured again"))
    assert choose_dtype(LARGE, "auto", "cpu") == torch.bfloat16


def test_small_models_keep_float32_unmeasured(half: Any) -> None:
    half(0.001)
    assert choose_dtype(TINY, "auto", "cpu") == torch.float32


@pytest.mark.parametrize("wanted", ["float32", "bfloat16", "float16"])
def test_what_is_asked_for_is_taken(half: Any, wanted: str) -> None:
    half(None)
    assert choose_dtype(LARGE, wanted, "cpu") == getattr(torch, wanted)


def test_layers_are_counted_without_making_weights() -> None:
    layers, parameters = count_layers(TINY)
    assert layers[(64, 32)] == 4  # gate and up of two layers
    assert layers[(32, 64)] == 2
    assert parameters == 2 * 300 * 32 + 2 * (4 * 32 * 32 + 3 * 32 * 64 + 2 * 32) + 32


def test_a_measurement_takes_milliseconds() -> None:
    assert 0 < time_layers(Counter({(512, 512): 3}), torch.float32, "cpu") < 1000


@pytest.mark.slow
def test_the_recipe_tells_the_dtype(checkpoint: Path) -> None:
    from arena.backends.local import TransformersBackend
    from tests.arena.backends.asked import ask, replies

    backend = TransformersBackend(checkpoint, dtype="bfloat16")
    [reply] = replies(backend, ask())
    assert reply.recipe["dtype"] == "bfloat16"
    assert backend._engine.writer.model.dtype == torch.bfloat16
    backend.close()
