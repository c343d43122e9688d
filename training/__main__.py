"""The command line: ``python -m training run nano --out checkpoints/nano``, or one stage at a time.

Exit codes: 0 done (or already there), 2 bad input with one line that says what and how to mend it.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from training.data.preferences import PairsError
from training.data.yaml_files import DataError
from training.recipe import Recipe, RecipeError, load_recipe, override, parse_recipe
from training.runs import distributed as processes
from training.runs.checkpoint import COMMANDS, CheckpointError, Job, is_finished, read_record, require_no_work

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
TRAINED = ("base", "sft", "reward", "rlhf")  # what several processes do together
RESULTS = {command: stage for stage, command in COMMANDS.items()}


def main(argv: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = build_parser().parse_args(argv)
    try:
        if options.command == "run":
            run_family(load_recipe(options.recipe, options.set), options)
        elif options.command == "evaluate":
            run_evaluate(options.folders, options.out, options.prompts)
        elif options.command == "publish":
            run_publish(options.family, options.out)
        elif options.command == "chat":
            run_chat(options)
        else:
            run_one(options)
    except (RecipeError, CheckpointError, PairsError, DataError) as error:
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
            command.add_argument("--pairs", type=Path, help="folder of preference pairs, for rl.algorithm dpo")
    card = commands.add_parser("evaluate", help="the report card: what checkpoints can do on held-out prompts")
    card.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="a family, or single checkpoints")
    card.add_argument(
        "--out", type=Path, help="page to write, its figures beside it as JSON (default: DIR/report.html)"
    )
    card.add_argument("--prompts", type=int, default=24, help="held-out prompts of each family (default: 24)")
    half = commands.add_parser("publish", help="a family's checkpoints in bfloat16, half the size")
    half.add_argument("family", type=Path, metavar="DIR", help="a family")
    half.add_argument("--out", type=Path, required=True, help="new folder to write")
    chat = commands.add_parser("chat", help="talk to a checkpoint in the terminal")
    chat.add_argument("folder", type=Path, metavar="DIR", help="a base, sft or rlhf checkpoint")
    chat.add_argument("--temperature", type=float, default=0.7, help="0 is greedy (default: 0.7)")
    chat.add_argument("--max-tokens", type=int, default=160, help="longest reply (default: 160)")
    chat.add_argument("--seed", type=int, help="the same seed, the same replies")
    return parser


def _add(commands: "Commands[argparse.ArgumentParser]", name: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.add_argument("--out", type=Path, required=True, help="folder to write")
    command.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override the recipe")
    command.add_argument("--force", action="store_true", help="replace checkpoints that differ, drop unfinished work")
    command.add_argument("--resume", action="store_true", help="go on where a stopped run left off")
    return command


def run_family(recipe: Recipe, options: argparse.Namespace) -> None:
    """Run the stages that are missing, one after the other, each into its folder below options.out."""
    began = time.monotonic()
    jobs = [_job_of(step, recipe, options) for step in FAMILY]
    missing = [not is_finished(job, may_replace=options.force) for job in jobs]
    for job in jobs:
        require_no_work(job, may_replace=options.force)
    if not any(missing):
        processes.say(f"{options.out}: all stages are there")
        return
    start = missing.index(True)
    for job in jobs[:start]:
        processes.say(f"{job.out}: kept")
    done = 0.0
    todo = sum(step.share for step in FAMILY[start:])
    for number, (step, job) in enumerate(zip(FAMILY[start:], jobs[start:], strict=True), start=start + 1):
        left = f", about {_minutes((time.monotonic() - began) * (todo - done) / done)} left" if done else ""
        processes.say(f"[{number}/{len(FAMILY)}] {step.stage} -> {job.out}{left}")
        run_stage(job, pairs=options.out / "pairs", reward=options.out / "reward")
        done += step.share
    processes.say(f"{options.out}: done in {_minutes(time.monotonic() - began)}")


def run_evaluate(folders: list[Path], out: Path | None, prompts: int) -> None:
    """Measure checkpoints, print the main figures, and write the report card as a page and as JSON."""
    _prepare()
    from training.evaluate.card import label_of, render_card, text_table
    from training.evaluate.measure import evaluate, find_checkpoints, read_history, read_snapshots

    if prompts < 1:
        raise CheckpointError(f"--prompts {prompts}: ask at least one of each family")
    checkpoints = find_checkpoints(folders)
    out = out or folders[0] / "report.html"
    cards, histories, snapshots = [], {}, []
    for number, folder in enumerate(checkpoints, start=1):
        print(f"[{number}/{len(checkpoints)}] {folder}", file=sys.stderr)
        cards.append(evaluate(folder, per_family=prompts))
        if history := read_history(folder):
            histories[label_of(cards[-1])] = history
        snapshots += read_snapshots(folder)
    print(text_table(cards))
    out.parent.mkdir(parents=True, exist_ok=True)
    for path, text in (
        (out.with_suffix(".json"), json.dumps(cards, indent=1) + "\n"),
        (out, render_card(cards, histories, snapshots)),
    ):
        partial = path.with_name(path.name + ".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    print(f"{out}: written", file=sys.stderr)


def run_publish(family: Path, out: Path) -> None:
    """Write a family in bfloat16 and tell how large each checkpoint is."""
    from training.publish import publish

    for folder in publish(family, out):
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{folder}: {size / 1e6:.1f} MB")


def run_chat(options: argparse.Namespace) -> None:
    """Talk to one checkpoint until an empty line."""
    _prepare()
    from training import chat

    def write(text: str) -> None:
        print(text, end="", flush=True)

    def lines() -> Iterator[str]:
        while True:
            try:
                yield input("> " if sys.stdin.isatty() else "")
            except EOFError:
                return

    if options.temperature < 0:
        raise CheckpointError(f"--temperature {options.temperature}: 0 is greedy, more is freer")
    if sys.stdin.isatty():
        print(chat.GREETING)
    chat.run_chat(
        options.folder,
        lines(),
        write,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        seed=options.seed,
    )


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
        RESULTS.get(options.command, options.command),
        options.out,
        recipe,
        overrides=tuple(options.set),
        parent=parent,
        resume=options.resume,
    )
    require_no_work(job, may_replace=options.force)
    if is_finished(job, may_replace=options.force) and not options.force:
        raise CheckpointError(f"{job.out} is finished already: pass --force to replace it, or another --out")
    run_stage(job, pairs=getattr(options, "pairs", None), reward=getattr(options, "reward", None))


def run_stage(job: Job, *, pairs: Path | None, reward: Path | None) -> None:
    """Run one job and print its held-out figures. torch is imported here, so that errors before it are instant."""
    _prepare(is_offline=job.recipe.model.start is None and job.recipe.data.text is job.recipe.data.chats is None)
    import transformers

    from training.stages.pairs import run_pairs
    from training.stages.pretrain import run_pretrain
    from training.stages.reward import run_reward
    from training.stages.rl import run_rl
    from training.stages.sft import run_sft
    from training.stages.tokenizer import run_tokenizer

    # The same stage gives the same result alone and inside a run.
    transformers.set_seed(job.recipe.seed)
    stages: dict[str, Callable[[Job], dict[str, float]]] = {
        "tokenizer": run_tokenizer,
        "base": run_pretrain,
        "sft": run_sft,
        "pairs": run_pairs,
        "reward": lambda job: run_reward(job, _given(pairs)),
        "rlhf": lambda job: run_rl(job, _given(reward), pairs),
    }
    job = replace(job, started=time.time(), started_cpu=time.process_time())
    processes.wait()  # nobody writes before everybody has seen what is there
    figures = stages[job.stage](job) if job.stage in TRAINED or processes.is_first() else {}
    processes.wait()
    if processes.is_first():
        print(f"{job.out}: held out: " + ", ".join(f"{key} {value:g}" for key, value in figures.items()), flush=True)


def _prepare(*, is_offline: bool = True) -> None:
    """Set what the libraries read when they are imported, and leave the terminal to us."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if is_offline:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from training.runs.arguments import quieten_libraries

    quieten_libraries()


def _given(path: Path | None) -> Path:
    assert path is not None
    return path


def _job_of(step: Step, recipe: Recipe, options: argparse.Namespace) -> Job:
    parent = options.out / step.parent if step.parent else None
    stage = RESULTS.get(step.stage, step.stage)
    return Job(
        stage, options.out / step.folder, recipe, overrides=tuple(options.set), parent=parent, resume=options.resume
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.0f} s"


if __name__ == "__main__":
    sys.exit(main())
