"""python -m ratings.compare A B: is A better than B, so far, and how many more votes would decide it?"""

import argparse
import math
import sys
from collections.abc import Sequence
from typing import get_args

from common.words import plural
from ratings.analysis.comparison import FIRST, SECOND, TOO_EARLY, UNDECIDED, Comparison, compare
from ratings.cli import add_source
from ratings.contradictions import check_naming
from ratings.errors import RatingsError
from ratings.files.naming import read_naming
from ratings.files.read import read_votes_file
from ratings.intervals.confidence_sequence import HORIZON
from ratings.ledger.reader import read_ledger
from ratings.outcomes import BothBad
from ratings.scale import POINTS_PER_NAT
from ratings.votes.counts import count
from ratings.wording import printable


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or 2 with one line on stderr."""
    options = _parser().parse_args(argv)
    try:
        check_naming(options)
        if options.votes:
            naming = read_naming(options.columns, options.outcomes)
            counts = count(read_votes_file(*options.votes, naming=naming, details=frozenset({"battle", "voter"})))
        else:
            counts = read_ledger(options.db)
        result = compare(
            counts,
            options.first,
            options.second,
            confidence=options.confidence,
            horizon=options.horizon,
            both_bad=options.both_bad,
        )
    except RatingsError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print(describe(result, options.confidence))
    return 0


def describe(result: Comparison, confidence: float) -> str:
    """Return the comparison as a few lines for a terminal, in Elo points."""
    first, second = printable(result.first), printable(result.second)
    estimate, lower, upper = (POINTS_PER_NAT * n for n in (result.estimate, result.lower, result.upper))
    lines = [
        f"{first} against {second}: {estimate:+.0f} Elo points, {lower:+.0f} to {upper:+.0f} ({confidence:.4g} "
        "confidence, however often it is looked at)",
        f"Rests on {plural(result.used, 'vote', commas=True)}, {result.met:,} of them between the two.",
    ]
    answers = {
        FIRST: f"{first} is better.",
        SECOND: f"{second} is better.",
        UNDECIDED: "undecided.",
        TOO_EARLY: "too early to decide; the interval holds from some more votes on.",
    }
    lines.append(f"Answer so far: {answers[result.answer]}")
    if result.answer in (UNDECIDED, TOO_EARLY):
        lines += _outlook(result)
    return "\n".join(lines)


def _outlook(result: Comparison) -> list[str]:
    lines = []
    if result.pair_votes is None or result.arena_votes is None:
        lines.append("If the difference is as small as estimated, no number of votes will decide it.")
    else:
        lines.append(
            f"If the difference is as estimated, expect that after about {_more(result.pair_votes)} "
            f"between the two, or {_about(result.arena_votes)} of the whole arena at its present pairing."
        )
        if result.may_be_nothing:
            lines.append(
                "But the estimate is within its standard error of zero: there may be no difference, "
                "and then no number of votes will decide it."
            )
    if result.fewest_votes:
        fewest = _about(result.fewest_votes)
        lines.append(f"Were it a standard error larger, about {fewest} between the two would do.")
    return lines


def _more(votes: float) -> str:
    about = _about(votes)
    return f"{about} more {'vote' if about == '1' else 'votes'}"


def _about(votes: float) -> str:
    """Return the number rounded up to two digits."""
    unit = 10 ** max(0, math.floor(math.log10(max(votes, 1))) - 1)
    return f"{math.ceil(votes / unit) * unit:,}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ratings.compare",
        description="Report which of two models is better so far, and how many more votes would decide it. "
        "The answer may be asked for after every vote.",
    )
    parser.add_argument("first", metavar="A", help="name of a model")
    parser.add_argument("second", metavar="B", help="name of another")
    add_source(parser)
    parser.add_argument("--confidence", type=float, default=0.95, help="of all answers together (default %(default)s)")
    parser.add_argument(
        "--horizon",
        type=float,
        default=HORIZON,
        metavar="N",
        help="votes between two equal models at which the interval is narrowest; choose it before looking, and "
        "keep it (default %(default).0f)",
    )
    parser.add_argument(
        "--both-bad",
        choices=get_args(BothBad),
        default="tie",
        help='how "both are bad" enters (default %(default)s)',
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
