"""``arena-ratings compute | compare | export``, the same as ``python -m ratings.compute`` and the others."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from common.edge import DONE, run_command
from common.options import Parser

COMMANDS = {
    "compute": "turn votes into a leaderboard",
    "compare": "say which of two models is better so far",
    "export": "write preference pairs from the votes of the arena",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first word names with the other words; return its exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    status = DONE

    def run() -> list[str]:
        nonlocal status
        command = _parser().parse_args(words[:1]).command
        status = import_module(f"ratings.{command}").main(words[1:])
        return []

    return run_command(run, ()) or status


def _parser() -> Parser:
    lines = "\n".join(f"  {name:9}{what}" for name, what in COMMANDS.items())
    parser = Parser(
        prog="arena-ratings",
        usage="arena-ratings COMMAND [options]",
        description="Votes to numbers.",
        epilog=f"commands:\n{lines}\n\narena-ratings COMMAND --help describes the options of each.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
