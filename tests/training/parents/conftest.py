"""Small models as others save them: made by transformers, with a tokenizer that tokenizers trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MakeOutside = Callable[..., Path]

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def train_foreign_tokenizer(texts: list[str], *, template: str | None, pad: str | None) -> Any:
    """Return a byte-level tokenizer with a beginning and an end, as Qwen's or SmolLM's."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    start = bpe.token_to_id("<s>")
    bpe.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", start)])
    made = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", pad_token=pad)
    made.chat_template = template
    return made


@pytest.fixture
def make_outside(tmp_path: Path, documents: list[str]) -> MakeOutside:
    """Return a function that saves a random model of a kind, and its tokenizer, as a Hugging Face folder."""

    def make(
        kind: str = "Llama",
        head: str = "ForCausalLM",
        *,
        template: str | None = CHATML,
        pad: str | None = None,
        spare: int = 0,
        is_tied: bool = True,
        shard: str = "5GB",
        positions: int = 96,
    ) -> Path:
        import torch
        import transformers

        torch.manual_seed(0)
        tokenizer = train_foreign_tokenizer(documents[:50], template=template, pad=pad)
        shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
        more = {} if kind == "GPT2" else {"intermediate_size": 64, "tie_word_embeddings": is_tied}
        positioned = {"max_position_embeddings": positions}
        heads = {} if kind in ("GPT2", "Bert") else {"num_key_value_heads": 2}
        config = getattr(transformers, f"{kind}Config")(
            vocab_size=len(tokenizer) + spare,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            **shape,
            **more,
            **positioned,
            **heads,
        )
        folder = tmp_path / f"{kind}-outside"
        getattr(transformers, kind + head)(config).save_pretrained(folder, max_shard_size=shard)
        tokenizer.save_pretrained(folder)
        return folder

    return make
