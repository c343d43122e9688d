"""How far to trust the board: what changed since last time, how little would tip it, and how it was made."""

from markupsafe import Markup

from ratings.analysis.changes import Changes, Move
from ratings.analysis.fragility import METHOD, Dropped, Fragility
from ratings.analysis.influence import VoterInfluence
from ratings.board.leaderboard import OTHER_GROUP
from ratings.board.words import TIES
from ratings.report.html.elements import (
    NONE,
    Part,
    bullets,
    facts,
    from_to,
    join,
    number,
    paragraph,
    percent,
    plural,
    section,
    signed,
    table,
    tag,
)
from ratings.report.html.headline import fragility_sentence
from ratings.report.names import cut_names
from ratings.report.report import Report

_MOST_KINDS = 8
"""Kinds of dropped votes that are listed."""

_LONGEST_VOTER = 20


def changes_section(report: Report) -> Part | None:
    """Return who moved since the snapshot before, and whether that is more than noise."""
    found = report.changes
    if found is None:
        return None
    columns = [
        ("model", "name"),
        ("rank", "range"),
        ("rating", "range"),
        ("moved", "rating"),
        ("noise", ""),
        ("", "what"),
    ]
    return section(
        "changes",
        "Since the snapshot before",
        paragraph(_moved(found)),
        bullets(found.caveats),
        table(columns, [_move(move) for move in found.moves]),
    )


def _moved(found: Changes) -> str:
    moved = sum(bool(move.is_more_than_noise) for move in found.moves)
    since = f"{plural(found.new_votes, 'more vote')} read since {_when(found.old)}."
    if found.new_votes < 0:
        since = f"{plural(-found.new_votes, 'vote')} fewer read than at {_when(found.old)}."
    what = f"{plural(moved, 'model')} moved by more than noise" if moved else "No model moved by more than noise"
    return (
        f"{since} {what}. The margins of noise hold for all models at once with {percent(found.confidence)} confidence."
    )


def _move(move: Move) -> list[str]:
    verdict = {True: "more than noise", False: "within noise", None: ""}[move.is_more_than_noise]
    return [
        move.model,
        _from_to(move.old_rank, move.new_rank),
        _from_to(move.old_rating, move.new_rating),
        NONE if move.moved is None else signed(move.moved),
        NONE if move.margin is None else f"± {move.margin:.0f}",
        verdict if move.status == "stayed" else move.status,
    ]


def _from_to(old: float | None, new: float | None) -> str:
    return from_to(*(NONE if value is None else f"{value:.0f}" for value in (old, new)))


def fragility_section(report: Report) -> Part | None:
    """Return how few votes hold up the first place, and whose votes weigh most."""
    found = report.fragility
    return section(
        "fragility",
        "How little would change it",
        *(_fragility(found) if found else ()),
        *(_voters(report.voters) if report.voters else ()),
    )


def _fragility(found: Fragility) -> list[Markup]:
    lines = [_dropped(kind) for kind in found.dropped[:_MOST_KINDS]]
    rest = sum(kind.votes for kind in found.dropped[_MOST_KINDS:])
    if rest:
        lines.append(f"{plural(rest, 'more vote')} of other kinds")
    return [
        paragraph(
            f"{fragility_sentence(found)}. Method: {METHOD}; few votes mean that the lead rests on few voters, "
            "not that it is wrong."
        ),
        bullets(lines),
    ]


def _dropped(kind: Dropped) -> str:
    between = f"a tie of {kind.winner} and {kind.loser}" if kind.is_tie else f"{kind.winner} over {kind.loser}"
    return f"{number(kind.votes)} × {between}"


def _voters(voters: tuple[VoterInfluence, ...]) -> list[Markup]:
    rows = [
        [
            tag("span", name, title=one.voter),
            number(one.votes),
            one.model,
            "loses its rating" if one.change is None else signed(one.change),
            NONE if one.lead_change is None else signed(one.lead_change),
            NONE if one.first is None else one.first,
        ]
        for one, name in zip(voters, cut_names([one.voter for one in voters], _LONGEST_VOTER), strict=True)
    ]
    columns = [
        ("voter", "name short"),
        ("votes", ""),
        ("moves most", "name"),
        ("by", "rating"),
        ("the lead by", ""),
        ("first without them", "name"),
    ]
    return [
        paragraph(
            "The board fitted again without all votes of one voter, for the voters that matter most; in Elo points. "
            "Voters are named as the votes name them, visitors of an arena by the start of the SHA-256 of their id. "
            "Whoever votes most weighs most, which is no proof of foul play."
        ),
        table(columns, rows),
    ]


def ties_section(report: Report) -> Part | None:
    """Return how the treatments of ties compare on votes that were held out."""
    found = report.tie_choice
    if found is None:
        return None
    best = found.scores[0].ties
    rows = [
        [
            TIES[score.ties],
            f"{score.loss:.4f} ± {score.standard_error:.4f}",
            NONE if score.ties == best else f"{score.behind:.5f} ± {score.behind_error:.5f}",
        ]
        for score in found.scores
    ]
    sure = "clearly" if found.is_clear else "but not clearly: another is within two standard errors"
    kept = "" if found.ties == best else f" {TIES[found.ties].capitalize()}, plainer and as good, is used."
    unable = f" Not possible here: {', '.join(TIES[ties] for ties in found.unavailable)}." * bool(found.unavailable)
    return section(
        "ties",
        "What a tie is",
        paragraph(
            f"{TIES[best].capitalize()} predicts the {plural(found.votes, 'held-out vote')} best, {sure} "
            f"({found.folds} folds).{kept}{unable}"
        ),
        table([("ties", "name"), ("loss per vote, nats", "range"), ("behind the best", "range")], rows),
    )


def votes_section(report: Report) -> Part | None:
    """Return what was read, used and left out, and why."""
    board = report.board
    lines = [
        ("read", number(board.read)),
        ("used in group 1" if board.groups else "used", number(board.used)),
        *((f"used in group {place}", number(one.used)) for place, one in enumerate(board.groups, 2)),
        *((f"left out: {reason}", number(n)) for reason, n in board.left_out.items() if reason != OTHER_GROUP),
        ("simulated", "not known" if board.simulated is None else number(board.simulated)),
    ]
    unrated = [join([row.model, tag("small", row.status)]) for row in board.all_rows if row.rating is None]
    return section(
        "votes", "Votes", facts(lines), *([paragraph("Models without a rating:"), bullets(unrated)] if unrated else [])
    )


def settings_section(report: Report) -> Part | None:
    """Return every setting that moved a number."""
    board = report.board
    lines = [
        ("method", board.method),
        *((name.replace("_", " "), _value(value)) for name, value in board.words().items()),
        *([("tie parameter", report.tie_parameter.told)] if report.tie_parameter else []),
    ]
    return section("settings", "How it was made", facts([*lines, ("made", _when(board.created)), *_source(report)]))


def _source(report: Report) -> list[tuple[str, str]]:
    """Return where the votes came from, with their hashes, and what made the page of them."""
    told = report.provenance.to_json_dict(report.counts)
    return [
        ("votes", told["votes"]),
        *((f"SHA-256 of {path}", digest or "the file is gone") for path, digest in told["sha256"].items()),
        ("SHA-256 of their counts", told["sha256_of_counts"]),
        *([("command", told["command"])] if told["command"] else []),
        ("version", told["version"]),
    ]


def notes_section(report: Report) -> Part | None:
    """Return what was asked for and could not be computed."""
    return section("notes", "Notes", bullets(report.notes))


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _when(moment: str) -> str:
    return moment.replace("T", " ").replace("+00:00", " UTC")
