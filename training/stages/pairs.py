"""First preference pairs, before anybody has voted: replies of the SFT model, voted on by synthetic voters.

Several replies are sampled to each prompt. The best by the rubric is compared with each of the others by a voter who
sees the difference through noise; ties make no pair. Two kinds of pairs are added by rule:

- Degenerate replies (cut, repeated, shuffled) as the rejected side, since a reward model that has seen only fluent
  replies scores broken ones high. Half of them break a chosen reply; half break the corpus's own reply, which is right
  even where the model never is. More, on request, break replies to short problems, where it is hard to see.
- Near misses: a right reply, and the same with a word, number or name of another problem. The mistakes in an SFT
  model's own replies teach a reward model little about what is true.

Every row has ``"source": "synthetic"``, and ``"noise_free"`` for whether the rubric agrees with the vote. Pairs with a
degenerate side have ``"degenerate"`` and a margin, those with a near miss ``"near_miss"``.
"""

import random
from itertools import islice
from pathlib import Path
from typing import Any

from training.data.corpus import Corpus
from training.data.degenerate import BROKEN_WEIGHTS, broken_copies
from training.data.preferences import write_pairs
from training.data.rubric import TIE, Rubric, cast_vote
from training.data.tasks.draw import draw_near_miss
from training.data.world.examples import Example
from training.runs.checkpoint import CheckpointError, require_parent, write_stage
from training.runs.generate import Sample, ask, sample_replies
from training.runs.job import Job
from training.runs.loading import load_language_model, load_tokenizer
from training.sections import Pairs
from training.stages import RLHF

HELDOUT_PER_TASK = 12


def run_pairs(job: Job) -> dict[str, float]:
    """Write train.jsonl (training prompts) and test.jsonl (held-out prompts) by the SFT model in job.parent."""
    assert job.parent is not None
    require_parent(job, RLHF)
    recipe, settings = job.recipe, job.recipe.pairs
    corpus = Corpus(recipe.data, recipe.seed)
    rubric = Rubric(corpus.tasks, corpus.vocabulary)
    rng = random.Random(f"{recipe.seed}/pairs")
    asked = draw_prompts(corpus, rng, settings.prompts)
    heldout_prompts = corpus.heldout(HELDOUT_PER_TASK)
    held_back = heldout_prompts[:: max(1, len(heldout_prompts) * 3 // settings.prompts)]  # of every task
    examples = asked + held_back
    groups = sample_groups(job.parent, [e.prompt for e in examples], settings)
    rows = [make_pairs(e, group, rubric, rng, settings.noise) for e, group in zip(examples, groups, strict=True)]
    train = [row for group in rows[: len(asked)] for row in group]
    test = [row for group in rows[len(asked) :] for row in group]
    for part, known in ((train, asked), (test, held_back)):
        part += break_replies(part, known, rng, settings)
    luck = random.Random(f"{recipe.seed}/near misses")
    train_count, test_count = (
        int(sum("degenerate" not in row for row in part) * settings.near_miss_share) for part in (train, test)
    )
    # They need no sampling, so those to train on have prompts of their own.
    fresh = list(islice(corpus.draw_examples(luck), 2 * train_count))
    train += make_near_misses(fresh, rubric, luck, train_count)
    test += make_near_misses(held_back, rubric, luck, test_count)
    train += break_problems(corpus, random.Random(f"{recipe.seed}/broken"), settings.broken, settings.margin)
    if not train or not test:
        raise CheckpointError(
            f"the replies of {job.parent} make no pairs ({len(train)} to train, {len(test)} to test): "
            "all score alike; raise pairs.prompts or pairs.temperature"
        )
    heldout = {"pairs": float(len(train)), "heldout_pairs": float(len(test))}
    write_stage(
        job, lambda folder: write_pairs(folder, train, test), fingerprint=corpus.fingerprint, tokens=0, heldout=heldout
    )
    return heldout


def sample_groups(parent: Path, prompts: list[str], settings: Pairs) -> list[list[Sample]]:
    """Sample replies of the model in parent, settings.samples to each prompt."""
    samples = sample_replies(
        load_language_model(parent),
        load_tokenizer(parent),
        [prompt for prompt in prompts for _ in range(settings.samples)],
        max_reply_tokens=settings.max_reply_tokens,
        temperature=settings.temperature,
        show="pairs",
    )
    return [samples[i : i + settings.samples] for i in range(0, len(samples), settings.samples)]


def break_replies(
    rows: list[dict[str, Any]], known: list[Example], rng: random.Random, settings: Pairs
) -> list[dict[str, Any]]:
    """Return settings.degenerate_share pairs per row that break its chosen reply or the corpus's own to a prompt."""
    count = int(len(rows) * settings.degenerate_share)
    decent = [(row["prompt"][0]["content"], row["chosen"][0]["content"]) for row in rng.sample(rows, count // 2)]
    decent += [(e.prompt, e.reply) for e in rng.choices(known, k=count - count // 2)]
    return [break_reply(prompt, reply, rng, settings.margin) for prompt, reply in decent]


def draw_prompts(corpus: Corpus, rng: random.Random, count: int) -> list[Example]:
    """Draw ``count`` different training prompts that the rubric can judge."""
    drawn: dict[str, Example] = {}
    for example in islice(corpus.draw_examples(rng), count * 4):
        if example.task != "small talk":
            drawn.setdefault(example.prompt, example)
        if len(drawn) == count:
            break
    return list(drawn.values())


def make_pairs(
    example: Example, samples: list[Sample], rubric: Rubric, rng: random.Random, noise: float
) -> list[dict[str, Any]]:
    """Compare the best reply by the rubric with each of the others; empty replies and ties are left out."""
    scored: dict[str, float] = {}
    for s in samples:
        if s.text.strip():  # the same text may be finished in one sample and cut in another: the better score counts
            score = rubric.mark(example, s.text, is_finished=s.is_finished).points
            scored[s.text] = max(score, scored.get(s.text, 0.0))
    best = max(scored, key=lambda text: scored[text], default="")
    rows = []
    for text, score in scored.items():
        winner = "tie" if text == best else cast_vote(scored[best], score, rng, noise)
        if winner != "tie":
            chosen, rejected = (best, text) if winner == "first" else (text, best)
            gap = (scored[best] - score) * (1 if winner == "first" else -1)
            rows.append(_row(example.prompt, chosen=chosen, rejected=rejected, noise_free=gap > TIE))
    return rows


def break_reply(prompt: str, reply: str, rng: random.Random, margin: float) -> dict[str, Any]:
    """Return a pair in which a decent reply is preferred to a broken copy of itself.

    margin: by how much the copy has to score less (Touvron et al., 2023, arXiv:2307.09288, equation 2).
    """
    ways = zip(broken_copies(reply, rng), BROKEN_WEIGHTS, strict=True)
    ways_that_break, weights = zip(*[(way, weight) for way, weight in ways if way != reply], strict=True)
    broken = rng.choices(ways_that_break, weights)[0]
    return _row(prompt, chosen=reply, rejected=broken, noise_free=True) | {"degenerate": True, "margin": margin}


def break_problems(corpus: Corpus, rng: random.Random, count: int, margin: float) -> list[dict[str, Any]]:
    """Return ``count`` pairs of the corpus's own reply to a problem and a broken copy of it."""
    problems = (e for e in corpus.draw_examples(rng) if not e.is_composed)
    return [break_reply(e.prompt, e.reply, rng, margin) for e in islice(problems, count)]


def make_near_misses(examples: list[Example], rubric: Rubric, rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Return ``count`` pairs of a right reply and a near miss, fewer where few can be checked."""
    by_task: dict[str, list[Example]] = {}
    for example in examples:
        if example.answers:
            by_task.setdefault(example.task, []).append(example)
    checkable = [example for group in by_task.values() if len(group) > 1 for example in group]
    rows: list[dict[str, Any]] = []
    for _ in range(20 * count if checkable else 0):
        if len(rows) == count:
            break
        example = rng.choice(checkable)
        other = rng.choice(by_task[example.task])
        right, miss = draw_near_miss(rubric.tasks[example.task], example, other, rng)
        if not rubric.is_exact(example, miss):
            row = _row(example.prompt, chosen=right, rejected=miss, noise_free=True)
            rows.append(row | {"near_miss": True})
    return rows


def _row(prompt: str, *, chosen: str, rejected: str, noise_free: bool) -> dict[str, Any]:
    return {
        "prompt": ask(prompt),
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
        "margin": 0.0,
        "source": "synthetic",
        "noise_free": noise_free,
    }
