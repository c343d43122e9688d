"""Packing loses nothing but the tail, and does not depend on how many processes write."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.corpus import Corpus
from training.runs.checkpoint import CheckpointError
from training.runs.packing import pack, pack_corpus

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
