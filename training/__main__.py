"""The command line: ``python -m training run nano --out checkpoints/nano``, or one stage at a time.

Exit codes: 0 done (or already there), 2 bad input, with one line that says what is wrong and how to correct it.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from common.edge import run_command
from training.cli import build_parser
from training.data.preferences import PairsError
from training.data.yaml_files import DataError
from training.family import choose_recipe, find_checkpoints, run_alone, run_family
from training.parents.outside import find_outside, outside_recipe
from training.recipe import RecipeError, load_recipe
from training.runs.checkpoint import CheckpointError
from training.runs.job import Job, Stage
from training.runs.libraries import prepare_libraries
from training.stages import BASE, SFT, STAGES


def main(argv: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    return run_command(lambda: _run(argv), (RecipeError, CheckpointError, PairsError, DataError), shows_faults=True)


def _run(argv: list[str] | None) -> list[str]:
    options = build_parser().parse_args(argv)
    commands = {
        "run": run_whole,
        "evaluate": run_evaluate,
        "publish": run_publish,
        "fetch": run_fetch,
        "chat": run_chat,
    }
    stages = {stage.command: stage for stage in STAGES}
    if options.command in stages:
        run_stage(stages[options.command], options)
    else:
        commands[options.command](options)
    return []


def run_whole(options: argparse.Namespace) -> None:
    """Run all stages of a recipe."""
    recipe = load_recipe(options.recipe, options.set)
    overrides = tuple(options.set)
    run_family(recipe, options.out, overrides=overrides, may_replace=options.force, resume=options.resume)


def run_stage(stage: Stage, options: argparse.Namespace) -> None:
    """Run one stage alone."""
    parent: Path | None = getattr(options, "model", None)
    outside = find_outside(parent, stage) if parent and stage.parent in (BASE, SFT) else None
    if outside:
        recipe = outside_recipe(options.recipe, options.set, outside)
    else:
        recipe = choose_recipe(options.recipe, parent, options.set)
    job = Job(
        stage,
        options.out,
        recipe,
        overrides=tuple(options.set),
        parent=outside.folder if outside else parent,
        outside=outside,
        is_second_round=getattr(options, "second_round", False),
        pairs=getattr(options, "pairs", None),
        reward=getattr(options, "reward", None),
        resume=options.resume,
    )
    run_alone(job, may_replace=options.force)


def run_evaluate(options: argparse.Namespace) -> None:
    """Measure checkpoints, print the main figures, and write the report card as a page and as JSON."""
    if options.prompts < 1:
        raise CheckpointError(f"--prompts {options.prompts}: ask at least one of each task")
    checkpoints = find_checkpoints(options.folders)
    prepare_libraries()
    from training.evaluate.report import make_report

    out = options.out or options.folders[0] / "report.html"
    report = make_report(checkpoints, per_task=options.prompts)
    print(report.text)
    report.write(out)
    print(f"{out}: written", file=sys.stderr)


def run_publish(options: argparse.Namespace) -> None:
    """Write a family in bfloat16 and print how large each checkpoint is."""
    from training.publish import publish

    for folder in publish(options.family, options.out):
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{folder}: {size / 1e6:.1f} MB")


def run_fetch(options: argparse.Namespace) -> None:
    """Fetch an open model, unless it is there."""
    from training.parents.fetch import fetch

    out = options.out or Path("checkpoints/open") / options.name
    is_new = fetch(options.name, out, options.source)
    print(f"{out}: fetched; SOURCE.md in it says from where" if is_new else f"{out}: there already")


def run_chat(options: argparse.Namespace) -> None:
    """Talk to one checkpoint until an empty line."""
    if options.temperature < 0:
        raise CheckpointError(f"--temperature {options.temperature}: 0 is greedy, more is freer")
    prepare_libraries()
    from training import chat

    if sys.stdin.isatty():
        print(chat.GREETING)
    chat.run_chat(
        options.folder,
        _typed_lines(),
        lambda text: print(text, end="", flush=True),
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        seed=options.seed,
    )


def _typed_lines() -> Iterator[str]:
    """Yield what is typed, or piped in, until it ends."""
    while True:
        try:
            yield input("> " if sys.stdin.isatty() else "")
        except EOFError:
            return


if __name__ == "__main__":
    sys.exit(main())
