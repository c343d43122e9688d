"""python -m ratings.compute: from a ledger or file of votes to a leaderboard.

Prints the table; with --out also writes leaderboard.json, leaderboard.csv and leaderboard.html.
What cannot be rated ends in one line on stderr and exit status 2.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from ratings.counts import Counts, count, read_ledger, read_ledger_votes
from ratings.errors import RatingsError
from ratings.leaderboard import METHODS, Leaderboard, Settings, build
from ratings.outcomes import BothBad
from ratings.output import write_files
from ratings.vote_files import read_votes_file
from ratings.votes import Votes


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or 2 with one line on stderr."""
    options = _parser().parse_args(argv)
    try:
        source = _read(options)
        settings = Settings(both_bad=options.both_bad, confidence=options.confidence)
        board = build(source, options.method, settings, now=datetime.now(UTC))
        print(board.to_text())
        if options.out:
            counts = count(source) if isinstance(source, Votes) else source
            for path in write_board(options.out, board, counts):
                print(f"wrote {path}")
    except RatingsError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


def write_board(folder: Path, board: Leaderboard, counts: Counts) -> list[Path]:
    """Write leaderboard.json, .csv and .html to `folder` and return their paths.

    Each is written aside and renamed. Raises OutputError where the folder cannot be written.
    """
    from ratings.page import leaderboard_html

    texts = {
        "leaderboard.json": json.dumps(board.to_json_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "leaderboard.csv": board.to_frame().to_csv(index=False),
        "leaderboard.html": leaderboard_html(board, counts),
    }
    return write_files(folder, texts)


def _read(options: argparse.Namespace) -> Counts | Votes:
    if options.votes:
        return read_votes_file(options.votes)
    return read_ledger_votes(options.db) if options.method == "elo" else read_ledger(options.db)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ratings.compute", description="Rate models by votes.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--db", type=Path, metavar="FILE", help="the arena's ledger, a SQLite file")
    source.add_argument("--votes", type=Path, metavar="FILE", help="votes as JSON, JSON Lines or CSV")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write leaderboard.json, .csv and .html here")
    parser.add_argument("--method", choices=list(METHODS), default="bradley-terry", help="default %(default)s")
    parser.add_argument(
        "--both-bad",
        choices=get_args(BothBad),
        default="tie",
        help='how "both are bad" enters: as a tie, or not at all (default %(default)s)',
    )
    parser.add_argument("--confidence", type=float, default=0.95, help="of each interval (default %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
