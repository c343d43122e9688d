"""Pretraining speed: our stage beside a bare torch loop on the same model, rows, precision and threads.

``python -m benchmarks.pretraining [--recipe demo] [--steps 40] [--rounds 3]``

Both are warmed up (a compiled model compiles then) and timed in turn; the ratio is of medians. The generator is timed
too, since it must never be what a run waits for.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainingArguments

from training.checkpoint import Job
from training.data.corpus import Corpus
from training.packing import pack, pack_corpus
from training.pretrain import Rows, new_model
from training.recipe import Recipe, load_recipe
from training.tokenizer import train_tokenizer
from training.trainer import common_arguments, quieten_libraries, uses_bf16

WARM_UP = 3
PART_ROWS = 8000  # of text that is timed on its way to rows; eight parts, since a run has many


def bare_loop(model: Any, rows: Any, recipe: Recipe, steps: int) -> float:
    """Train by hand for so many steps after warming up; return tokens a second."""
    settings = recipe.pretrain
    compiled = torch.compile(model) if settings.compile else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, fused=True)
    began = 0.0
    model.train()
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            began = time.perf_counter()
        row = torch.from_numpy(rows[step * settings.batch : (step + 1) * settings.batch].astype("int64"))
        with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=uses_bf16(recipe)):
            loss = compiled(input_ids=row, labels=row).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return steps * settings.batch * recipe.model.context / (time.perf_counter() - began)


def our_stage(model: Any, rows: Any, recipe: Recipe, steps: int) -> float:
    """Train by transformers' Trainer as the stage does; return tokens a second after warming up."""
    from training.callbacks import ProgressBar

    began: list[float] = []

    class Clock(ProgressBar):
        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            super().on_step_end(args, state, control, **more)
            if state.global_step == WARM_UP:
                began.append(time.perf_counter())

    settings = recipe.pretrain
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            **common_arguments(recipe, Path(folder), steps=steps, compiled=settings.compile),
            max_steps=WARM_UP + steps,
            per_device_train_batch_size=settings.batch,
            learning_rate=settings.learning_rate,
        )
        per_step = settings.batch * recipe.model.context
        trainer = Trainer(model=model, args=arguments, train_dataset=Rows(rows), callbacks=[Clock("ours", per_step)])
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        return steps * per_step / (time.perf_counter() - began[0])


def main(argv: list[str] | None = None) -> int:
    """Time both and print the table."""
    parser = argparse.ArgumentParser(description="pretraining speed beside a bare torch loop")
    parser.add_argument("--recipe", default="demo")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(argv)
    quieten_libraries()
    recipe = load_recipe(options.recipe, ["pretrain.accumulate=1"])
    corpus = Corpus(recipe.data, recipe.seed)
    began = time.perf_counter()
    texts = list(islice(corpus.documents(), 20_000))
    drawn = time.perf_counter() - began
    tokenizer = train_tokenizer(texts, recipe.tokenizer.vocab_size, recipe.model.context)
    tokens = sum(len(ids) for ids in tokenizer(texts)["input_ids"])
    count = (WARM_UP + options.steps) * recipe.pretrain.batch
    rows = pack(corpus.documents(seed=2), tokenizer, recipe.model.context, count)
    job = Job("base", Path("unused"), recipe)
    speeds: dict[str, list[float]] = {"bare torch loop": [], "our stage": []}
    for _ in range(options.rounds):
        for name, run in (("bare torch loop", bare_loop), ("our stage", our_stage)):
            torch._dynamo.reset()
            speeds[name].append(run(new_model(job, tokenizer), rows, recipe, options.steps))
    medians = {name: statistics.median(found) for name, found in speeds.items()}
    kind = "bfloat16" if uses_bf16(recipe) else "float32"
    print(f"{recipe.name}, {kind}, {torch.get_num_threads()} threads, medians of {options.rounds}", file=sys.stderr)
    for name, speed in medians.items():
        print(f"{name:<20}{speed:>12,.0f} tokens/s{speed / medians['bare torch loop']:>8.2f}")
    print(f"{'generator':<20}{tokens / drawn:>12,.0f} tokens/s{tokens / drawn / medians['bare torch loop']:>8.0f}")
    context = recipe.model.context
    for workers in (1, os.cpu_count() or 1):
        began = time.perf_counter()
        pack_corpus(corpus, tokenizer, context, 8 * PART_ROWS, part=PART_ROWS * context, workers=workers)
        speed = 8 * PART_ROWS * context / (time.perf_counter() - began)
        print(f"{f'as rows, {workers} at once':<20}{speed:>12,.0f} tokens/s{speed / medians['bare torch loop']:>8.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
