"""Make a model from outside ready for a stage: a copy that every later step can load as if it had been made here.

Its tokenizer and its chat template stay as they are. Added is only what a stage cannot do without: padding that is not
an end (the reward is read at the last token that is not padding), a generation config with every end of a reply, and
for a model without a chat template, a base model, this project's own with its tokens; the embeddings grow with them.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import TemplateError
from transformers import GenerationConfig

from training.runs import distributed
from training.runs.checkpoint import CheckpointError
from training.runs.job import Job
from training.runs.loading import load_language_model, load_tokenizer
from training.stages import SFT
from training.stages.tokenizer import CHAT_TEMPLATE, PAD, REPLY_END

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


def adopt(job: Job) -> Job:
    """Return the job with a copy of its parent that is ready, beside the destination until the stage is done.

    Raises:
        CheckpointError: the model cannot be loaded, or has no chat template where the stage needs one.
    """
    assert job.outside is not None
    if distributed.is_first():
        shutil.rmtree(job.adopted, ignore_errors=True)
        tokenizer, model = _load(job.outside.folder, job.outside.name)
        if not tokenizer.chat_template and job.stage != SFT:
            raise CheckpointError(
                f"{job.outside.name} has no chat template, so it cannot be asked: finetune it first "
                f"(python -m training {SFT.command} --model {job.outside.name})"
            )
        make_ready(tokenizer, model, job.outside.name)
        model.save_pretrained(job.adopted)
        tokenizer.save_pretrained(job.adopted)
    distributed.wait()
    return replace(job, parent=job.adopted)


def make_ready(tokenizer: "PreTrainedTokenizerFast", model: "PreTrainedModel", name: str) -> None:
    """Give both what is missing to them.

    Raises:
        CheckpointError: the chat template cannot be rendered.
    """
    if not tokenizer.chat_template:
        tokenizer.add_special_tokens({"additional_special_tokens": ["<|user|>", "<|assistant|>", REPLY_END]})
        tokenizer.chat_template = CHAT_TEMPLATE
    ends = reply_ends(tokenizer, model, name)
    if not ends:
        raise CheckpointError(f"{name}: neither its tokenizer nor its template says how a reply ends: set an eos_token")
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id in ends:
        tokenizer.add_special_tokens({"pad_token": PAD})
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(ends[0])
    model.config.pad_token_id, model.config.eos_token_id = tokenizer.pad_token_id, ends[0]
    model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=tokenizer.pad_token_id)


def reply_ends(tokenizer: "PreTrainedTokenizerFast", model: "PreTrainedModel", name: str) -> list[int]:
    """Return every token that ends a reply: first the one that the chat template writes, then those of the model."""
    turns = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Yes."}]
    try:
        text = str(tokenizer.apply_chat_template(turns, tokenize=False))
    except (TemplateError, TypeError, ValueError) as error:
        raise CheckpointError(f"{name}: its chat template cannot be rendered: {str(error).splitlines()[0]}") from None
    written = tokenizer(text.rpartition("Yes.")[2].lstrip(), add_special_tokens=False)["input_ids"][:1]
    known = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    configured = model.generation_config.eos_token_id
    configured = configured if isinstance(configured, list) else [configured]
    every = [*(token for token in written if token in known), tokenizer.eos_token_id, *configured]
    return list(dict.fromkeys(token for token in every if token is not None))


def _load(folder: Path, name: str) -> tuple["PreTrainedTokenizerFast", "PreTrainedModel"]:
    try:
        return load_tokenizer(folder), load_language_model(folder, to_train=True)
    except CheckpointError:
        raise
    except Exception as error:  # whatever transformers, tokenizers or safetensors raise on files of others
        what = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{name} cannot be loaded: {what}") from error
