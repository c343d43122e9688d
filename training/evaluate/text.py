"""How well a language model predicts text."""

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@torch.no_grad()
def measure_bits_per_byte(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", documents: list[str]
) -> float:
    """Return bits per byte over documents, each read by itself after a delimiter and cut at the model's context."""
    model.eval()
    delimiter = _delimiter(tokenizer)
    nats, size = 0.0, 0
    for text in documents:
        ids = [delimiter, *tokenizer(text, add_special_tokens=False)["input_ids"]][
            : model.config.max_position_embeddings
        ]
        row = torch.tensor([ids], device=model.device)  # (1, T)
        nats += model(input_ids=row, labels=row).loss.item() * (len(ids) - 1)
        size += len(tokenizer.decode(ids[1:]).encode())
    return bits_per_byte(nats, size)


def _delimiter(tokenizer: "PreTrainedTokenizerFast") -> int:
    """Return the token that stands between documents; of a tokenizer of others, what a text begins or ends with."""
    known = tokenizer.get_vocab()
    ids = (known.get("<|endoftext|>"), tokenizer.bos_token_id, tokenizer.eos_token_id)
    return next(int(token) for token in ids if token is not None)


def bits_per_byte(nats: float, text_bytes: int) -> float:
    """Convert a text's summed negative log-likelihood (nats) to bits per byte, which depends on no tokenizer."""
    return nats / math.log(2) / text_bytes
