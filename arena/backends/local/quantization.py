"""Weights in 8 or 4 bits, by bitsandbytes: less memory, for replies that may differ a little.

int8 is LLM.int8() (Dettmers et al. 2022, arXiv:2208.07339) without its outliers: it would find them over the whole
batch, and a reply would depend on its company. nf4 is QLoRA's 4-bit NormalFloat (Dettmers et al. 2023,
arXiv:2305.14314).
"""

import importlib.util
import logging
from typing import TYPE_CHECKING, Any

from arena.backends.base import BackendError
from arena.backends.prompting import one_line

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def quantized(kind: str | None, dtype: "torch.dtype") -> dict[str, Any]:
    """Return what from_pretrained is to be given for a kind of quantization, None for none.

    Raises:
        BackendError: bitsandbytes is not installed.
    """
    if kind is None:
        return {}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise BackendError(f"{kind} needs bitsandbytes: pip install -r requirements-quantization.txt")
    from transformers import BitsAndBytesConfig

    # It says for every layer that it casts, and that a package with other kernels is not there.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if kind == "int8":
        return {"quantization_config": BitsAndBytesConfig(load_in_8bit=True, llm_int8_threshold=0.0)}
    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
        )
    }


def require_works(model: "PreTrainedModel", kind: str) -> None:
    """Let a quantized model compute once.

    Raises:
        BackendError: nothing of it could be quantized, or its shapes or this machine forbid it.
    """
    import torch

    if not any(type(layer).__module__.startswith("bitsandbytes") for layer in model.modules()):
        raise BackendError(f"it has no linear layers that can become {kind}: take quantization out")
    try:
        with torch.inference_mode():
            logits = model(torch.zeros((2, 2), dtype=torch.long, device=model.device)).logits
    except Exception as error:  # whatever its kernels raise
        raise BackendError(f"{kind} does not work for its shapes on this machine ({one_line(error)})") from error
    if not logits.isfinite().all():
        raise BackendError(f"it computes NaN or infinite values in {kind}: take quantization out")
