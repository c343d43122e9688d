"""Replies of a chat checkpoint to many prompts at once, for making preference pairs and for measuring a stage."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BATCH = 64


@dataclass(frozen=True)
class Sample:
    """One reply. is_finished: the model ended it itself. ids: prompt then reply tokens, the end token included."""

    text: str
    is_finished: bool
    prompt_ids: list[int]
    reply_ids: list[int]


def ask(prompt: str) -> list[dict[str, str]]:
    """Return a prompt as a conversation of one user turn."""
    return [{"role": "user", "content": prompt}]


@torch.no_grad()
def sample_replies(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    prompts: list[str],
    *,
    max_reply_tokens: int,
    temperature: float,
) -> list[Sample]:
    """Sample one reply a prompt (repeat a prompt for more), in batches padded on the left. 0 degrees is greedy."""
    model.eval()
    samples: list[Sample] = []
    ends = set(model.generation_config.eos_token_id)
    choice = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    for start in range(0, len(prompts), BATCH):
        rendered = [
            tokenizer.apply_chat_template(ask(p), add_generation_prompt=True, tokenize=False)
            for p in prompts[start : start + BATCH]
        ]
        inputs = tokenizer(rendered, return_tensors="pt", padding=True, padding_side="left").to(model.device)
        output = model.generate(**inputs, max_new_tokens=max_reply_tokens, **choice)  # (B, prompt + reply)
        width = inputs["input_ids"].shape[1]
        for ids, mask, full in zip(inputs["input_ids"], inputs["attention_mask"], output, strict=True):
            reply, is_finished = _cut_at_end(full[width:].tolist(), ends)
            text = tokenizer.decode(reply, skip_special_tokens=True)
            samples.append(Sample(text, is_finished, ids[mask.bool()].tolist(), reply))
    return samples


def _cut_at_end(ids: list[int], ends: set[int]) -> tuple[list[int], bool]:
    for i, token in enumerate(ids):
        if token in ends:
            return ids[: i + 1], True
    return ids, False
