"""RLHF: the SFT model learns to write what people, or the reward model in their place, prefer.

How it learns is the recipe's rl.algorithm: by reinforcement (rl.py) or from preference pairs directly (preference.py).
Reward is only a proxy (Gao et al., 2022, arXiv:2210.10760), so several snapshots are judged on held-out prompts, and
the one stays that is best by the rubric among those that still vary, are near the SFT model, and no less right.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.data.corpus import Corpus
from training.evaluate.limits import CUT_LIMIT, DISTINCT_LIMIT, EXACT_LIMIT, KL_LIMIT
from training.evaluate.policy import PolicyBench, PolicyFigures, win_share
from training.runs import distributed
from training.runs.arguments import common_arguments, lora_config, saver, train_quietly
from training.runs.batching import share_of_batch
from training.runs.callbacks import ProgressBar, Snapshots, snapshot_steps
from training.runs.checkpoint import CheckpointError, require_parent, require_stage, write_stage
from training.runs.job import Job
from training.runs.loading import load_language_model, load_reward_model, load_tokenizer
from training.runs.resources import require_room
from training.runs.work import open_work
from training.stages import REWARD, RLHF, preference
from training.stages.rl import make_group_trainer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


def run_rlhf(job: Job) -> dict[str, float]:
    """Train the SFT model in job.parent; keep the best snapshot; report held-out figures by the model in job.reward.

    Raises:
        CheckpointError: a parent or a reward model that is missing, of another stage or of another vocabulary.
    """
    assert job.parent is not None
    assert job.reward is not None
    parent_record = require_parent(job, RLHF)
    require_stage(job.reward, REWARD)
    if (cut_off := parent_record["heldout"].get("cut_off", 0.0)) > CUT_LIMIT:
        distributed.announce(f"warning: {job.parent} cuts off {cut_off:.0%} of its replies: RL needs a better start")
    recipe, settings = job.recipe, job.recipe.rl
    tokenizer = load_tokenizer(job.parent)
    judge = load_reward_model(job.reward, to_train=True)
    policy = load_language_model(job.parent, to_train=True)
    is_same_size = judge.config.vocab_size == policy.config.vocab_size
    if not is_same_size or load_tokenizer(job.reward).get_vocab() != tokenizer.get_vocab():
        raise CheckpointError(
            f"{job.reward} reads another vocabulary than {job.parent} writes: "
            "train the reward model from this SFT model"
        )
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
    trainer = _make_trainer(job, policy, judge, tokenizer, corpus, folder)
    history = train_quietly(trainer, job)
    tokens = int(trainer.state.num_input_tokens_seen)
    by_pairs = preference.measure_preference(trainer) if settings.algorithm in preference.TRAINERS else {}
    if not distributed.is_first():
        return {}
    bench = PolicyBench(recipe, job.parent, judge, tokenizer, corpus)
    best, judged = choose_snapshot(bench, folder, settings.steps, settings.snapshots)
    policy = bench.load(folder / f"checkpoint-{best}")
    figures, heldout = _report(bench, policy, best)
    heldout |= by_pairs

    def save(target: Path) -> None:
        saver(policy, tokenizer)(target)
        rows = [{"step": step, **asdict(f)} for step, f in (judged or {best: figures}).items()]
        (target / "snapshots.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")

    write_stage(job, save, fingerprint=corpus.fingerprint, tokens=tokens, heldout=heldout, history=history)
    return heldout


def _report(bench: PolicyBench, policy: "PreTrainedModel", step: int) -> tuple[PolicyFigures, dict[str, float]]:
    """Measure the policy that stays, and the SFT model beside it, on the prompts for reporting."""
    figures, points = bench.measure(policy, bench.reported)
    sft, sft_points = bench.measure(bench.parent, bench.reported)
    heldout = {
        **asdict(figures),
        **{f"sft_{key}": value for key, value in asdict(sft).items() if key != "kl_per_token"},
        "wins": win_share(points, sft_points),
        "step": float(step),
    }
    return figures, {key: round(value, 4) for key, value in heldout.items()}


def choose_snapshot(bench: PolicyBench, folder: Path, steps: int, count: int) -> tuple[int, dict[int, PolicyFigures]]:
    """Judge each snapshot on the prompts for choosing; return the best one's step and the figures of all, by step.

    Best is the highest rubric score among the snapshots that are near enough to the SFT model, varied enough and as
    often right; among all of them if none is. A single snapshot is not judged.
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
            and figures.exact >= sft.exact - EXACT_LIMIT
        )
        return sound, figures.rubric

    return max(judged, key=worth), judged


def _make_trainer(
    job: Job,
    policy: "PreTrainedModel",
    judge: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    corpus: Corpus,
    folder: Path,
) -> Any:
    recipe, settings = job.recipe, job.recipe.rl
    arguments = common_arguments(recipe, folder, steps=settings.steps) | {
        "save_total_limit": None,
        "max_steps": settings.steps,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.1,
        "beta": settings.beta,
        "per_device_train_batch_size": share_of_batch(settings.prompts_per_step * settings.replies_per_prompt),
    }
    parts = {
        "peft_config": lora_config(settings.lora, "CAUSAL_LM"),
        "callbacks": [ProgressBar("rl"), Snapshots(settings.snapshots)],
    }
    if settings.algorithm in preference.TRAINERS:
        return preference.make_preference_trainer(recipe, policy, tokenizer, job.pairs, arguments, parts)
    return make_group_trainer(recipe, policy, judge, tokenizer, corpus, arguments, parts)
