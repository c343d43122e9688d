"""Small real tokenizers of the kinds that checkpoints bring, each with its control tokens."""

import json
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
INST = "{% for m in messages %}{{ bos_token }}[INST] {{ m['content'].strip() }} [/INST]{% endfor %}"
PLAIN = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ<>/[].,:?!\u00e9"  # no text of the tests is unknown
TEXTS = ["What is <s> in HTML? hello world, a question and an answer", *LETTERS] * 20


def special(text: str, **options: Any) -> AddedToken:
    return AddedToken(text, special=True, normalized=options.pop("normalized", False), **options)


def ordinary(text: str, **options: Any) -> AddedToken:
    return AddedToken(text, special=False, normalized=options.pop("normalized", False), **options)


def byte_level(*added: AddedToken, normalizer: Any = None, template: str = CHATML) -> PreTrainedTokenizerFast:
    """Return byte-level BPE, as SmolLM2 and Qwen have it, with more added tokens; only two of them have a role."""
    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizer
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False))
    bpe.add_tokens([special("<|im_start|>"), special("<|im_end|>"), *added])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<|im_start|>", eos_token="<|im_end|>")
    tokenizer.chat_template = template
    return tokenizer


def with_bos(prepend_scheme: str = "first", *, normalized: bool = False) -> PreTrainedTokenizerFast:
    """Return BPE with spaces as letters, byte fallback and <s> before every text, as Llama 2 and Mistral have it."""
    roles = ["<unk>", "<s>", "</s>"]
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    bpe = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    bpe.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend_scheme, split=False)
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=[*roles, *fallback], show_progress=False)
    bpe.train_from_iterator(TEXTS, trainer)
    tree = json.loads(bpe.to_str())
    tree["added_tokens"] = [token | {"normalized": normalized} for token in tree["added_tokens"][:3]]
    bpe = Tokenizer.from_str(json.dumps(tree))
    bpe.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    tokenizer.chat_template = INST
    return tokenizer


def unigram() -> PreTrainedTokenizerFast:
    """Return a Unigram whose pieces hold <s> itself, the likeliest piece of all."""
    letters = sorted(set("".join(TEXTS)) - {" "})
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("\u2581", -3.0), *((letter, -4.0) for letter in letters)]
    model = Tokenizer(models.Unigram(pieces, unk_id=0))
    model.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    model.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=model, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    tokenizer.chat_template = INST
    return tokenizer


def word_level() -> PreTrainedTokenizerFast:
    """Return a tokenizer of eight words, to which all else is unknown."""
    words = ["<unk>", "<eos>", "what", "is", "a", "question", "?", "\n"]
    model = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    model.normalizer = normalizers.Lowercase()
    model.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=model, eos_token="<eos>", unk_token="<unk>", pad_token="<unk>")
    tokenizer.chat_template = PLAIN
    return tokenizer
