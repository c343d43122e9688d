"""python -m ratings.compare A B: is A better than B, so far, and how many more votes would decide it?"""

import argparse
import math
import sys
from collections.abc import Sequence
from functools import partial
from typing import get_args

from common.edge import run_command
from common.options import Parser
from common.words import plural
from ratings.analysis.comparison import FIRST, SECOND, TOO_EARLY, UNDECIDED, Comparison, compare
from ratings.choices import Cluster
from ratings.cli import add_cluster, add_source
from ratings.contradictions import check_naming
from ratings.errors import RatingsError
from ratings.files.naming import read_naming
from ratings.intervals.confidence_sequence import FEWEST_VOTERS, HORIZON
from ratings.outcomes import BothBad
from ratings.report.sources import comparison_needs, read_chosen, read_file_source, read_ledger_source
from ratings.scale import POINTS_PER_NAT
from ratings.which import add_which, read_which
from ratings.wording import printable


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or another with one line on stderr (common/edge.py)."""
    return run_command(lambda: _run(_parser().parse_args(argv)), (RatingsError,))


def _run(options: argparse.Namespace) -> list[str]:
    check_naming(options)
    cluster: Cluster = options.cluster or "voter"
    needs, which = comparison_needs(cluster), read_which(options)
    if options.votes:
        naming = read_naming(options.columns, options.outcomes)
        source = read_chosen(lambda needs: read_file_source(options.votes, needs, naming), needs, which)
    else:
        source = read_chosen(partial(read_ledger_source, options.db), needs, which)
    result = compare(
        source.counts,
        options.first,
        options.second,
        votes=source.votes,
        voters=source.voters,
        cluster=cluster,
        confidence=options.confidence,
        horizon=options.horizon,
        both_bad=options.both_bad,
    )
    return [describe(result, options.confidence), *(f"note: {note}" for note in source.counts.notes)]


def describe(result: Comparison, confidence: float) -> str:
    """Return the comparison as a few lines for a terminal, in Elo points."""
    first, second = printable(result.first), printable(result.second)
    estimate, lower, upper = (POINTS_PER_NAT * n for n in (result.estimate, result.lower, result.upper))
    within = f"{lower:+.0f} to {upper:+.0f} ({confidence:.4g} confidence, however often it is looked at)"
    within = "no interval yet" if result.answer == TOO_EARLY else within
    lines = [
        f"{first} against {second}: {estimate:+.0f} Elo points, {within}",
        f"Rests on {plural(result.used, 'vote', commas=True)}, {result.met:,} of them between the two.",
        f"{result.grouping[:1].upper()}{result.grouping[1:]}.",
    ]
    answers = {
        FIRST: f"{first} is better.",
        SECOND: f"{second} is better.",
        UNDECIDED: "undecided.",
        TOO_EARLY: f"too early to decide; {_wanting(result)}.",
    }
    lines.append(f"Answer so far: {answers[result.answer]}")
    if result.answer in (UNDECIDED, TOO_EARLY):
        lines += _outlook(result)
    return "\n".join(lines)


def _outlook(result: Comparison) -> list[str]:
    lines: list[str] = []
    if result.lacks_voters:
        return lines
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


def _wanting(result: Comparison) -> str:
    if not result.lacks_voters:
        return "the interval holds from some more votes on"
    return (
        f"it takes {FEWEST_VOTERS:.0f} voters who tell about equally much of the two "
        "(--cluster none takes every vote as independent)"
    )


def _more(votes: float) -> str:
    about = _about(votes)
    return f"{about} more {'vote' if about == '1' else 'votes'}"


def _about(votes: float) -> str:
    """Return the number rounded up to two digits."""
    unit = 10 ** max(0, math.floor(math.log10(max(votes, 1))) - 1)
    return f"{math.ceil(votes / unit) * unit:,}"


def _parser() -> Parser:
    parser = Parser(
        prog="python -m ratings.compare",
        description="Report which of two models is better so far, and how many more votes would decide it. "
        "The answer may be asked for after every vote.",
    )
    parser.add_argument("first", metavar="A", help="name of a model")
    parser.add_argument("second", metavar="B", help="name of another")
    add_source(parser)
    add_cluster(parser)
    add_which(parser)
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
