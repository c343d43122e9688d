"""What a checkpoint can do on held-out prompts, measured the same way every time.

A base model continues documents, so it is shown solved questions first (few-shot); chat checkpoints are asked through
their template. Both answer greedily; variety is measured on samples. Nothing is picked by hand: the prompts that the
report card shows are the first of each task.
"""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch

from training.data.corpus import Corpus
from training.data.rubric import Rubric, distinct_share, normalise, repeated_share, split_words, without_title
from training.data.tasks.draw import draw_example
from training.data.tasks.tasks import read_tasks
from training.data.world.examples import Example
from training.evaluate.rewards import probe_reward
from training.evaluate.text import measure_bits_per_byte
from training.recipe import Recipe, parse_recipe
from training.runs.checkpoint import HISTORY, CheckpointError, read_record
from training.runs.generate import Sample, complete, few_shot_text, sample_replies
from training.runs.loading import load_language_model, load_reward_model, load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

PER_TASK = 24
SHOTS = 4
SAMPLES = 8
VARIETY_PROMPTS = 24
SHOWN = 10

Card = dict[str, Any]


@dataclass(frozen=True)
class Examinee:
    """A language model and what it takes to ask it."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerFast"
    corpus: Corpus
    recipe: Recipe
    is_base: bool

    def answer(self, asked: list[Example], *, temperature: float = 0.0, show: str = "") -> list[Sample]:
        """Return a reply to each prompt; greedy at temperature 0. show: the name of a progress bar."""
        tokens = self.recipe.rl.max_reply_tokens
        if not self.is_base:
            prompts = [e.prompt for e in asked]
            return sample_replies(
                self.model, self.tokenizer, prompts, max_reply_tokens=tokens, temperature=temperature, show=show
            )
        texts = []
        for number, example in enumerate(asked):
            rng = Random(f"shots/{number}")
            task = self.corpus.tasks[example.task]
            shots = [draw_example(task, self.corpus.lexicon, rng, form="full") for _ in range(SHOTS)]
            room = self.recipe.model.context - tokens // 2
            texts.append(few_shot_text(self.tokenizer, shots, example.prompt, room=room))
        replies = complete(self.model, self.tokenizer, texts, max_tokens=tokens, temperature=temperature, show=show)
        return [_first_paragraph(s) for s in replies]


def evaluate(folder: Path, *, per_task: int = PER_TASK, show: bool = True) -> Card:
    """Measure one checkpoint on held-out text, on ``per_task`` prompts of each task.

    Raises:
        CheckpointError: the folder holds no finished checkpoint.
    """
    record = read_record(folder)
    if record is None:
        raise CheckpointError(f"{folder} holds no finished checkpoint: make it first (python -m training run demo)")
    recipe = parse_recipe(record["recipe"], str(folder / "stage.json"))
    corpus = Corpus(recipe.data, recipe.seed)
    tokenizer = load_tokenizer(folder)
    card = _description(folder, record)
    torch.manual_seed(recipe.seed)
    if record["stage"] == "reward":
        return card | {"reward_model": probe_reward(load_reward_model(folder), tokenizer, corpus)}
    model = load_language_model(folder)
    examinee = Examinee(model, tokenizer, corpus, recipe, is_base=record["stage"] == "base")
    asked = corpus.heldout(per_task)
    replies = examinee.answer(asked, show="evaluate" if show else "")
    rubric = Rubric(corpus.tasks, corpus.vocabulary)
    points = [rubric.mark(e, s.text, is_finished=s.is_finished).points for e, s in zip(asked, replies, strict=True)]
    return card | {
        "bits_per_byte": round(measure_bits_per_byte(model, tokenizer, corpus.heldout_documents()), 4),
        **exact_match(asked, replies, rubric, corpus.lexicon.heldout),
        **({"exact_first_line": first_line_exact(asked, replies, rubric)} if examinee.is_base else {}),
        **story_checks(asked, replies),
        "rubric": _mean(points, 2),
        "cut_off": _mean([not s.is_finished for s in replies]),
        **variety(examinee, asked),
        "shown": show_replies(examinee, asked, replies),
    }


def exact_match(asked: list[Example], replies: list[Sample], rubric: Rubric, heldout: frozenset[str]) -> Card:
    """Return the share of right replies: over all checkable prompts, by task, and over those with a held-out word."""
    right: dict[str, list[bool]] = {}
    new: list[bool] = []
    unseen = {word.lower() for word in heldout}
    for example, sample in zip(asked, replies, strict=True):
        if example.answers:
            is_right = rubric.is_exact(example, sample.text)
            right.setdefault(example.task, []).append(is_right)
            if unseen & set(normalise(example.prompt).split()):
                new.append(is_right)
    every = [r for rows in right.values() for r in rows]
    return {
        "exact": _mean(every),
        "exact_with_new_words": _mean(new) if new else None,
        "exact_by_family": {name: _mean(rows) for name, rows in sorted(right.items())},
    }


def first_line_exact(asked: list[Example], replies: list[Sample], rubric: Rubric) -> float:
    """Return the share of right replies if only the first line of each counts, whether or not it stops there."""
    firsts = [(e, s.text.strip().partition("\n")[0]) for e, s in zip(asked, replies, strict=True) if e.answers]
    return _mean([rubric.is_exact(e, text) for e, text in firsts])


def story_checks(asked: list[Example], replies: list[Sample]) -> Card:
    """Return the shares of stories that keep the hero, keep colour and thing, end properly, do not loop; all of it."""
    rows = []
    for example, sample in zip(asked, replies, strict=True):
        if read_tasks()[example.task].kind == "story":
            story = f" {normalise(without_title(sample.text))} "
            hero, thing, *_ = (f" {normalise(kept)} " for kept in example.kept)
            ended = sample.is_finished and sample.text.rstrip().endswith((".", "!", "?", '"'))
            rows.append((hero in story, thing in story, ended, repeated_share(split_words(sample.text)) < 0.2))
    if not rows:
        return {"stories": {}}
    names = ("hero_kept", "colour_kept", "ended", "no_loop")
    checks = {name: _mean([row[i] for row in rows]) for i, name in enumerate(names)}
    return {"stories": checks | {"all": _mean([all(row) for row in rows])}}


def variety(examinee: Examinee, asked: list[Example]) -> Card:
    """Return distinct-1, distinct-2 and self-BLEU (Zhu et al., 2018, arXiv:1802.01886) over samples of a few prompts.

    Self-BLEU is the mean BLEU-4 of each sample against the others to the same prompt, 0 (all differ) to 100.
    """
    from sacrebleu.metrics.bleu import BLEU

    composed = [e for e in asked if e.is_composed]
    if not composed:
        return {}
    chosen = composed[:: max(1, len(composed) // VARIETY_PROMPTS)][:VARIETY_PROMPTS]  # of every such task
    samples = examinee.answer([e for e in chosen for _ in range(SAMPLES)], temperature=1.0)
    texts = [s.text for s in samples]
    bleu = BLEU(effective_order=True)
    scores = []
    for start in range(0, len(texts), SAMPLES):
        group = texts[start : start + SAMPLES]
        scores += [bleu.sentence_score(t, group[:i] + group[i + 1 :]).score for i, t in enumerate(group)]
    return {
        "distinct_1": round(distinct_share(texts, 1), 4),
        "distinct_2": round(distinct_share(texts, 2), 4),
        "self_bleu": _mean(scores, 2),
    }


def show_replies(examinee: Examinee, asked: list[Example], replies: list[Sample]) -> list[dict[str, str]]:
    """Return the first prompts of evenly spaced tasks, with replies; a base model gets the plain prompt here."""
    firsts: dict[str, int] = {}
    for i, example in enumerate(asked):
        firsts.setdefault(example.task, i)
    chosen = list(firsts.values())[:: max(1, len(firsts) // SHOWN)][:SHOWN]
    shown = [replies[i] for i in chosen]
    if examinee.is_base:
        prompts = [asked[i].prompt for i in chosen]
        shown = complete(examinee.model, examinee.tokenizer, prompts, max_tokens=60, temperature=0.0)
    return [
        {"family": asked[i].task, "prompt": asked[i].prompt, "reply": s.text}
        for i, s in zip(chosen, shown, strict=True)
    ]


def read_history(folder: Path) -> list[dict[str, float]]:
    """Return what the trainer of a checkpoint logged; nothing where that was not kept."""
    path = folder / HISTORY
    rows: list[dict[str, float]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return rows


def read_snapshots(folder: Path) -> list[dict[str, float]]:
    """Return how the snapshots of an RLHF run were judged; nothing where there were none."""
    path = folder / "snapshots.json"
    rows: list[dict[str, float]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return rows


def _description(folder: Path, record: dict[str, Any]) -> Card:
    return {
        "name": folder.name,
        "family": record["recipe"]["name"],
        "stage": record["stage"],
        "parameters": record.get("parameters", 0),
        "tokens": record["tokens"],
        "wall_hours": round(record["wall_seconds"] / 3600, 3),
        "cpu_hours": round(record["cpu_seconds"] / 3600, 3),
        "machine": record.get("machine", ""),
        "heldout": record["heldout"],
    }


def _first_paragraph(sample: Sample) -> Sample:
    """Cut a base model's continuation where the next question begins; a cut there counts as an end."""
    text, cut, _ = sample.text.partition("\n\nQuestion:")
    return Sample(text.strip(), bool(cut) or sample.is_finished, sample.prompt_ids, sample.reply_ids)


def _mean(values: list[Any], digits: int = 4) -> float:
    return round(statistics.fmean(float(v) for v in values), digits) if values else 0.0
