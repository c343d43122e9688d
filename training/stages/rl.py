"""Reinforcement learning: the SFT model learns to write what the reward model scores high (TRL's trainers).

GRPO (Shao et al., 2024, arXiv:2402.03300, section 4.1) and RLOO (Ahmadian et al., 2024, arXiv:2402.14740) sample a
group of replies to each prompt and score each against its group, held near the SFT model by a KL term; DPO (Rafailov
et al., 2023, arXiv:2305.18290) learns from the preference pairs directly. TRL renders a cut-off reply with an end
token that was never written, so the reward model cannot see that it did not stop; a penalty on unfinished replies says
it. Reward is only a proxy (Gao et al., 2022, arXiv:2210.10760): of several snapshots the one stays that is best by the
rubric on held-out prompts and still varied, near the SFT model, and no less right.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from training.data.corpus import Corpus
from training.data.preferences import read_pairs
from training.data.rubric import Rubric, distinct_share
from training.data.world.examples import Example
from training.runs import distributed as processes
from training.runs.arguments import (
    common_arguments,
    lora_config,
    merge_adapters,
    saver,
    share_of_batch,
    train_quietly,
)
from training.runs.callbacks import ProgressBar
from training.runs.checkpoint import CheckpointError, Job, open_work, require_parent, require_room, write_stage
from training.runs.generate import Sample, ask, sample_replies
from training.stages.pairs import draw_prompts
from training.stages.reward import score_conversations

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

PROMPTS = 4000
MEASURED_PER_FAMILY = 8
KL_LIMIT = 0.3  # nats a token: above it the policy has left what it was taught
DISTINCT_LIMIT = 0.6  # of the SFT model's distinct-2
CUT_LIMIT = 0.1  # an SFT model that cuts off more of its replies is no start for RL


@dataclass(frozen=True)
class PolicyFigures:
    """What a policy does on held-out prompts: greedy right share and rubric points (of 100), the rest sampled."""

    exact: float
    rubric: float
    reward: float
    cut_off: float
    distinct_2: float
    kl_per_token: float


class Snapshots(TrainerCallback):  # type: ignore[misc]  # transformers ships no types for it
    """Save at so many evenly spaced steps, the last one among them."""

    def __init__(self, count: int) -> None:
        self.count = count

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Ask for a save at each snapshot's step."""
        if state.global_step in snapshot_steps(state.max_steps, self.count):
            control.should_save = True


def snapshot_steps(steps: int, count: int) -> list[int]:
    """Return the steps at which snapshots are kept: count of them, evenly spaced, the last one included."""
    return sorted({max(1, round(steps * (i + 1) / count)) for i in range(count)})


def penalise_unfinished(ends: set[int], penalty: float) -> Any:
    """Return a reward function in TRL's form: minus penalty for a reply whose last token is no end token, else 0."""

    def unfinished(completion_ids: list[list[int]], **_: Any) -> list[float]:
        return [0.0 if ids and ids[-1] in ends else -penalty for ids in completion_ids]

    return unfinished


def run_rl(job: Job, reward: Path, pairs: Path | None = None) -> dict[str, float]:
    """Train the SFT model in job.parent against the reward model; keep the best snapshot; report held-out figures.

    pairs: the folder of preference pairs, which only DPO learns from.

    Raises:
        CheckpointError: a parent that is missing or of another vocabulary.
    """
    assert job.parent is not None
    parent_record = require_parent(job.parent, ("sft",))
    require_parent(reward, ("reward",))
    if (cut_off := parent_record["heldout"].get("cut_off", 0.0)) > CUT_LIMIT:
        processes.say(f"warning: {job.parent} cuts off {cut_off:.0%} of its replies: RL builds on sand")
    recipe, settings = job.recipe, job.recipe.rl
    tokenizer = AutoTokenizer.from_pretrained(job.parent)
    judge = AutoModelForSequenceClassification.from_pretrained(reward, dtype=torch.float32)
    if judge.config.vocab_size != len(tokenizer) or _vocabulary(reward) != tokenizer.get_vocab():
        raise CheckpointError(
            f"{reward} reads another vocabulary than {job.parent} writes: train the reward model from this SFT model"
        )
    policy = AutoModelForCausalLM.from_pretrained(job.parent, dtype=torch.float32)
    batch = settings.prompts_per_step * settings.replies_per_prompt
    require_room(
        job,
        parameters=3 * policy.num_parameters(),
        batch_tokens=share_of_batch(batch) * 2 * settings.max_reply_tokens,
        vocabulary=len(tokenizer),
        copies=settings.snapshots,
    )
    corpus = Corpus(recipe.data, recipe.seed)
    folder = open_work(job)
    trainer = _trainer(job, policy, judge, tokenizer, corpus, folder, pairs)
    history = train_quietly(trainer, job)
    tokens = int(trainer.state.num_input_tokens_seen)
    if not processes.is_first():
        return {}
    bench = PolicyBench(job, judge, tokenizer, corpus)
    best, judged = choose_snapshot(bench, folder, settings.steps, settings.snapshots)
    policy = bench.load(folder / f"checkpoint-{best}")
    figures, points = bench.measure(policy, bench.reported)
    sft, sft_points = bench.measure(bench.parent, bench.reported)
    heldout = {
        **asdict(figures),
        **{f"sft_{key}": value for key, value in asdict(sft).items() if key != "kl_per_token"},
        "wins": win_share(points, sft_points),
        "step": float(best),
    }
    heldout = {key: round(value, 4) for key, value in heldout.items()}

    def save(target: Path) -> None:
        saver(policy, tokenizer)(target)
        rows = [{"step": step, **asdict(f)} for step, f in (judged or {best: figures}).items()]
        (target / "snapshots.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")

    write_stage(job, save, fingerprint=corpus.fingerprint, tokens=tokens, heldout=heldout, history=history)
    return heldout


def choose_snapshot(bench: "PolicyBench", folder: Path, steps: int, count: int) -> tuple[int, dict[int, PolicyFigures]]:
    """Judge each snapshot on the prompts for choosing; return the best one's step and the figures of all, by step.

    Best is the highest rubric score among those that are near enough, varied enough, and as right as the SFT model;
    among all of them where none is. One snapshot alone is not judged.
    """
    kept = snapshot_steps(steps, count)
    if len(kept) == 1:
        return kept[0], {}
    sft, _ = bench.measure(bench.parent, bench.choosing)
    judged = {step: bench.measure(bench.load(folder / f"checkpoint-{step}"), bench.choosing)[0] for step in kept}

    def worth(step: int) -> tuple[bool, float]:
        figures = judged[step]
        sound = (
            figures.kl_per_token < KL_LIMIT
            and figures.distinct_2 >= DISTINCT_LIMIT * sft.distinct_2
            and figures.exact >= sft.exact - 0.005
        )
        return sound, figures.rubric

    return max(judged, key=worth), judged


class PolicyBench:
    """Measures policies against their SFT parent on held-out prompts: half for choosing, half for reporting."""

    def __init__(
        self, job: Job, judge: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", corpus: Corpus
    ) -> None:
        self.job, self.judge, self.tokenizer = job, judge, tokenizer
        self.rubric = Rubric(corpus.families, corpus.vocabulary)
        self.parent = self.load(job.parent or Path())
        heldout = corpus.heldout(2 * MEASURED_PER_FAMILY)
        self.choosing, self.reported = heldout[::2], heldout[1::2]

    def load(self, folder: Path) -> "PreTrainedModel":
        """Load a checkpoint or a trainer's save of one, adapters merged."""
        if (folder / "adapter_config.json").is_file():
            from peft import AutoPeftModelForCausalLM

            return merge_adapters(AutoPeftModelForCausalLM.from_pretrained(folder)).to(self.judge.device).eval()
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).to(self.judge.device).eval()
        if hasattr(self, "parent"):
            model.generation_config = self.parent.generation_config
        return model

    def sample(self, model: "PreTrainedModel", asked: list[Example], temperature: float) -> list[Sample]:
        """Sample one reply to each prompt, the same seed every time."""
        torch.manual_seed(self.job.recipe.seed)
        tokens = self.job.recipe.rl.max_reply_tokens
        prompts = [e.prompt for e in asked]
        return sample_replies(model, self.tokenizer, prompts, max_reply_tokens=tokens, temperature=temperature)

    def points(self, asked: list[Example], samples: list[Sample]) -> list[float]:
        """Return the rubric points of each reply."""
        pairs = zip(asked, samples, strict=True)
        return [self.rubric.mark(e, s.text, is_finished=s.is_finished).points for e, s in pairs]

    def measure(self, model: "PreTrainedModel", asked: list[Example]) -> tuple[PolicyFigures, list[float]]:
        """Measure a policy on prompts; return its figures and the rubric points of its sampled replies."""
        greedy = self.sample(model, asked, 0.0)
        sampled = self.sample(model, asked, self.job.recipe.rl.temperature)
        said = [[*ask(e.prompt), {"role": "assistant", "content": s.text}] for e, s in zip(asked, sampled, strict=True)]
        rewards = score_conversations(self.judge, self.tokenizer, said)
        exact = [self.rubric.is_exact(e, s.text) for e, s in zip(asked, greedy, strict=True) if e.answers]
        points = self.points(asked, greedy)
        figures = PolicyFigures(
            exact=sum(exact) / max(1, len(exact)),
            rubric=sum(points) / len(points),
            reward=sum(rewards) / len(rewards),
            cut_off=sum(not s.is_finished for s in greedy) / len(greedy),
            distinct_2=distinct_share([s.text for s in sampled], 2),
            kl_per_token=measure_kl(model, self.parent, sampled),
        )
        return figures, self.points(asked, sampled)


def win_share(mine: list[float], other: list[float]) -> float:
    """Return how often the first of two replies to a prompt has more points; ties count half."""
    return sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in zip(mine, other, strict=True)) / len(mine)


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


def _trainer(
    job: Job,
    policy: "PreTrainedModel",
    judge: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    corpus: Corpus,
    folder: Path,
    pairs: Path | None,
) -> Any:
    recipe, settings = job.recipe, job.recipe.rl
    batch = settings.prompts_per_step * settings.replies_per_prompt
    shared = common_arguments(recipe, folder, steps=settings.steps) | {
        "save_total_limit": None,
        "max_steps": settings.steps,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.1,
        "beta": settings.beta,
        "per_device_train_batch_size": share_of_batch(batch),
    }
    given = {
        "model": policy,
        "processing_class": tokenizer,
        "peft_config": lora_config(settings.lora, "CAUSAL_LM"),
        "callbacks": [ProgressBar("rl"), Snapshots(settings.snapshots)],
    }
    if settings.algorithm == "dpo":
        if pairs is None:
            raise CheckpointError("rl.algorithm dpo learns from preference pairs: pass --pairs with their folder")
        rows, _ = read_pairs(pairs)
        kept = [{key: row[key] for key in ("prompt", "chosen", "rejected")} for row in rows]
        arguments = DPOConfig(**shared, max_length=recipe.model.context)
        return DPOTrainer(args=arguments, train_dataset=Dataset.from_list(kept), **given)
    config, kind = (GRPOConfig, GRPOTrainer) if settings.algorithm == "grpo" else (RLOOConfig, RLOOTrainer)
    arguments = config(
        **shared,
        num_generations=settings.replies_per_prompt,
        temperature=settings.temperature,
        max_completion_length=settings.max_reply_tokens,
    )
    ends = set(policy.generation_config.eos_token_id)
    prompts = draw_prompts(corpus, Random(f"{recipe.seed}/rl"), PROMPTS)
    return kind(
        args=arguments,
        reward_funcs=[judge, penalise_unfinished(ends, settings.unfinished_penalty)],
        reward_processing_classes=[tokenizer, None],
        train_dataset=Dataset.from_list([{"prompt": ask(e.prompt)} for e in prompts]),
        **given,
    )


def _vocabulary(folder: Path) -> dict[str, int]:
    vocabulary: dict[str, int] = AutoTokenizer.from_pretrained(folder).get_vocab()
    return vocabulary
