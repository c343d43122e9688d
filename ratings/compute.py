"""python -m ratings.compute: from a ledger or file of votes to a leaderboard.

Prints the table; with --out also keeps a snapshot. What cannot be rated ends in one line on stderr and
exit status 2. The options stand in cli.py.
"""

import argparse
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from common.edge import run_command
from ratings.cli import parser, read_request
from ratings.errors import RatingsError

if TYPE_CHECKING:
    from ratings.report.provenance import Provenance
    from ratings.report.request import Request
    from ratings.report.sources import Source


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or another with one line on stderr (common/edge.py)."""
    given = list(sys.argv[1:] if argv is None else argv)

    def run() -> list[str]:
        options = parser().parse_args(given)
        options.argv = given
        return _run(options, datetime.now(UTC))

    return run_command(run, (RatingsError,))


def _run(options: argparse.Namespace, now: datetime) -> list[str]:
    """Make the report, write it where that is asked for, and return the lines to print."""
    request = read_request(options)
    if options.out:
        from ratings.report.publish import check_root

        check_root(options.out, png=options.png)
    from ratings.report.build import make_report
    from ratings.report.text import report_text

    source = _read(options, request)
    with _progress(request) as progress:
        report = make_report(source, request, now=now, progress=progress)
    written = []
    if options.out:
        from ratings.report.publish import publish, since_latest

        report = replace(report, title=options.title or report.title, provenance=_provenance(options))
        report = since_latest(report, options.out)
        written = publish(report, options.out, now=now, png=options.png)
    rows = source.votes.left_out_rows if options.list_left_out and source.votes else ()
    return [report_text(report), *(f"{where}: {why}" for where, why in rows), *(f"wrote {path}" for path in written)]


def _provenance(options: argparse.Namespace) -> "Provenance":
    from ratings.files.read import expand
    from ratings.report.provenance import Provenance, source_of

    command = shlex.join(["python", "-m", "ratings.compute", *options.argv])
    if not options.votes:
        return Provenance(f"the ledger {options.db}", command=command)
    return replace(source_of(expand(options.votes)), command=command)


def _read(options: argparse.Namespace, request: "Request") -> "Source":
    from ratings.files.naming import read_naming
    from ratings.report.sources import read_chosen, read_file_source, read_ledger_source

    needs = replace(request.needs, left_out=options.list_left_out)
    which = request.settings.which
    if not options.votes:
        return read_chosen(partial(read_ledger_source, options.db), needs, which)
    naming = read_naming(options.columns, options.outcomes)
    return read_chosen(lambda needs: read_file_source(options.votes, needs, naming), needs, which)


@contextmanager
def _progress(request: "Request") -> Iterator[Callable[[int], None] | None]:
    """Show a bar on a terminal while something is drawn many times."""
    if not (request.settings.interval == "bootstrap" or request.elo_shuffles) or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc="drawing", unit="", leave=False, file=sys.stderr) as bar:
        yield bar.update


if __name__ == "__main__":
    sys.exit(main())
