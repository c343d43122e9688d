"""Pack documents into rows of tokens (N, T), each exactly one context, so that no position is padding.

Documents are joined with a delimiter after each. A graphics card reads faster than one process writes (an H100 trains
124 million parameters on 370,000 tokens per second, and one process wrote 264,000), so generated documents are written
in parts, each with a seed of its own, by as many processes as there are cores. The rows depend on the recipe alone.
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
from training.runs.checkpoint import CheckpointError
from training.sections import Data

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TEXTS_AT_ONCE = 1000
PART = 2_000_000  # tokens per seed
OTHER_SEEDS = 1000  # the seeds of the other parts begin here; smaller ones serve other purposes

Bar = Any  # tqdm's, which has no public type


def pack(
    documents: Iterator[str], tokenizer: "PreTrainedTokenizerFast", context: int, rows: int, *, bar: Bar = None
) -> np.ndarray:
    """Join documents with the tokenizer's end token after each and cut them into rows (rows, context).

    The dtype is the smallest unsigned one that holds the vocabulary. Where the documents run out there are fewer rows.
    bar: a progress bar that counts tokens.

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
    """Pack the corpus's documents into rows (rows, context), ``part`` tokens from each seed.

    workers: how many processes write, by default one per core; the rows do not depend on it.

    Raises:
        CheckpointError: a process that wrote text was killed.
    """
    each = max(1, part // context)
    sizes = [min(each, rows - first) for first in range(0, rows, each)]
    if len(sizes) == 1:
        return pack(corpus.documents(), tokenizer, context, rows, bar=bar)
    workers = min(workers or os.cpu_count() or 1, len(sizes))
    context_of_workers = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(workers, context_of_workers, initializer=_start_worker) as pool:
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
                f"a process that wrote text was killed, most likely because memory ran out: {workers} wrote at once"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)
    return np.concatenate([written[number] for number in range(len(sizes))])  # (N, T)


def text_bar(tokens: int) -> Bar:
    """Return a progress bar for the writing of text."""
    pause = 0.1 if sys.stderr.isatty() else 10.0
    return tqdm(total=tokens, desc="     text", unit="token", unit_scale=True, file=sys.stderr, mininterval=pause)


def _start_worker() -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def _pack_part(
    data: Data, seed: int, number: int, tokenizer: "PreTrainedTokenizerFast", context: int, rows: int
) -> np.ndarray:
    documents = _corpus(data.model_dump_json(), seed).documents(seed=OTHER_SEEDS + number if number else 0)
    return pack(documents, tokenizer, context, rows)


@functools.cache
def _corpus(data: str, seed: int) -> Corpus:
    """Return this process's corpus, which is read once."""
    return Corpus(Data.model_validate_json(data), seed)
