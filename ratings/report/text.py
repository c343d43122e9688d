"""A report for the terminal: the table, one line that sums up, and a line or two for each thing asked for.

Lines are at most WIDTH wide. A status that does not fit behind its row goes below it, and what is
longer than a line stands in full in leaderboard.json.
"""

import textwrap
from collections.abc import Iterator

import numpy as np

from common.words import plural
from ratings.analysis.attribution import Attribution
from ratings.analysis.changes import Changes
from ratings.analysis.elo_shuffles import EloShuffles
from ratings.analysis.fragility import Fragility
from ratings.analysis.influence import VoterInfluence
from ratings.board.columns import COLUMNS, BoardRow, Column, Notation, bounds, ranks
from ratings.board.leaderboard import Leaderboard
from ratings.fit.covariates import CovariateFit
from ratings.fit.existence import RATED
from ratings.fit.ties import TieChoice
from ratings.report.names import cut_names, shorten
from ratings.report.report import Report
from ratings.wording import printable, small_share

WIDTH = 100

NOTATION = Notation(none="-", ranks="-")
_LONGEST_NAME = 36
_FEW = 5
"""Models or voters named in a line."""


def report_text(report: Report) -> str:
    """Return the whole report for a terminal."""
    lines = [line for line in _lines(report) if line]
    extra = [textwrap.fill(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False) for line in lines]
    return "\n".join([board_text(report.board), *([""] if extra else []), *extra])


def board_text(board: Leaderboard) -> str:
    """Return the board as an aligned table for each group of models, with its summary line."""
    blocks: list[str] = []
    for one, heading in zip(board.every, board.headings(), strict=True):
        title = textwrap.fill(shown(heading), WIDTH, subsequent_indent="  ")
        blocks.append("\n".join([*([title] if title else []), *_table(one)]))
    return "\n\n".join([*blocks, textwrap.fill(shown(board.summary()), WIDTH, subsequent_indent="  ")])


def _table(board: Leaderboard) -> list[str]:
    names = cut_names([shown(row.model) for row in board.rows], _LONGEST_NAME, "...")
    lines_of = ([_cell(one, row, name) for one in COLUMNS] for row, name in zip(board.rows, names, strict=True))
    table = [[column.title for column in COLUMNS], *lines_of]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for cells, status in zip(table, ["", *(row.status for row in board.rows)], strict=True):
        line = "  ".join(
            cell.ljust(width) if column.kind == "name" else cell.rjust(width)
            for column, cell, width in zip(COLUMNS, cells, widths, strict=True)
        )
        note = "" if status == RATED else status
        if note and len(line) + 2 + len(note) > WIDTH:
            lines += [line.rstrip(), f"{'':{widths[0]}}  {note}"]
        else:
            lines.append(f"{line}  {note}".rstrip())
    return lines


def _cell(column: Column, row: BoardRow, name: str) -> str:
    return name if column.kind == "name" else column.text(row, NOTATION)


def shown(name: str) -> str:
    """Return a name that stays on its line: it may hold line breaks or terminal escapes."""
    return printable(name)


def _lines(report: Report) -> Iterator[str]:
    level = report.board.settings.confidence
    if report.tie_choice:
        yield _tie_choice(report.tie_choice)
    for name, board in report.categories.items():
        yield f"{shown(name)}, {_leader(board)}"
    if report.tie_parameter:
        yield f"ties: {report.tie_parameter.told}"
    if report.position:
        yield _covariates("position", report.position, level)
    if report.style:
        yield _covariates("style", report.style, level)
    if report.styled_board:
        yield f"with style held equal, {_leader(report.styled_board)}"
    every = (report.series, *report.other_series) if report.series else ()
    for place, series in enumerate(every, 1):
        periods = series.periods
        group = f", group {place}" if len(every) > 1 else ""
        entries = plural(len(periods), "entry", "entries")
        yield f"by {series.by}{group}: {entries}, {periods[0]} to {periods[-1]}" if periods else ""
    if report.attribution:
        yield from _gains(report.attribution)
    if report.elo_shuffles:
        yield _shuffles(report.elo_shuffles, report.counts.models)
    if report.fragility:
        yield _fragility(report.fragility)
    yield from map(_voter, report.voters[:_FEW])
    if report.changes:
        yield from _changes(report.changes)
    yield from (f"note: {shown(note)}" for note in report.notes)


def _gains(found: Attribution) -> Iterator[str]:
    """Yield the gains, but for a pair that is all of its step."""
    steps = {gain.pairs for gain in found.gains if gain.kind == "step"}
    yield from (shown(str(gain)) for gain in found.gains if gain.kind != "pair" or gain.pairs not in steps)
    yield from (f"{shown(name)}: no gain, {shown(why)}" for name, why in found.left_out.items())


def _leader(board: Leaderboard) -> str:
    """Return the first models of a board, with how sure their ranks are."""
    rated = [row for row in board.rows if row.rating is not None]
    first = [
        f"{shown(row.model)} {row.rating:.0f}{'' if row.lower is None else f' ({bounds(row, NOTATION)})'}, "
        f"rank {ranks(row, NOTATION)}"
        for row in rated[:3]
    ]
    leaders = "; ".join(first) or "nobody can be rated"
    others = "".join(f"; group {place}: {_leader(one)}" for place, one in enumerate(board.groups, 2))
    return f"{plural(board.used, 'vote')}: {leaders}{'; ...' if len(rated) > 3 else ''}{others}"


def _tie_choice(choice: TieChoice) -> str:
    best, *others = choice.scores
    behind = ", ".join(f"{score.ties} {score.behind:+.5f} (error {score.behind_error:.5f})" for score in others)
    against = f"; {behind}" if behind else "; no other could be fitted"
    found = f"{best.ties} predicts held-out votes best, log-loss {best.loss:.5f}{against}"
    if choice.ties == best.ties:
        return f"ties: {found}; that is {'clear' if choice.is_clear else 'not clear'}"
    return f"ties: {found}; {choice.ties} is within one standard error and plainer, so it is used"


def _covariates(what: str, fit: CovariateFit, confidence: float) -> str:
    """Return how often the side that has more of it wins against an equal, one unit ahead."""
    shares = (
        f"{one.name} wins {100 * one.win_share:.1f}% [{100 * one.win_share_lower:.1f}, {100 * one.win_share_upper:.1f}]"
        for one in fit.covariates(confidence)
    )
    return f"{what}, between equals{'' if what == 'position' else ' and one sd more of it'}: {', '.join(shares)}"


def _shuffles(found: EloShuffles, models: tuple[str, ...]) -> str:
    most = int(np.nanargmax(found.range))
    return (
        f"Elo over {found.shuffles} orders of the same votes: {shown(models[most])} moves most, "
        f"from {found.lowest[most]:.0f} to {found.highest[most]:.0f} (sd {found.sd[most]:.0f})"
    )


def _fragility(found: Fragility) -> str:
    first, challenger = shown(found.first), shown(found.challenger)
    if found.needed is None:
        return f"first place: no set of votes is known whose dropping would put another model before {first}"
    return (
        f"first place: dropping {found.needed} of {plural(found.votes, 'vote')} ({small_share(found.share)}), "
        f"chosen for it, would put {challenger} before {first}"
    )


def _short(name: str) -> str:
    return shorten(shown(name), _LONGEST_NAME, "...")


def _voter(voter: VoterInfluence) -> str:
    cast = f"voter {_short(voter.voter)}: {plural(voter.votes, 'vote')}"
    if voter.change is None:
        return f"{cast}, without which {shown(voter.model)} has no rating"
    return f"{cast}, without which {shown(voter.model)} moves by {voter.change:+.1f}, {shown(voter.first or '')} leads"


def _changes(found: Changes) -> Iterator[str]:
    comparable = [move for move in found.moves if move.margin is not None]
    moved = (
        ", ".join(f"{shown(move.model)} {move.moved:+.0f}" for move in comparable if move.is_more_than_noise)
        or "nobody"
    )
    what = f"{moved} moved by more than noise" if comparable else "there is no interval to hold a move against"
    yield f"since {found.old}, {found.new_votes:+d} {'vote' if abs(found.new_votes) == 1 else 'votes'}: {what}"
    yield from (f"  {shown(move.model)}: {move.status}" for move in found.moves if move.status != "stayed")
    yield from (f"  {shown(caveat)}" for caveat in found.caveats)
