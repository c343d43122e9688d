"""Packing loses nothing but the tail, and bits per byte agree with a calculation by hand."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.data.corpus import Corpus
from training.recipe import Recipe
from training.runs.arguments import bits_per_byte
from training.runs.checkpoint import CheckpointError
from training.runs.packing import pack, pack_corpus
from training.stages.pretrain import measure_bits_per_byte
from training.stages.tokenizer import DOCUMENT_END

CONTEXTS = st.integers(1, 24)
DOCUMENTS = st.lists(st.text("abc", max_size=30), max_size=20)


class Letters:
    """A tokenizer of letters: a is 1, b is 2, c is 3, the end of a document 0."""

    eos_token_id = 0

    def __len__(self) -> int:
        return 4

    def __call__(self, texts: list[str]) -> dict[str, list[list[int]]]:
        return {"input_ids": [[ord(letter) - 96 for letter in text] for text in texts]}


def packed(documents: list[str], context: int, rows: int = 100) -> np.ndarray:
    return pack(iter(documents), Letters(), context, rows)  # type: ignore[arg-type]


@given(DOCUMENTS, CONTEXTS)
def test_packing_keeps_every_token_in_order_with_a_delimiter_after_each_document(
    documents: list[str], context: int
) -> None:
    stream = [token for text in documents for token in [*(ord(letter) - 96 for letter in text), 0]]
    if len(stream) < context:
        with pytest.raises(CheckpointError, match=f"{len(stream)} tokens of text do not fill one row of {context}"):
            packed(documents, context)
        return
    rows = packed(documents, context, rows=700)
    assert rows.dtype == np.uint16
    assert rows.shape[1] == context
    flat = rows.ravel().tolist()
    assert flat == stream[: len(flat)]
    assert len(stream) - len(flat) < context


def test_packing_by_hand() -> None:
    assert packed(["abc", "a", "bc"], 4).tolist() == [[1, 2, 3, 0], [1, 0, 2, 3]]


def test_packing_stops_at_the_rows_asked_for_and_loses_no_document_on_the_way() -> None:
    documents = iter(["ab"] * 5000)
    rows = pack(documents, Letters(), 3, 2500)  # type: ignore[arg-type]
    assert rows.shape == (2500, 3)
    assert (rows == [1, 2, 0]).all()


def test_the_corpus_is_packed_in_parts_and_the_rows_do_not_depend_on_how_many_processes_write(
    corpus: Corpus, tokenizer: Any
) -> None:
    rows = pack_corpus(corpus, tokenizer, 32, 250, part=100 * 32, workers=1)
    assert rows.shape == (250, 32)
    assert (rows == pack_corpus(corpus, tokenizer, 32, 250, part=100 * 32, workers=3)).all()
    assert (rows[:100] == pack(corpus.documents(), tokenizer, 32, 100)).all()
    assert len({row.tobytes() for row in rows}) == 250  # another part has other documents


def test_text_of_one_part_is_the_first_that_the_corpus_tells(corpus: Corpus, tokenizer: Any) -> None:
    rows = pack_corpus(corpus, tokenizer, 32, 60)
    assert (rows == pack(corpus.documents(), tokenizer, 32, 60)).all()


def test_no_text_at_all_is_refused() -> None:
    with pytest.raises(CheckpointError, match="0 tokens of text"):
        packed([], 4)


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


def test_a_new_model_has_the_shape_of_the_recipe_and_depends_on_its_seed(make_model: Any, recipe: Recipe) -> None:
    one, same, other = make_model(seed=1), make_model(seed=1), make_model(seed=2)
    config = one.config
    assert (config.hidden_size, config.num_hidden_layers) == (recipe.model.hidden_size, recipe.model.layers)
    assert config.max_position_embeddings == recipe.model.context
    assert config.vocab_size == recipe.tokenizer.vocab_size
    weights = [model.model.layers[0].mlp.up_proj.weight for model in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
