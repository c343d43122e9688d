"""Pretraining speed: our stage beside a bare torch loop on the same model, rows, precision and threads.

``python -m benchmarks.pretraining [--recipe demo] [--steps 40] [--rounds 5]``

Both are warmed up (a compiled model compiles then) and timed one after the other, each round the other way about; the
ratio is the median of the rounds' own. The generator is timed too, since it must never be what a run waits for.
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

from training.data.corpus import Corpus
from training.recipe import Recipe, load_recipe
from training.runs.arguments import common_arguments, uses_bf16
from training.runs.libraries import quieten_libraries
from training.runs.packing import PART, pack, pack_corpus
from training.stages.pretrain import Rows, new_model
from training.stages.tokenizer import train_tokenizer

WARM_UP = 3
PARTS = 4  # of text that each process is timed on, on their way to rows


def bare_loop(model: Any, rows: Any, recipe: Recipe, steps: int) -> float:
    """Train by hand for so many steps after warming up; return tokens a second."""
    settings = recipe.pretrain
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    compiled = torch.compile(model) if settings.compile else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, fused=True)
    began = 0.0
    model.train()
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            began = now()
        row = torch.from_numpy(rows[step * settings.batch : (step + 1) * settings.batch].astype("int64"))
        row = row.to(model.device)
        with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=uses_bf16(recipe)):
            loss = compiled(input_ids=row, labels=row).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return steps * settings.batch * recipe.model.context / (now() - began)


def our_stage(model: Any, rows: Any, recipe: Recipe, steps: int) -> float:
    """Train by transformers' Trainer as the stage does; return tokens a second after warming up."""
    from training.runs.callbacks import ProgressBar

    began: list[float] = []

    class Clock(ProgressBar):
        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            super().on_step_end(args, state, control, **more)
            if state.global_step == WARM_UP:
                began.append(now())

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
        return steps * per_step / (now() - began[0])


def now() -> float:
    """Return the time in seconds once a graphics card has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def main(argv: list[str] | None = None) -> int:
    """Time both and print the table."""
    parser = argparse.ArgumentParser(description="pretraining speed beside a bare torch loop")
    parser.add_argument("--recipe", default="demo")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(argv)
    quieten_libraries()
    pretrain = load_recipe(options.recipe).pretrain
    at_once = pretrain.batch // pretrain.accumulate
    recipe = load_recipe(options.recipe, ["pretrain.accumulate=1", f"pretrain.batch={at_once}"])
    corpus = Corpus(recipe.data, recipe.seed)
    began = time.perf_counter()
    texts = list(islice(corpus.documents(), 20_000))
    drawn = time.perf_counter() - began
    tokenizer = train_tokenizer(texts, recipe.tokenizer.vocab_size, recipe.model.context)
    tokens = sum(len(ids) for ids in tokenizer(texts)["input_ids"])
    count = (WARM_UP + options.steps) * recipe.pretrain.batch
    rows = pack(corpus.documents(seed=2), tokenizer, recipe.model.context, count)
    runs = {"bare torch loop": bare_loop, "our stage": our_stage}
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    for i in range(options.rounds):
        for name in list(runs)[:: -1 if i % 2 else 1]:
            torch._dynamo.reset()
            speeds[name].append(runs[name](new_model(recipe, tokenizer), rows, recipe, options.steps))
    bare = statistics.median(speeds["bare torch loop"])
    ratios = [ours / alone for ours, alone in zip(speeds["our stage"], speeds["bare torch loop"], strict=True)]
    ours = statistics.median(ratios)
    kind = "bfloat16" if uses_bf16(recipe) else "float32"
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} threads"
    print(f"{recipe.name}, {at_once} rows at once, {kind}, {where}, medians of {options.rounds}", file=sys.stderr)
    print(f"{'bare torch loop':<20}{bare:>12,.0f} tokens/s    1.00")
    speed = statistics.median(speeds["our stage"])
    print(f"{'our stage':<20}{speed:>12,.0f} tokens/s{ours:>8.2f}  ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"{'generator':<20}{tokens / drawn:>12,.0f} tokens/s{tokens / drawn / bare:>8.1f}")
    context = recipe.model.context
    for workers in (1, os.cpu_count() or 1):
        began = time.perf_counter()
        written = PARTS * workers * (PART // context)
        pack_corpus(corpus, tokenizer, context, written, workers=workers)
        speed = written * context / (time.perf_counter() - began)
        print(f"{f'as rows, {workers} at once':<20}{speed:>12,.0f} tokens/s{speed / bare:>8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
