"""python -m ratings.export: rows to train on from votes, for a reward model, DPO or KTO.

The votes come from the arena's ledger or from files of votes that hold their texts (ratings/files/texts.py). Each
decided vote becomes one preference pair, in train.jsonl or test.jsonl, split by prompt (ratings/pairs/split.py).
With ``--format kto`` every judged reply is a row (ratings/pairs/rows.py). Votes that give no row are counted by reason.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.edge import run_command
from common.options import Parser
from common.words import plural
from ratings.cli import add_source
from ratings.errors import ExportError, OutputError, RatingsError
from ratings.files.naming import read_naming
from ratings.ledger.access import open_ledger
from ratings.ledger.reader import read_preferences
from ratings.ledger.set_aside import read_set_aside
from ratings.pairs.file_votes import read_text_votes
from ratings.pairs.rows import FORMATS, Format, TextVote, rows_of, text_vote
from ratings.pairs.split import Spool, WrittenFile, check_share, open_spool, require_ours
from ratings.votes.collect import collect
from ratings.votes.votes import Preference, Record
from ratings.votes.which import Which, choose
from ratings.which import add_which, read_which


@dataclass(frozen=True)
class Exported:
    """What became of votes; prints as ``python -m ratings.export`` tells it."""

    files: list[WrittenFile]
    form: Format
    read: int
    """Votes."""
    used: int
    """Votes that gave rows."""
    simulated: int
    """Rows of votes that a program cast."""
    no_rows: Counter[str]
    """Votes that gave none, by reason."""

    @property
    def rows(self) -> int:
        """Return how many rows were written."""
        return sum(file.rows for file in self.files)

    def __str__(self) -> str:
        """Return a line for each file and one for the votes."""
        what = _NAMES[self.form]
        lines = [f"wrote {f.path}: {plural(f.rows, what)} on {plural(f.prompts, 'prompt')}" for f in self.files]
        without = f"{self.no_rows.total()} without a {what}"
        listed = f" ({_listed(self.no_rows)})" if self.no_rows else ""
        votes, rows = plural(self.read, "vote"), plural(self.rows, what)
        return "\n".join([*lines, f"{votes} read: {rows} ({self.simulated} simulated), {without}{listed}"])


_NAMES: dict[Format, str] = {"trl": "pair", "kto": "row"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or another with one line on stderr (common/edge.py)."""
    return run_command(lambda: _run(_parser().parse_args(argv)), (RatingsError,))


def _run(options: argparse.Namespace) -> list[str]:
    """Write the rows and return the lines to print."""
    naming, which = read_naming(options.columns, options.outcomes), read_which(options)
    if options.db and (naming.columns or naming.outcomes or naming.has_names):
        raise ExportError("--columns and --outcomes say how --votes are read; a ledger has its own")
    sources = [options.db] if options.db else options.votes
    votes = ledger_votes(options.db, which) if options.db else read_text_votes(sources, naming, which)
    done = export(votes, ", ".join(map(str, sources)), options.out, options.format, options.test_share, options.round)
    return str(done).splitlines()


def ledger_votes(path: Path, which: Which) -> Iterator[TextVote]:
    """Yield the votes of the arena's ledger that count, and then the others and those set aside, without their texts.

    Raises VotesError, and SettingsError for a choice that matches nothing.
    """
    votes, left_out = choose_preferences(read_preferences(path), which)
    yield from map(text_vote, votes)
    yield from (TextVote([], [], None, "human", None, reason) for reason in Counter(left_out).elements())
    with open_ledger(path) as ledger:
        yield from (TextVote([], [], None, "human", None, reason) for _, reason in read_set_aside(ledger))


def choose_preferences(votes: Iterable[Preference], which: Which) -> tuple[Iterable[Preference], dict[str, int]]:
    """Return the votes that count, and the number of the others, by reason. Raises SettingsError as `choose` does."""
    if not which.is_choice:
        return votes, {}
    given = list(votes)
    records = (
        Record(v.model_a, v.model_b, v.outcome, None, v.source == "simulated", time=v.time, where=str(number))
        for number, v in enumerate(given)
    )
    read = collect(records, keep_left_out=True)
    gone = {int(where) for where, _ in read.left_out_rows}
    usable = [vote for number, vote in enumerate(given) if number not in gone]
    chosen, place = choose(read, which)
    return [usable[number] for number in place], chosen.left_out


def export(
    votes: Iterable[TextVote], origin: str, out: Path, form: Format = "trl", test_share: float = 0.2, number: int = 1
) -> Exported:
    """Write the rows of the votes into the folder `out`; `number` is the round that stands on each.

    Raises ExportError where no vote gives a row or all are on one prompt, OutputError, and what the votes raise.
    """
    check_share(test_share)
    require_ours(out)
    no_rows: Counter[str] = Counter()
    used = simulated = 0
    with open_spool() as file:
        spool = Spool(file)
        try:
            for vote in votes:
                rows = rows_of(vote, form, {"round": number})
                if isinstance(rows, str):
                    no_rows[rows] += 1
                    continue
                used += 1
                simulated += len(rows) * (vote.source == "simulated")
                for row in rows:
                    spool.add(row)
        except OSError as problem:
            raise OutputError(f"the temporary file cannot be written: {problem.strerror}") from None
        if not used:
            what = {"trl": "preference pairs", "kto": "rows"}[form]
            raise ExportError(f"{origin}: no {what}: {_listed(no_rows) or 'no votes'}")
        files = spool.write(out, test_share)
    return Exported(files, form, used + no_rows.total(), used, simulated, no_rows)


def _listed(reasons: Counter[str]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in reasons.items())


def _parser() -> Parser:
    parser = Parser(
        prog="python -m ratings.export",
        description="Write preference pairs, or rows for KTO, from the votes of the arena or of files with texts.",
        allow_abbrev=False,
    )
    add_source(parser)
    add_which(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="gets train.jsonl and test.jsonl; pairs whose histories differ in train-conversations.jsonl and "
        "test-conversations.jsonl",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="trl",
        help="trl: pairs for a reward model or DPO; kto: replies wanted or not (default %(default)s)",
    )
    parser.add_argument("--test-share", type=float, default=0.2, help="of the prompts (default %(default)s)")
    parser.add_argument("--round", type=int, default=1, help="number written on every row (default %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
