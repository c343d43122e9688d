"""What a reward model is worth: its scores, how often they agree with pairs, and how well they are calibrated."""

import math
import statistics
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from jinja2 import TemplateError

from training.data.corpus import Corpus
from training.data.degenerate import broken_copies
from training.data.pair_rows import PairsError
from training.data.rubric import normalise
from training.runs.generate import ask, limit_length

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

Conversation = list[dict[str, str]]
BATCH = 64
BINS = 10
PROBED = 60
MADE = ("degenerate", "near_miss")  # marks of pairs whose worse side was made by rule


@torch.no_grad()
def score_conversations(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", conversations: list[Conversation]
) -> list[float]:
    """Return the reward model's score of the last turn of each conversation, in the context of the others."""
    model.eval()
    texts = [tokenizer.apply_chat_template(c, tokenize=False) for c in conversations]
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # of similar length, else most of a batch is padding
    scores = [0.0] * len(texts)
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        inputs = tokenizer(
            [texts[i] for i in batch],
            return_tensors="pt",
            padding=True,
            padding_side="right",
            **limit_length(model),
            add_special_tokens=False,
            return_token_type_ids=False,
        )
        for i, score in zip(batch, model(**inputs.to(model.device)).logits[:, 0].float().tolist(), strict=True):
            scores[i] = score
    return scores


def fits_context(row: dict[str, Any], tokenizer: "PreTrainedTokenizerFast", context: int) -> bool:
    """Return whether both sides of a pair have at most so many tokens; trainers drop or cut longer ones silently.

    Raises:
        PairsError: the chat template refuses the roles of a pair, as some do a system's turn.
    """
    sides = [row["prompt"] + row[side] for side in ("chosen", "rejected")]
    try:
        texts = [tokenizer.apply_chat_template(side, tokenize=False) for side in sides]
    except TemplateError as error:
        roles = ", ".join(message["role"] for message in sides[0])
        raise PairsError(
            f"the chat template refuses a pair of the turns {roles} ({error}): remove such pairs, or mend the template"
        ) from None
    return all(len(ids) <= context for ids in tokenizer(texts, add_special_tokens=False)["input_ids"])


def score_gaps(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", rows: list[dict[str, Any]]
) -> list[float]:
    """Return each pair's score of the chosen side minus that of the rejected."""
    chosen = score_conversations(model, tokenizer, [row["prompt"] + row["chosen"] for row in rows])
    rejected = score_conversations(model, tokenizer, [row["prompt"] + row["rejected"] for row in rows])
    return [c - r for c, r in zip(chosen, rejected, strict=True)]


def measure_pairs(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", rows: list[dict[str, Any]]
) -> dict[str, float]:
    """Return accuracy (equal scores count half) and mean negative log-likelihood (nats) over held-out pairs.

    Where pairs are marked, also the accuracy over pairs of two sampled replies whose vote the rubric agrees with, over
    pairs with a broken reply, and over pairs with a near miss.
    """
    gaps = score_gaps(model, tokenizer, rows)
    nats = sum(max(-gap, 0.0) + math.log1p(math.exp(-abs(gap))) for gap in gaps)
    figures = {
        "pair_accuracy": round(accuracy_of(gaps), 4),
        "negative_log_likelihood": round(nats / len(gaps), 4),
        "calibration_error": round(calibration_error(gaps), 4),
        "heldout_pairs": float(len(gaps)),
    }
    both = list(zip(gaps, rows, strict=True))
    clear = [gap for gap, row in both if row.get("noise_free", False) and not is_made(row)]
    parts = {"noise_free_accuracy": clear}
    for mark in MADE:
        parts[f"{mark}_accuracy"] = [gap for gap, row in both if row.get(mark, False)]
    return figures | {name: round(accuracy_of(part), 4) for name, part in parts.items() if part}


def accuracy_of(gaps: list[float]) -> float:
    """Return the share of pairs whose chosen side scores higher; equal scores count half."""
    return sum(1.0 if gap > 0 else 0.5 if gap == 0 else 0.0 for gap in gaps) / len(gaps)


def calibration_error(gaps: list[float]) -> float:
    """Return the expected calibration error of sigma(difference) over ten bins of confidence, 0.5 to 1.

    The model prefers a side with confidence sigma(abs(gap)); in each bin that is compared with how often it was right
    (Guo et al., 2017, arXiv:1706.04599, equation 5).
    """
    confidences = [1.0 / (1.0 + math.exp(-min(abs(gap), 30.0))) for gap in gaps]
    total = 0.0
    for i in range(BINS):
        low, high = 0.5 + 0.5 * i / BINS, 0.5 + 0.5 * (i + 1) / BINS
        inside = [j for j, c in enumerate(confidences) if low <= c < high or (i == BINS - 1 and c >= high)]
        if inside:
            right = accuracy_of([gaps[j] for j in inside])
            total += abs(right - sum(confidences[j] for j in inside) / len(inside)) * len(inside)
    return total / len(gaps)


def is_made(row: dict[str, Any]) -> bool:
    """Say whether a pair's worse side was made by rule."""
    return any(row.get(mark, False) for mark in MADE)


def probe_reward(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", corpus: Corpus) -> dict[str, Any]:
    """Score decent and degenerate replies to held-out prompts; return how often the degenerate one scores less.

    The decent reply is the example's own; degenerate are copies of it that are cut, repeated, shuffled or one word.
    """
    rng = Random("probes")
    heldout = corpus.heldout(2)
    asked = heldout[:: max(1, len(heldout) // PROBED)]
    conversations: list[Conversation] = []
    groups: list[tuple[int, int]] = []
    for example in asked:
        probes = [p for p in broken_copies(example.reply, rng) if normalise(p) != normalise(example.reply)]
        groups.append((len(conversations), len(conversations) + 1 + len(probes)))
        conversations += [[*ask(example.prompt), {"role": "assistant", "content": r}] for r in (example.reply, *probes)]
    scores = score_conversations(model, tokenizer, conversations)
    gaps = [scores[first] - probe for first, last in groups for probe in scores[first + 1 : last]]
    return {
        "probes": len(gaps),
        "probes_below": round(statistics.fmean(gap > 0 for gap in gaps), 4) if gaps else 0.0,
        "decent_mean": round(statistics.fmean(scores[first] for first, _ in groups), 4),
        "probe_mean": round(statistics.fmean(s for a, b in groups for s in scores[a + 1 : b]), 4),
    }
