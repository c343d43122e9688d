"""First preference pairs, before anybody has voted: replies of the SFT model, ordered by a checker.

Each prompt gets several sampled replies; the best by score_reply is paired with each that scores lower. A share of
pairs gets a degenerate rejected side (cut, repeated, run on), since a reward model that has seen only fluent
replies scores broken ones high. Every row is marked ``"source": "synthetic"``.
"""

import random
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from training.checkpoint import CheckpointError, Job, require_parent, write_stage
from training.data.checker import score_reply
from training.data.corpus import build_corpus
from training.data.preferences import write_pairs
from training.data.world import Example
from training.sampling import Sample, ask, sample_replies


def run_pairs(job: Job) -> dict[str, float]:
    """Write train.jsonl (training prompts) and test.jsonl (held-out prompts) by the SFT model in job.parent."""
    assert job.parent is not None
    require_parent(job.parent, ("sft",))
    recipe, settings = job.recipe, job.recipe.pairs
    tokenizer = AutoTokenizer.from_pretrained(job.parent)
    model = AutoModelForCausalLM.from_pretrained(job.parent)
    corpus = build_corpus(recipe.data, recipe.seed)
    rng = random.Random(recipe.seed)
    known = [e for e in corpus.examples if e.expected]
    asked = rng.sample(known, min(settings.prompts, len(known)))
    held_back = corpus.heldout[: max(1, settings.prompts // 4)]
    prompts = [e.prompt for e in asked + held_back for _ in range(settings.samples)]
    samples = sample_replies(
        model, tokenizer, prompts, max_reply_tokens=settings.max_reply_tokens, temperature=settings.temperature
    )
    groups = [samples[i : i + settings.samples] for i in range(0, len(samples), settings.samples)]
    groups_of_rows = [
        make_pairs(e, group, corpus.vocabulary) for e, group in zip(asked + held_back, groups, strict=True)
    ]
    train = [row for group in groups_of_rows[: len(asked)] for row in group]
    test = [row for group in groups_of_rows[len(asked) :] for row in group]
    for rows in (train, test):
        rows += [break_reply(row, rng) for row in rng.sample(rows, int(len(rows) * settings.degenerate_share))]
    if not train or not test:
        raise CheckpointError(
            f"the replies of {job.parent} make no pairs ({len(train)} to train, {len(test)} to test): "
            "all score alike; raise pairs.prompts or pairs.temperature"
        )
    heldout = {"pairs": float(len(train)), "heldout_pairs": float(len(test))}
    write_stage(
        job,
        lambda folder: write_pairs(folder, train, test),
        fingerprint=corpus.fingerprint,
        tokens=0,
        heldout=heldout,
    )
    return heldout


def make_pairs(example: Example, samples: list[Sample], vocabulary: frozenset[str]) -> list[dict[str, Any]]:
    """Pair the best reply with each that the checker scores lower; empty replies are left out."""
    scored: dict[str, float] = {}
    for s in samples:
        if s.text.strip():  # the same text may have been finished once and cut once: the better counts
            score = score_reply(example, s.text, vocabulary, is_finished=s.is_finished)
            scored[s.text] = max(score, scored.get(s.text, 0.0))
    best = max(scored, key=lambda text: scored[text], default="")
    return [_row(example.prompt, chosen=best, rejected=t) for t, score in scored.items() if score < scored[best]]


def break_reply(row: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return the pair with its rejected side replaced by a broken copy of the chosen one."""
    chosen = row["chosen"][0]["content"]
    words = chosen.split()
    ways = [
        " ".join(words[: max(1, len(words) // 3)]),  # cut
        " ".join([*words, *words, *words]),  # repeated
        " ".join(rng.choice(words) for _ in range(len(words) + 1)),  # shuffled into salad
        words[0],
    ]
    broken = rng.choice([way for way in ways if way != chosen])
    return _row(row["prompt"][0]["content"], chosen=chosen, rejected=broken)


def _row(prompt: str, *, chosen: str, rejected: str) -> dict[str, Any]:
    return {
        "prompt": ask(prompt),
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
        "margin": 0.0,
        "source": "synthetic",
    }
