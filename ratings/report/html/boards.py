"""Boards on the page: the main one, its intervals, and the boards of categories."""

from markupsafe import Markup

from ratings.board.columns import COLUMNS, BoardRow, Column, Notation, ranks
from ratings.board.leaderboard import Leaderboard
from ratings.fit.existence import RATED
from ratings.report.html.elements import (
    NONE,
    NOTATION,
    Part,
    figure,
    join,
    number,
    paragraph,
    percent,
    scrolling,
    section,
    table,
    tag,
)
from ratings.report.html.plots import interval_figure, shares_figure
from ratings.report.report import Report


def board_section(report: Report) -> Part | None:
    """Return the main board, group by group."""
    return section("board", "Board", board_tables(report.board))


def board_tables(board: Leaderboard) -> Markup:
    """Return a table for each group of models, under a heading where there are several."""
    parts: list[Markup] = []
    for one, heading in zip(board.every, board.headings(), strict=True):
        parts += [*([tag("h3", _capital(heading))] if heading else []), board_table(one, heading or "board")]
    why = paragraph(
        "No chain of votes there and back joins these groups, so ratings and ranks of different groups must not be "
        "compared. Each is measured from a mean of its own."
    )
    return join([*([why] if board.groups else []), *parts], "\n")


def board_table(board: Leaderboard, told: str = "board") -> Markup:
    """Return a board as a table: every model, or why it has no number. Its columns can be sorted by page.js."""
    has_interval = any(row.lower is not None for row in board.rows)
    level = percent(board.settings.confidence) if has_interval else ""
    columns = [column for column in COLUMNS if has_interval or column.kind != "range"]
    heads = [f"{level} interval" if column.kind == "range" else column.title for column in columns]
    kinds = ["" if column.kind == "count" else column.kind for column in columns]
    head = tag("tr", *(tag("th", title, class_=kind, scope="col") for title, kind in zip(heads, kinds, strict=True)))
    lines = (
        tag("tr", *(_cell(column, kind, row) for column, kind in zip(columns, kinds, strict=True)))
        for row in board.rows
    )
    whole = tag("table", tag("thead", head), "\n", tag("tbody", join(lines, "\n")), class_="sorts")
    return scrolling(whole, told)


def intervals_section(report: Report) -> Part | None:
    """Return the figure of ratings with their intervals, where there is a rating."""
    board = report.board
    if all(row.rating is None for row in board.all_rows):
        return None
    what = (
        f"Each bar is the {percent(board.settings.confidence)} interval of one model on its own; models whose bars "
        "overlap may still differ, which the ranks above take into account."
        if any(row.lower is not None for row in board.all_rows)
        else "Online Elo depends on the order of the votes and has no interval."
        if board.method == "elo"
        else "These ratings have no interval."
    )
    parts: list[Markup] = []
    for place, (one, heading) in enumerate(zip(board.every, board.headings(), strict=True), 1):
        if any(row.rating is not None for row in one.rows):
            name = "ratings-figure" if place == 1 else f"ratings-figure-{place}"
            parts += [*([tag("h3", _capital(heading))] if heading else []), figure(interval_figure(one), name)]
    return section("ratings", "Ratings", paragraph(what), *parts)


def rates_section(report: Report) -> Part | None:
    """Return how often each model's battles ended in a tie or in both bad."""
    rows = [row for row in report.board.all_rows if row.votes > 0]
    if not any(row.ties or row.both_bad for row in rows):
        return None
    shares = {
        "tied": [row.ties / row.votes for row in rows],
        "both bad": [row.both_bad / row.votes for row in rows],
    }
    seen = {what: values for what, values in shares.items() if any(values)}
    return section(
        "rates",
        "Ties and both bad",
        paragraph(
            "Of all votes on a model, the share that called it a tie, and the share that found both replies bad."
        ),
        figure(shares_figure([row.model for row in rows], seen, "share of the model's votes"), "rates-figure"),
    )


def categories_section(report: Report) -> Part | None:
    """Return the rank and rating of every model in each category."""
    boards = report.categories
    if not boards:
        return None
    found = {name: {row.model: row for row in board.all_rows} for name, board in boards.items()}
    models = [row.model for row in report.board.all_rows]
    models += [model for rows in found.values() for model in rows if model not in models]
    models = list(dict.fromkeys(models))
    main = {row.model: row for row in report.board.all_rows}
    rows = [
        [model, *(_rank_and_rating(rows.get(model)) for rows in (main, *found.values()))]
        for model in models
        if any(rows.get(model) is not None for rows in (main, *found.values()))
    ]
    used = ["", *(number(sum(one.used for one in board.every)) for board in (report.board, *boards.values()))]
    columns = [("model", "name"), ("all votes", "cell"), *((name, "cell") for name in boards)]
    return section(
        "categories",
        "Categories",
        paragraph(
            "Rank interval and rating on the votes of each category alone. Ratings are measured from the mean of the "
            "models rated there, and intervals widen as votes get fewer. Models of different groups cannot be compared."
        ),
        table(columns, [*rows, [tag("small", "votes used"), *(tag("small", n) for n in used[1:])]], class_="wide"),
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _cell(column: Column, kind: str, row: BoardRow) -> Markup:
    note = tag("small", row.status) if column.kind == "name" and row.status != RATED else ""
    return tag("td", column.text(row, NOTATION), note, class_=kind, **{"data-value": _sorted_by(column, row)})


def _sorted_by(column: Column, row: BoardRow) -> str:
    """Return the number that a cell is sorted by, "none" without one; nothing for names, sorted as they read."""
    if column.kind in ("count", "detail"):
        return column.text(row, Notation())
    numbers = {"rank": row.rank, "rating": row.rating, "range": row.lower}
    if column.kind not in numbers:
        return ""
    number = numbers[column.kind]
    return "none" if number is None else f"{number:.6g}"


def _rank_and_rating(row: BoardRow | None) -> str:
    if row is None or row.rating is None:
        return NONE
    group = f" in group {row.group}" if row.group > 1 else ""
    return join([tag("b", ranks(row, NOTATION)), tag("small", f"{row.rating:.0f}{group}")])
