"""Reinforcement learning: the SFT model learns to write what the reward model scores high (TRL's GRPOTrainer).

Each prompt gets a group of replies, each scored against its group's mean, held near the SFT model by a KL term whose
weight is beta (Shao et al., 2024, arXiv:2402.03300, section 4.1). TRL renders a cut-off reply with an end token that
was never written, so the reward model cannot see that it did not stop; a penalty on unfinished replies says it.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

from training.checkpoint import CheckpointError, Job, require_parent, write_stage
from training.data.checker import score_reply
from training.data.corpus import Corpus, build_corpus
from training.reward import score_conversations
from training.sampling import Sample, ask, sample_replies
from training.trainer import ProgressBar, common_arguments, train_quietly

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

MEASURED_PROMPTS = 96


def penalise_unfinished(ends: set[int], penalty: float) -> Any:
    """Return a reward function in TRL's form: minus penalty for a reply whose last token is no end token, else 0."""

    def unfinished(completion_ids: list[list[int]], **_: Any) -> list[float]:
        return [0.0 if ids and ids[-1] in ends else -penalty for ids in completion_ids]

    return unfinished


def run_rl(job: Job, reward: Path) -> dict[str, float]:
    """Train the SFT model in job.parent against the reward model; report both models on held-out prompts."""
    assert job.parent is not None
    require_parent(job.parent, ("sft",))
    require_parent(reward, ("reward",))
    recipe, settings = job.recipe, job.recipe.rl
    tokenizer = AutoTokenizer.from_pretrained(job.parent)
    judge = AutoModelForSequenceClassification.from_pretrained(reward)
    if judge.config.vocab_size != len(tokenizer) or _vocabulary(reward) != tokenizer.get_vocab():
        raise CheckpointError(
            f"{reward} reads another vocabulary than {job.parent} writes: train the reward model from this SFT model"
        )
    policy = AutoModelForCausalLM.from_pretrained(job.parent)
    corpus = build_corpus(recipe.data, recipe.seed)
    ends = set(policy.generation_config.eos_token_id)
    with tempfile.TemporaryDirectory() as folder:
        arguments = GRPOConfig(
            **common_arguments(recipe, folder),
            max_steps=settings.steps,
            per_device_train_batch_size=settings.prompts_per_step * settings.replies_per_prompt,
            num_generations=settings.replies_per_prompt,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=0.1,
            beta=settings.beta,
            temperature=settings.temperature,
            max_completion_length=settings.max_reply_tokens,
        )
        trainer = GRPOTrainer(
            model=policy,
            args=arguments,
            reward_funcs=[judge, penalise_unfinished(ends, settings.unfinished_penalty)],
            reward_processing_classes=[tokenizer, None],
            train_dataset=Dataset.from_list([{"prompt": ask(e.prompt)} for e in corpus.examples]),
            processing_class=tokenizer,
            callbacks=[ProgressBar("rl")],
        )
        train_quietly(trainer)
        tokens = int(trainer.state.num_input_tokens_seen)
    heldout = measure_policy(policy, job, judge, tokenizer, corpus)

    def save(target: Path) -> None:
        policy.save_pretrained(target)
        tokenizer.save_pretrained(target)

    write_stage(job, save, fingerprint=corpus.fingerprint, tokens=tokens, heldout=heldout)
    return heldout


def _vocabulary(folder: Path) -> dict[str, int]:
    vocabulary: dict[str, int] = AutoTokenizer.from_pretrained(folder).get_vocab()
    return vocabulary


def measure_policy(
    policy: "PreTrainedModel",
    job: Job,
    judge: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    corpus: Corpus,
) -> dict[str, float]:
    """Sample both models on held-out prompts: reward, checker's score, cut-off share, and KL(policy || SFT) a token."""
    parent = AutoModelForCausalLM.from_pretrained(job.parent).to(policy.device)
    figures: dict[str, float] = {}
    heldout = corpus.heldout[:MEASURED_PROMPTS]
    for name, model in (("sft_", parent), ("", policy)):
        torch.manual_seed(job.recipe.seed)
        samples = sample_replies(
            model,
            tokenizer,
            [e.prompt for e in heldout],
            max_reply_tokens=job.recipe.rl.max_reply_tokens,
            temperature=job.recipe.rl.temperature,
        )
        said = [{"role": "assistant", "content": s.text} for s in samples]
        replies = [[*ask(e.prompt), reply] for e, reply in zip(heldout, said, strict=True)]
        rewards = score_conversations(judge, tokenizer, replies)
        gold = [
            score_reply(e, s.text, corpus.vocabulary, is_finished=s.is_finished)
            for e, s in zip(heldout, samples, strict=True)
        ]
        figures[name + "reward"] = round(sum(rewards) / len(rewards), 4)
        figures[name + "checker_score"] = round(sum(gold) / len(gold), 4)
        figures[name + "cut_off"] = round(sum(not s.is_finished for s in samples) / len(samples), 4)
    figures["kl_per_token"] = round(measure_kl(policy, parent, samples), 4)
    return figures


@torch.no_grad()
def measure_kl(policy: "PreTrainedModel", parent: "PreTrainedModel", samples: list[Sample]) -> float:
    """Return KL(policy || parent), nats a token, over the whole vocabulary at each position the policy wrote."""
    total, count = 0.0, 0
    for sample in samples:
        row = torch.tensor([sample.prompt_ids + sample.reply_ids], device=policy.device)  # (1, T)
        written = slice(len(sample.prompt_ids) - 1, row.shape[1] - 1)
        p = policy(row).logits[0, written].float().log_softmax(-1)  # (T, V)
        q = parent(row).logits[0, written].float().log_softmax(-1)  # (T, V)
        total += (p.exp() * (p - q)).sum().item()
        count += len(sample.reply_ids)
    return total / count
