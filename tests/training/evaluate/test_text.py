"""Bits per byte agree with a calculation by hand."""

import math
from typing import Any

import pytest
import torch

from training.evaluate.text import bits_per_byte, measure_bits_per_byte
from training.recipe import Recipe
from training.stages.tokenizer import DOCUMENT_END


def test_bits_per_byte_by_hand() -> None:
    # Eight bytes, each with probability 1/4: two bits a byte.
    assert bits_per_byte(8 * math.log(4), 8) == pytest.approx(2.0)


@pytest.fixture
def uniform(make_model: Any) -> Any:
    """A model that holds every token equally likely: its tied embeddings are all zero."""
    model = make_model()
    with torch.no_grad():
        model.get_input_embeddings().weight.zero_()
    return model


def test_a_uniform_model_needs_log_v_bits_a_token(uniform: Any, tokenizer: Any) -> None:
    texts = ["A cow says moo.", "One day Anna went to the park.", "\N{SNOWMAN} and caf\u00e9"]
    tokens = sum(len(tokenizer(text)["input_ids"]) for text in texts)
    size = sum(len(text.encode()) for text in texts)
    expected = tokens * math.log2(len(tokenizer)) / size
    assert measure_bits_per_byte(uniform, tokenizer, texts) == pytest.approx(expected, rel=1e-5)


def test_of_a_document_longer_than_the_context_only_what_was_read_counts(
    uniform: Any, tokenizer: Any, recipe: Recipe, documents: list[str]
) -> None:
    text = " ".join(documents)[:2000]
    read = tokenizer(text)["input_ids"][: recipe.model.context - 1]
    expected = len(read) * math.log2(len(tokenizer)) / len(tokenizer.decode(read).encode())
    assert measure_bits_per_byte(uniform, tokenizer, [text]) == pytest.approx(expected, rel=1e-5)


def test_each_document_is_read_alone_after_a_delimiter(make_model: Any, tokenizer: Any) -> None:
    model = make_model(scale=4.0)
    texts = ["A cow says moo.", "One day Anna went to the park."]
    nats = 0.0
    for text in texts:
        ids = [tokenizer.convert_tokens_to_ids(DOCUMENT_END), *tokenizer(text)["input_ids"]]
        with torch.no_grad():
            log_p = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        nats -= sum(log_p[i, token].item() for i, token in enumerate(ids[1:]))
    expected = nats / math.log(2) / sum(len(text) for text in texts)
    assert measure_bits_per_byte(model, tokenizer, texts) == pytest.approx(expected, rel=1e-4)
