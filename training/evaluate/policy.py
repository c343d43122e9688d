"""What a policy does on held-out prompts beside the SFT model that it started from."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from training.data.corpus import Corpus
from training.data.rubric import Rubric, distinct_share
from training.data.world.examples import Example
from training.evaluate.rewards import score_conversations
from training.recipe import Recipe
from training.runs.generate import Sample, ask, sample_replies
from training.runs.loading import load_language_model, to_evaluate

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

MEASURED_PER_TASK = 8


@dataclass(frozen=True)
class PolicyFigures:
    """What a policy does on held-out prompts.

    exact, rubric (points of 100), cut_off: of greedy replies. reward, distinct_2, kl_per_token (nats): of samples.
    """

    exact: float
    rubric: float
    reward: float
    cut_off: float
    distinct_2: float
    kl_per_token: float


class PolicyBench:
    """Measures policies beside their SFT parent on held-out prompts: half for choosing, half for reporting."""

    def __init__(
        self,
        recipe: Recipe,
        parent: Path,
        judge: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerFast",
        corpus: Corpus,
    ) -> None:
        self.recipe, self.judge, self.tokenizer = recipe, to_evaluate(judge), tokenizer
        self.rubric = Rubric(corpus.tasks, corpus.vocabulary)
        self.parent = load_language_model(parent)
        heldout = corpus.heldout(2 * MEASURED_PER_TASK)
        self.choosing, self.reported = heldout[::2], heldout[1::2]

    def load(self, folder: Path) -> "PreTrainedModel":
        """Load a trainer's save of a policy, which ends its replies as the parent does."""
        model = load_language_model(folder)
        model.generation_config = self.parent.generation_config
        return model

    def measure(self, model: "PreTrainedModel", asked: list[Example]) -> tuple[PolicyFigures, list[float]]:
        """Measure a policy on prompts; return its figures and the rubric points of its sampled replies."""
        greedy = self._sample(model, asked, 0.0)
        sampled = self._sample(model, asked, self.recipe.rl.temperature)
        conversations = [
            [*ask(e.prompt), {"role": "assistant", "content": s.text}] for e, s in zip(asked, sampled, strict=True)
        ]
        rewards = score_conversations(self.judge, self.tokenizer, conversations)
        exact = [self.rubric.is_exact(e, s.text) for e, s in zip(asked, greedy, strict=True) if e.answers]
        points = self._points(asked, greedy)
        figures = PolicyFigures(
            exact=sum(exact) / max(1, len(exact)),
            rubric=sum(points) / len(points),
            reward=sum(rewards) / len(rewards),
            cut_off=sum(not s.is_finished for s in greedy) / len(greedy),
            distinct_2=distinct_share([s.text for s in sampled], 2),
            kl_per_token=measure_kl(model, self.parent, sampled),
        )
        return figures, self._points(asked, sampled)

    def _sample(self, model: "PreTrainedModel", asked: list[Example], temperature: float) -> list[Sample]:
        """Sample one reply to each prompt, with the same seed every time."""
        torch.manual_seed(self.recipe.seed)
        tokens = self.recipe.rl.max_reply_tokens
        prompts = [e.prompt for e in asked]
        return sample_replies(model, self.tokenizer, prompts, max_reply_tokens=tokens, temperature=temperature)

    def _points(self, asked: list[Example], samples: list[Sample]) -> list[float]:
        pairs = zip(asked, samples, strict=True)
        return [self.rubric.mark(e, s.text, is_finished=s.is_finished).points for e, s in pairs]


def win_share(mine: list[float], other: list[float]) -> float:
    """Return how often the first of two replies to a prompt has more points; ties count half."""
    return sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in zip(mine, other, strict=True)) / len(mine)


@torch.no_grad()
def measure_kl(policy: "PreTrainedModel", parent: "PreTrainedModel", samples: list[Sample]) -> float:
    """Return KL(policy || parent) in nats per token, over the whole vocabulary at each position the policy wrote."""
    total, count = 0.0, 0
    for sample in samples:
        row = torch.tensor([sample.prompt_ids + sample.reply_ids], device=policy.device)  # (1, T)
        written = slice(len(sample.prompt_ids) - 1, row.shape[1] - 1)
        p = policy(row).logits[0, written].float().log_softmax(-1)  # (T, V)
        q = parent(row).logits[0, written].float().log_softmax(-1)  # (T, V)
        total += (p.exp() * (p - q)).sum().item()
        count += len(sample.reply_ids)
    return total / count
