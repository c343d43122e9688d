"""Documents to rows of tokens (N, T), each exactly one context, so that no position is padding.

Documents are joined with a delimiter after each. A graphics card reads faster than one process writes (an H100 trains
124 million parameters on 370,000 tokens a second, where one process wrote 264,000), so the world's documents are
written in parts, each of a seed of its own, by as many processes as there are cores. The rows depend on the recipe
alone.
"""

import functools
import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from training.data.corpus import Corpus
from training.recipe import Data
from training.runs.checkpoint import CheckpointError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TEXTS_AT_ONCE = 1000
PART = 2_000_000  # tokens of one seed
OTHER_SEEDS = 1000  # those of the other parts begin here: what else is drawn has smaller ones

Bar = Any  # tqdm's, which has no public type


def pack(
    documents: Iterator[str], tokenizer: "PreTrainedTokenizerFast", context: int, rows: int, *, bar: Bar = None
) -> np.ndarray:
    """Join documents with the tokenizer's end token after each and cut them into so many rows (rows, context).

    The dtype is the smallest unsigned one that holds the vocabulary. Documents that end give fewer rows. bar: a
    progress bar that counts tokens.

    Raises:
        CheckpointError: the documents together do not fill one row.
    """
    dtype = np.uint16 if len(tokenizer) <= 2**16 else np.uint32
    packed = np.empty(rows * context, dtype)
    filled = 0
    while filled < packed.size:
        texts = list(islice(documents, TEXTS_AT_ONCE))
        if not texts:
            break
        stream = np.array(
            [i for ids in tokenizer(texts)["input_ids"] for i in (*ids, tokenizer.eos_token_id)], dtype=dtype
        )[: packed.size - filled]
        packed[filled : filled + len(stream)] = stream
        filled += len(stream)
        if bar is not None:
            bar.update(len(stream))
    whole = filled // context
    if whole == 0:
        raise CheckpointError(f"{filled} tokens of text do not fill one row of {context}: add text")
    return packed[: whole * context].reshape(whole, context)  # (N, T)


def pack_corpus(
    corpus: Corpus,
    tokenizer: "PreTrainedTokenizerFast",
    context: int,
    rows: int,
    *,
    bar: Bar = None,
    part: int = PART,
    workers: int | None = None,
) -> np.ndarray:
    """Pack the corpus's documents into so many rows (rows, context), a part of so many tokens from each seed.

    workers: how many processes write, one a core unless it says otherwise; the rows are the same.

    Raises:
        CheckpointError: a process that wrote text was killed.
    """
    each = max(1, part // context)
    sizes = [min(each, rows - first) for first in range(0, rows, each)]
    if len(sizes) == 1:
        return pack(corpus.documents(), tokenizer, context, rows, bar=bar)
    workers = min(workers or os.cpu_count() or 1, len(sizes))
    context_of_workers = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(workers, context_of_workers, initializer=_be_one_of_many) as pool:
        jobs = {
            pool.submit(_pack_part, corpus.data, corpus.seed, number, tokenizer, context, size): number
            for number, size in enumerate(sizes)
        }
        written: dict[int, np.ndarray] = {}
        try:
            for job in as_completed(jobs):
                written[jobs[job]] = job.result()
                if bar is not None:
                    bar.update(written[jobs[job]].size)
        except BrokenProcessPool:
            raise CheckpointError(
                f"a process that wrote text was killed, most likely for want of memory: {workers} wrote at once"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)
    return np.concatenate([written[number] for number in range(len(sizes))])  # (N, T)


def text_bar(tokens: int) -> Bar:
    """Return a progress bar of text that is written."""
    pause = 0.1 if sys.stderr.isatty() else 10.0
    return tqdm(total=tokens, desc="     text", unit="token", unit_scale=True, file=sys.stderr, mininterval=pause)


def _be_one_of_many() -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def _pack_part(
    data: Data, seed: int, number: int, tokenizer: "PreTrainedTokenizerFast", context: int, rows: int
) -> np.ndarray:
    documents = _corpus(data.model_dump_json(), seed).documents(seed=OTHER_SEEDS + number if number else 0)
    return pack(documents, tokenizer, context, rows)


@functools.cache
def _corpus(data: str, seed: int) -> Corpus:
    """Return the corpus of a process, read once."""
    return Corpus(Data.model_validate_json(data), seed)
