"""The command line of ratings.compute, whose help is its manual page, and what all commands share of theirs."""

import argparse
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from common.options import Parser
from ratings.choices import Cluster, Interval, Method, Period
from ratings.contradictions import check_contradictions
from ratings.errors import SettingsError
from ratings.files.naming import ROLES
from ratings.outcomes import BothBad, Ties
from ratings.which import add_which, read_which

if TYPE_CHECKING:
    from ratings.report.request import Request

_DESCRIPTION = """\
Turn votes into a leaderboard: ratings in Elo points, how sure they are, and what they rest on. The table is
printed; --out keeps a snapshot as JSON, CSV and one HTML page that opens without a network.
"""

_EPILOG = """\
examples:
  python -m ratings.compute --db data/arena.db
        the board of all votes so far
  python -m ratings.compute --db data/arena.db --out boards --models models.yaml --by day
        a page with the gain of each step of training and the ratings over time
  python -m ratings.compute --votes votes.csv --interval clustered --cluster prompt
        intervals that know that the votes on one prompt lean the same way
  python -m ratings.compute --db data/arena.db --choose --category all --style
        ties as they predict best, a board for each category, and one with style held equal
  python -m ratings.compute --db data/arena.db --interval sequence --confidence 0.9
        intervals that may be looked at after every vote

exit status:
  0  the board was printed and, with --out, written
  2  it was not: one line on the standard error names the problem and the way out; earlier snapshots stand
  70, 130  a fault of this program (ARENA_TRACEBACK=1 shows where), or Ctrl-C
"""

CONFIDENCE = 0.95
"""Unless told otherwise."""

Container = argparse.ArgumentParser | argparse._ArgumentGroup


def parser() -> Parser:
    """Return the parser of the command line, whose help is the manual page."""
    made = Parser(
        prog="python -m ratings.compute",
        usage="python -m ratings.compute (--db FILE | --votes FILE...) [--out DIR] [options]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=26, width=100),
        allow_abbrev=False,
    )
    for add in (_add_files, add_which, _add_method, _add_intervals, _add_parts):
        add(made)
    return made


def add_source(container: Container) -> None:
    """Add the two places that votes are read from, of which one has to be named."""
    source = container.add_mutually_exclusive_group(required=True)
    add_ledger(source)
    source.add_argument(
        "--votes",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="votes as JSON, JSON Lines, CSV or Parquet, also packed: files, patterns such as 'votes/*.parquet', or - "
        "for standard input",
    )
    container.add_argument(
        "--columns",
        metavar="PAIRS",
        help="with --votes: the columns of an unknown file, such as model_a=left_model,winner=verdict; also "
        f"{', '.join(ROLES[3:])}",
    )
    container.add_argument(
        "--outcomes",
        metavar="PAIRS",
        help="with --votes: what its outcomes mean, such as 1=model_a,2=model_b,same=tie; or names, where the winner "
        "is given by name",
    )


def add_ledger(container: Container, *, required: bool = False) -> None:
    """Add the option that names the arena's ledger."""
    container.add_argument(
        "--db", type=Path, required=required, metavar="FILE", help="the arena's ledger, a SQLite file"
    )


def add_cluster(container: Container) -> None:
    """Add the option that says which votes are taken together."""
    container.add_argument(
        "--cluster",
        choices=get_args(Cluster),
        help="which votes lean the same way and are taken together: those of one voter, those about one prompt, "
        "or none (default voter, where the votes say who cast them)",
    )


def _add_files(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("votes and results")
    add_source(group)
    group.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="keep a snapshot in a folder of its own under DIR, with DIR/latest and DIR/leaderboard.{json,csv,html} "
        "leading to it, and report what changed since the one before",
    )
    group.add_argument("--title", metavar="TEXT", help="with --out: what stands over the page (default Leaderboard)")
    group.add_argument("--png", action="store_true", help="with --out: also leaderboard.png")
    group.add_argument("--list-left-out", action="store_true", help="print each row that could not be used, and why")


def _add_method(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("ratings")
    group.add_argument(
        "--method",
        choices=get_args(Method),
        help="strengths by Bradley-Terry; by Davidson's model, the same as --ties davidson; or online Elo, "
        "which depends on the order of the votes and has no intervals (default bradley-terry)",
    )
    group.add_argument(
        "--ties",
        choices=get_args(Ties),
        help="a tie is half a win each, not counted, or an outcome with a parameter of its own (default half)",
    )
    group.add_argument(
        "--choose",
        action="store_true",
        help="take the treatment of ties that predicts held-out votes best, and report it",
    )
    group.add_argument(
        "--both-bad",
        choices=get_args(BothBad),
        help='"both are bad" is a tie, not counted, or a loss of both to an average model (default tie)',
    )
    group.add_argument(
        "--prior",
        type=float,
        metavar="POINTS",
        help="a normal prior with this standard deviation in Elo points; every model with a vote then has a rating, "
        "drawn to the mean (default none)",
    )
    group.add_argument(
        "--weights",
        action="store_true",
        help="weigh each vote by 1 / (chance of its pair when it was drawn), as if every pair were drawn alike",
    )
    group.add_argument(
        "--anchor",
        metavar="NAME=POINTS",
        help="shift all ratings so that this model reads POINTS, such as base=1000; no interval widens "
        "(default: the average rated model reads 1000)",
    )


def _add_intervals(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("intervals and ranks")
    group.add_argument(
        "--interval",
        choices=get_args(Interval),
        help="by voter where the votes tell enough of them, else from counts; from counts; with votes that belong "
        "together; from resampled counts; or right at every look, for a board that is watched (default auto)",
    )
    add_cluster(group)
    group.add_argument(
        "--confidence",
        type=float,
        metavar="SHARE",
        help=f"of each interval on its own, and of all rank intervals together (default {CONFIDENCE})",
    )
    group.add_argument("--seed", type=int, metavar="N", help="of all that is drawn (default 0)")


def _add_parts(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("beside the board")
    group.add_argument("--category", nargs="+", default=[], metavar="NAME", help="a board for each; all for all")
    group.add_argument("--by", choices=get_args(Period), help="the ratings at the end of every day or week")
    group.add_argument(
        "--models",
        type=Path,
        metavar="FILE",
        help="models.yaml, for the gain of each step of training and each tag",
    )
    group.add_argument(
        "--style",
        nargs="?",
        const="all",
        metavar="FEATURES",
        help="the board with the looks of the replies held equal: length, headers, bold and lists, or some of them, "
        "such as length,lists",
    )
    group.add_argument(
        "--position",
        action=argparse.BooleanOptionalAction,
        help="the advantage of side A, reported unless --no-position; given, it is also held equal with --style",
    )
    group.add_argument(
        "--fragility",
        action=argparse.BooleanOptionalAction,
        help="how few votes hold up the first place, reported unless --no-fragility",
    )
    group.add_argument("--voters", action="store_true", help="the voters without whom the ratings change most")
    group.add_argument(
        "--elo-shuffles", type=int, default=0, metavar="N", help="online Elo averaged over N orders of the votes"
    )


def read_request(options: argparse.Namespace) -> "Request":
    """Return what the options ask for. Raises SettingsError for a contradiction or a value out of range."""
    check_contradictions(options)
    from ratings.analysis.lineage import read_lineage
    from ratings.board.settings import Settings
    from ratings.fit.prior import Prior
    from ratings.report.request import Request
    from ratings.votes.markdown import features_named

    settings = Settings(
        ties=options.ties or "half",
        both_bad=options.both_bad or "tie",
        prior=None if options.prior is None else Prior(options.prior),
        interval=options.interval or "auto",
        cluster=options.cluster or "voter",
        confidence=CONFIDENCE if options.confidence is None else options.confidence,
        anchor=None if options.anchor is None else _anchor(options.anchor),
        which=read_which(options),
        seed=options.seed or 0,
    )
    return Request(
        method=options.method or "bradley-terry",
        settings=settings,
        choose=options.choose,
        weights=options.weights,
        categories=tuple(options.category),
        by=options.by,
        lineage=read_lineage(options.models) if options.models else None,
        style=() if options.style is None else features_named(options.style.split(",")),
        position=options.position,
        fragility=options.fragility,
        voters=options.voters,
        elo_shuffles=options.elo_shuffles,
    )


def _anchor(text: str) -> tuple[str, float]:
    name, _, points = text.rpartition("=")
    if name:
        with suppress(ValueError):
            return name, float(points)
    raise SettingsError(f"--anchor is {text!r}; give a model and its points, such as base=1000")
