"""Sample replies of checkpoints to many prompts at once, to make preference pairs and to measure a stage.

A chat checkpoint is asked through its template. A base model continues documents and does not answer, so it is shown
solved questions first (few-shot).
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from tqdm.auto import tqdm

from common.few_shot import few_shot_document
from training.data.world.examples import Example

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BATCH = 64


@dataclass(frozen=True)
class Sample:
    """One reply. is_finished: the model ended it itself. reply_ids: its tokens, the end token included."""

    text: str
    is_finished: bool
    prompt_ids: list[int]
    reply_ids: list[int]


def ask(prompt: str) -> list[dict[str, str]]:
    """Return a prompt as a conversation of one user turn."""
    return [{"role": "user", "content": prompt}]


def sample_replies(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    prompts: list[str],
    *,
    max_reply_tokens: int,
    temperature: float,
    show: str = "",
) -> list[Sample]:
    """Sample one reply of a chat checkpoint to each prompt (repeat a prompt for more). Temperature 0 is greedy.

    show: the name of a progress bar; no bar where it is empty.
    """
    texts = [tokenizer.apply_chat_template(ask(p), add_generation_prompt=True, tokenize=False) for p in prompts]
    return complete(
        model, tokenizer, texts, max_tokens=max_reply_tokens, temperature=temperature, show=show, is_rendered=True
    )


@torch.no_grad()
def complete(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    texts: list[str],
    *,
    max_tokens: int,
    temperature: float,
    show: str = "",
    is_rendered: bool = False,
) -> list[Sample]:
    """Continue each text, in batches of similar length that are padded on the left; return them in the texts' order.

    is_rendered: a chat template wrote the texts, with every special token.
    """
    model.eval()
    ends = model.generation_config.eos_token_id
    ends = set(ends) if isinstance(ends, list) else {ends}
    choice = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    samples: dict[int, Sample] = {}
    pause = 0.1 if sys.stderr.isatty() else 10.0
    starts = range(0, len(texts), BATCH)
    for start in tqdm(starts, desc=f"{show:>9}", unit="batch", disable=not show, mininterval=pause, dynamic_ncols=True):
        batch = order[start : start + BATCH]
        inputs = tokenizer(
            [texts[i] for i in batch],
            return_tensors="pt",
            padding=True,
            padding_side="left",
            **limit_length(model, max_tokens),
            add_special_tokens=not is_rendered,
            return_token_type_ids=False,
        )
        inputs = inputs.to(model.device)
        output = model.generate(**inputs, max_new_tokens=max_tokens, **choice)  # (B, prompt + reply)
        width = inputs["input_ids"].shape[1]
        for i, ids, mask, full in zip(batch, inputs["input_ids"], inputs["attention_mask"], output, strict=True):
            reply, is_finished = _cut_at_end(full[width:].tolist(), ends)
            text = tokenizer.decode(reply, skip_special_tokens=True)
            samples[i] = Sample(text, is_finished, ids[mask.bool()].tolist(), reply)
    return [samples[i] for i in range(len(texts))]


def limit_length(model: "PreTrainedModel", room: int = 0) -> dict[str, Any]:
    """Return what cuts texts to the positions of a model that has learned so many (GPT-2), less `room` for a reply.

    Rotary positions go on beyond those of training, so nothing is cut then.
    """
    if getattr(model.config, "n_positions", None) is None:
        return {}
    return {"truncation": True, "max_length": max(1, model.config.n_positions - room)}


def few_shot_text(tokenizer: "PreTrainedTokenizerFast", shots: list[Example], prompt: str, *, room: int) -> str:
    """Return a document of solved questions and then the prompt; as many of them as fit into ``room`` tokens."""
    chosen: list[tuple[str, str]] = []
    text = few_shot_document([], prompt)
    for example in shots:
        chosen.insert(0, (example.prompt, example.reply))
        longer = few_shot_document(chosen, prompt)
        if len(tokenizer(longer)["input_ids"]) > room:
            break
        text = longer
    return text


def _cut_at_end(ids: list[int], ends: set[int]) -> tuple[list[int], bool]:
    for i, token in enumerate(ids):
        if token in ends:
            return ids[: i + 1], True
    return ids, False
