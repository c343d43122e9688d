"""Boards on the page: the main one, its intervals, the boards of categories and of separate components."""

from markupsafe import Markup

from ratings.board.columns import COLUMNS, BoardRow, Column, ranks
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
    section,
    table,
    tag,
)
from ratings.report.html.plots import interval_figure, shares_figure
from ratings.report.report import Report


def board_section(report: Report) -> Part | None:
    """Return the main board."""
    return section("board", "Board", board_table(report.board))


def board_table(board: Leaderboard) -> Markup:
    """Return a board as a table: every model, or why it has no number."""
    has_interval = any(row.lower is not None for row in board.rows)
    level = percent(board.settings.confidence) if has_interval else ""
    columns = [column for column in COLUMNS if has_interval or column.kind != "range"]
    heads = [f"{level} interval" if column.kind == "range" else column.title for column in columns]
    kinds = ["" if column.kind == "count" else column.kind for column in columns]
    rows = [[_cell(column, row) for column in columns] for row in board.rows]
    return table(list(zip(heads, kinds, strict=True)), rows)


def intervals_section(report: Report) -> Part | None:
    """Return the figure of ratings with their intervals, where there is a rating."""
    board = report.board
    if all(row.rating is None for row in board.rows):
        return None
    what = (
        "Each bar holds with its confidence on its own; models whose bars overlap may still differ, "
        "which the ranks above take into account."
        if any(row.lower is not None for row in board.rows)
        else "Online Elo depends on the order of the votes and has no interval."
        if board.method == "elo"
        else "These ratings have no interval."
    )
    return section("ratings", "Ratings", paragraph(what), figure(interval_figure(board), "ratings-figure"))


def rates_section(report: Report) -> Part | None:
    """Return how often each model's battles ended in a tie or in both bad."""
    rows = [row for row in report.board.rows if row.votes > 0]
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
    found = {name: {row.model: row for row in board.rows} for name, board in boards.items()}
    models = [row.model for row in report.board.rows]
    models += [model for rows in found.values() for model in rows if model not in models]
    models = list(dict.fromkeys(models))
    main = {row.model: row for row in report.board.rows}
    rows = [
        [model, *(_rank_and_rating(rows.get(model)) for rows in (main, *found.values()))]
        for model in models
        if any(rows.get(model) is not None for rows in (main, *found.values()))
    ]
    used = ["", number(report.board.used), *(number(board.used) for board in boards.values())]
    columns = [("model", "name"), ("all votes", "cell"), *((name, "cell") for name in boards)]
    return section(
        "categories",
        "Categories",
        paragraph(
            "Rank interval and rating on the votes of each category alone. Ratings are measured from the mean of the "
            "models rated there, and intervals widen as votes get fewer."
        ),
        table(columns, [*rows, [tag("small", "votes used"), *(tag("small", n) for n in used[1:])]], class_="wide"),
    )


def components_section(report: Report) -> Part | None:
    """Return the boards of models that no chain of votes connects to the main one."""
    if not report.components:
        return None
    return section(
        "components",
        "Separate boards",
        paragraph(
            "No chain of votes connects these models to the board above, so their ratings start from a mean of their "
            "own and must not be compared with it."
        ),
        join((board_table(board) for board in report.components), "\n"),
    )


def _cell(column: Column, row: BoardRow) -> str:
    note = tag("small", row.status) if column.kind == "name" and row.status != RATED else ""
    return join([column.text(row, NOTATION), note])


def _rank_and_rating(row: BoardRow | None) -> str:
    if row is None or row.rating is None:
        return NONE
    return join([tag("b", ranks(row, NOTATION)), tag("small", f"{row.rating:.0f}")])
