"""The command line: ``python -m training run nano --out checkpoints/nano``, or one stage at a time.

Exit codes: 0 done (or already there), 2 bad input with one line that says what and how to mend it.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from training.checkpoint import COMMANDS, CheckpointError, Job, is_finished, read_record
from training.data.preferences import PairsError
from training.recipe import Recipe, RecipeError, load_recipe, override, parse_recipe

Commands = argparse._SubParsersAction  # argparse gives its sub-commands no public type


@dataclass(frozen=True)
class Step:
    """A stage of a family: its folder's name, its parent's, and the share of a whole run's time it takes."""

    stage: str
    folder: str
    parent: str | None
    share: float


FAMILY = (
    Step("tokenizer", "tokenizer", None, 0.04),
    Step("pretrain", "base", "tokenizer", 0.54),
    Step("sft", "sft", "base", 0.14),
    Step("pairs", "pairs", "sft", 0.07),
    Step("reward", "reward", "sft", 0.11),
    Step("rl", "rlhf", "sft", 0.10),
)
RESULTS = {command: stage for stage, command in COMMANDS.items()}


def main(argv: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = build_parser().parse_args(argv)
    try:
        if options.command == "run":
            run_family(load_recipe(options.recipe, options.set), options)
        else:
            run_one(options)
    except (RecipeError, CheckpointError, PairsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    parser = argparse.ArgumentParser(prog="python -m training", description="Text to checkpoints, stage by stage.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = _add(commands, "run", "all stages of a recipe; finished ones are kept")
    run.add_argument("recipe", help="a recipe's name (nano) or YAML file")
    for step in FAMILY:
        command = _add(commands, step.stage, f"one stage: writes what a run keeps as {step.folder}/")
        command.add_argument("--recipe", help="name or YAML file (default: the recipe of the parent)")
        if step.parent:
            command.add_argument("--model", type=Path, required=True, help=f"parent checkpoint ({step.parent})")
        if step.stage == "reward":
            command.add_argument("--pairs", type=Path, required=True, help="folder with train.jsonl and test.jsonl")
        if step.stage == "rl":
            command.add_argument("--reward", type=Path, required=True, help="reward model")
    return parser


def _add(commands: "Commands[argparse.ArgumentParser]", name: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.add_argument("--out", type=Path, required=True, help="folder to write")
    command.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override the recipe")
    command.add_argument("--force", action="store_true", help="replace checkpoints that differ")
    return command


def run_family(recipe: Recipe, options: argparse.Namespace) -> None:
    """Run the stages that are missing, one after the other, each into its folder below options.out."""
    began = time.monotonic()
    jobs = [_job_of(step, recipe, options) for step in FAMILY]
    missing = [not is_finished(job, may_replace=options.force) for job in jobs]
    if not any(missing):
        print(f"{options.out}: all stages are there", file=sys.stderr)
        return
    start = missing.index(True)
    for job in jobs[:start]:
        print(f"{job.out}: kept", file=sys.stderr)
    done = 0.0
    todo = sum(step.share for step in FAMILY[start:])
    for number, (step, job) in enumerate(zip(FAMILY[start:], jobs[start:], strict=True), start=start + 1):
        left = f", about {_minutes((time.monotonic() - began) * (todo - done) / done)} left" if done else ""
        print(f"[{number}/{len(FAMILY)}] {step.stage} -> {job.out}{left}", file=sys.stderr)
        run_stage(job, pairs=options.out / "pairs", reward=options.out / "reward")
        done += step.share
    print(f"{options.out}: done in {_minutes(time.monotonic() - began)}", file=sys.stderr)


def run_one(options: argparse.Namespace) -> None:
    """Run a single stage, with the parent's own recipe where none is given."""
    parent: Path | None = getattr(options, "model", None)
    if options.recipe or parent is None:
        recipe = load_recipe(options.recipe or "nano", options.set)
    else:
        record = read_record(parent)
        if record is None:
            raise CheckpointError(f"{parent} holds no finished checkpoint: give --model another folder")
        recipe = parse_recipe(override(record["recipe"], options.set), str(parent / "stage.json"))
    job = Job(
        RESULTS.get(options.command, options.command), options.out, recipe, overrides=tuple(options.set), parent=parent
    )
    if is_finished(job, may_replace=options.force) and not options.force:
        raise CheckpointError(f"{job.out} is finished already: pass --force to replace it, or another --out")
    run_stage(job, pairs=getattr(options, "pairs", None), reward=getattr(options, "reward", None))


def run_stage(job: Job, *, pairs: Path | None, reward: Path | None) -> None:
    """Run one job and print its held-out figures. torch is imported here, so that errors before it are instant."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import transformers

    from training.pairs import run_pairs
    from training.pretrain import run_pretrain
    from training.reward import run_reward
    from training.rl import run_rl
    from training.sft import run_sft
    from training.tokenizer import run_tokenizer
    from training.trainer import quieten_libraries

    quieten_libraries()
    # The same stage gives the same result alone and inside a run.
    transformers.set_seed(job.recipe.seed)
    stages: dict[str, Callable[[Job], dict[str, float]]] = {
        "tokenizer": run_tokenizer,
        "base": run_pretrain,
        "sft": run_sft,
        "pairs": run_pairs,
        "reward": lambda job: run_reward(job, _given(pairs)),
        "rlhf": lambda job: run_rl(job, _given(reward)),
    }
    job = replace(job, started=time.time(), started_cpu=time.process_time())
    figures = stages[job.stage](job)
    print(f"{job.out}: held out: " + ", ".join(f"{key} {value:g}" for key, value in figures.items()), flush=True)


def _given(path: Path | None) -> Path:
    assert path is not None
    return path


def _job_of(step: Step, recipe: Recipe, options: argparse.Namespace) -> Job:
    parent = options.out / step.parent if step.parent else None
    stage = RESULTS.get(step.stage, step.stage)
    return Job(stage, options.out / step.folder, recipe, overrides=tuple(options.set), parent=parent)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.0f} s"


if __name__ == "__main__":
    sys.exit(main())
