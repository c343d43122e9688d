"""Load checkpoints: tokenizers, language models and reward models, in float32.

A model that is to be asked goes to the graphics card where there is one, set to evaluate. A model that is to be trained
stays where it was loaded: its trainer moves it, or shards it.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_MARK = re.compile(r"(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})")


def load_tokenizer(source: Path | str) -> "PreTrainedTokenizerFast":
    """Load a tokenizer from a folder, or by its name on the Hub; its chat template is plain Jinja then.

    Raises:
        OSError, ValueError: there is none.
    """
    tokenizer = AutoTokenizer.from_pretrained(source)
    template = tokenizer.chat_template
    if isinstance(template, dict):
        tokenizer.chat_template = {name: plain_template(text) for name, text in template.items()}
    elif template:
        tokenizer.chat_template = plain_template(template)
    return tokenizer


def plain_template(template: str) -> str:
    """Return a chat template without transformers' own tags, which llama.cpp and others do not know.

    They mark what a model writes for the loss and add no text. A condition that always holds takes their place, with
    the same control of blanks, so that what is rendered stays the same to the byte.
    """
    return _MARK.sub(lambda tag: tag[1] + ("endif" if tag[2] else "if true") + tag[3], template)


def load_language_model(source: Path | str, *, to_train: bool = False) -> "PreTrainedModel":
    """Load a model that writes text; adapters that a trainer saved beside their base are merged into it.

    Raises:
        OSError, ValueError: there is none.
    """
    if Path(source, "adapter_config.json").is_file():
        from peft import AutoPeftModelForCausalLM

        model = merge_adapters(AutoPeftModelForCausalLM.from_pretrained(source))
    else:
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    return model if to_train else to_evaluate(model)


def load_reward_model(source: Path | str, *, to_train: bool = False) -> "PreTrainedModel":
    """Load a model that scores conversations; of a language model, its body under a new head with one score.

    Raises:
        OSError, ValueError: there is none.
    """
    model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=1, dtype=torch.float32)
    return model if to_train else to_evaluate(model)


def load_as_saved(folder: Path) -> "PreTrainedModel":
    """Load a model by the class it was saved as, ready to train, such as one gathered from sharded weights."""
    [name] = AutoConfig.from_pretrained(folder).architectures
    return getattr(transformers, name).from_pretrained(folder, dtype=torch.float32)


def to_evaluate(model: "PreTrainedModel") -> "PreTrainedModel":
    """Move a model to the graphics card, where there is one, and set it to evaluate."""
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def merge_adapters(model: Any) -> Any:
    """Return a plain model, with any adapters added into its weights."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
