"""The family's tokenizer: byte-level BPE, so that any text can be written and nothing is unknown.

The special tokens of every later stage are there from the start, so that no stage resizes an embedding:
``<|endoftext|>`` between documents, ``<|user|>``, ``<|assistant|>`` and ``<|end|>`` in chats, ``<|pad|>`` as padding.
Padding differs from both ends on purpose: a reward model's score is read at the last token that is not padding.

Reference: Sennrich et al. (2016), arXiv:1508.07909, on bytes as in GPT-2 (Radford et al., 2019).
"""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from training.data.corpus import Corpus
from training.runs.checkpoint import CheckpointError, write_stage
from training.runs.job import Job

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

DOCUMENT_END = "<|endoftext|>"
REPLY_END = "<|end|>"
PAD = "<|pad|>"
DOCUMENTS = 20_000  # documents to learn from
SPECIAL = (DOCUMENT_END, "<|user|>", "<|assistant|>", REPLY_END, PAD)

# The template itself breaks up control tokens in a message's text, so that no prompt or reply can pose as another
# role, whoever renders it: TRL, transformers, vLLM or the arena. It is plain Jinja, as llama.cpp and others know no
# more; the loss is on the replies without a mark in the template, as prompt and completion come apart.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- set text = message['content'] | replace('<|', '< |') -%}"
    "{%- if message['role'] == 'assistant' -%}"
    "<|assistant|>{{ text }}<|end|>"
    "{%- else -%}<|user|>{{ text }}<|end|>{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)


def train_tokenizer(texts: Iterable[str], vocab_size: int, context: int) -> "PreTrainedTokenizerFast":
    """Learn a byte-level BPE of vocab_size tokens (bytes and special tokens included) for rows of context tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=DOCUMENT_END,
        pad_token=PAD,
        additional_special_tokens=["<|user|>", "<|assistant|>", REPLY_END],
        model_max_length=context,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def run_tokenizer(job: Job) -> dict[str, float]:
    """Learn the recipe's tokenizer from its corpus, or adopt the start's; report held-out bytes per token."""
    corpus = Corpus(job.recipe.data, job.recipe.seed)
    if job.recipe.model.start:
        tokenizer = adopt_tokenizer(job.recipe.model.start, job.recipe.model.context)
    else:
        texts = list(islice(corpus.documents(), DOCUMENTS))
        tokenizer = train_tokenizer(texts, job.recipe.tokenizer.vocab_size, job.recipe.model.context)
    sizes = [(len(text.encode()), len(tokenizer(text)["input_ids"])) for text in corpus.heldout_documents()]
    heldout = {"bytes_per_token": round(sum(b for b, _ in sizes) / sum(t for _, t in sizes), 3)}

    def save(folder: Path) -> None:
        tokenizer.save_pretrained(folder)

    write_stage(job, save, fingerprint=corpus.fingerprint, tokens=0, heldout=heldout)
    return heldout


def adopt_tokenizer(start: str, context: int) -> "PreTrainedTokenizerFast":
    """Return the tokenizer of a start checkpoint, with the special tokens of chats and of padding added.

    Raises:
        CheckpointError: there is no such checkpoint.
    """
    from training.runs.loading import load_tokenizer

    try:
        tokenizer = load_tokenizer(start)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"model.start {start!r}: no tokenizer there: {str(error).splitlines()[0]}") from None
    tokenizer.add_special_tokens(
        {"pad_token": PAD, "additional_special_tokens": ["<|user|>", "<|assistant|>", REPLY_END]}
    )
    tokenizer.model_max_length = context
    return tokenizer
