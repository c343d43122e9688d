"""The numbers that a model computes with: float32, or half of it where that is faster, measured before it is loaded.

Half precision makes a reply depend on its company now and then: a batch of another size adds up in another order, and
in bfloat16 the difference can turn a close draw. Small models gain nothing from it and keep float32.
"""

import functools
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from arena.checkpoints.size import SMALL  # below, the time goes to steps other than reading weights

if TYPE_CHECKING:
    import torch

FASTER = 1.2  # so many times as fast, or it is not worth it
ROWS = 8  # of a batch
BFLOAT16 = ("avx512_bf16", "amx_bf16", "arm_bf16", "bf16", "sve_bf16")  # torch's names for what a processor can
log = logging.getLogger(__name__)


def choose_dtype(config: Any, wanted: str, device: str) -> "torch.dtype":
    """Return the dtype for a model with this config on "cpu" or "cuda"; wanted is that of models.yaml."""
    import torch

    if wanted != "auto":
        dtype: torch.dtype = getattr(torch, wanted)
        return dtype
    half = find_half(device)
    layers, parameters = count_layers(config)
    if half is None or parameters < SMALL or not layers:
        return torch.float32
    return half if is_faster(half, frozenset(layers.items()), device) else torch.float32


@functools.cache
def is_faster(half: "torch.dtype", layers: frozenset[tuple[tuple[int, int], int]], device: str) -> bool:
    """Measure once whether layers of these shapes are clearly faster in half precision than in float32.

    Models of the same shapes get the same answer, so that a parent and its child are not compared in two dtypes.
    """
    import torch

    full_ms, half_ms = (time_layers(Counter(dict(layers)), dtype, device) for dtype in (torch.float32, half))
    log.info("a model's layers take %.1f ms in %s and %.1f ms in float32", half_ms, half, full_ms)
    return full_ms >= FASTER * half_ms


def find_half(device: str) -> "torch.dtype | None":
    """Return the half-precision dtype that a device computes with by itself, if any."""
    import torch

    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    able = torch.cpu.get_capabilities()
    return torch.bfloat16 if any(able.get(name) for name in BFLOAT16) else None


def count_layers(config: Any) -> tuple[Counter[tuple[int, int]], int]:
    """Return how many linear layers of each shape (out, in) a model has, and its parameters; no weights are made."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    linear = [layer.weight for layer in model.modules() if isinstance(layer, torch.nn.Linear)]
    shapes = Counter((weight.shape[0], weight.shape[1]) for weight in linear)
    return shapes, sum(each.numel() for each in model.parameters())


def time_layers(layers: Counter[tuple[int, int]], dtype: "torch.dtype", device: str) -> float:
    """Return the milliseconds that one pass of a batch through layers of these shapes takes, the best of three."""
    import torch

    total = 0.0
    with torch.inference_mode():
        for (n_out, n_in), count in layers.items():
            weight = torch.ones((n_out, n_in), dtype=dtype, device=device)
            rows = torch.ones((ROWS, n_in), dtype=dtype, device=device)
            seconds = []
            for _ in range(4):  # the first one warms up
                began = time.perf_counter()
                torch.nn.functional.linear(rows, weight)
                if device == "cuda":
                    torch.cuda.synchronize()
                seconds.append(time.perf_counter() - began)
            total += count * min(seconds[1:])
    return total * 1000
