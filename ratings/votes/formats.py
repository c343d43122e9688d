"""Which columns of a published data set hold the vote, and how one row of them is read.

Which they are is decided once per file, from its columns. An unrecognised set is an error, as is an
unknown outcome; a row without a value becomes a record without a model or outcome.

What counts as a battle's id, for finding duplicates, depends on the release. `question_id` names a
battle in FastChat's and LMArena's dumps, which carry `tstamp`, but names a question that many votes
share in MT-bench's judgments, which do not: there it is the prompt. `id` names a battle in the 55k
and 140k releases, but a task that several workers answered in crowd files such as evalica's.

Categories are named after their column: "language=English", "is_code=true", and
"category_tag=math" for each tag that a data set's classifiers set.
"""

import json
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from ratings.errors import UnknownOutcomeError, VotesError
from ratings.outcomes import Outcome, parse_one_hot, parse_outcome
from ratings.votes.votes import Record, parse_time

NOT_A_VOTE = "not a vote"
NOT_ANONYMOUS = "not anonymous"

FileRow = Mapping[str, Any]

_OTHER_EVENTS = frozenset({"chat", "upvote", "downvote", "flag", "share"})
"""Types of row in a FastChat log that are no votes on a battle."""

_VOTERS = ("judge", "judge_hash", "worker", "voter", "visitor_id", "ip", "evaluation_session_id")
_TIMES = ("tstamp", "timestamp", "created")
_CATEGORIES = ("language", "is_code", "category_tag")
_LONGEST = 80
"""Characters of a value that a message shows."""


class Shape(NamedTuple):
    """A set of columns that holds a vote, and the function that reads it from one row."""

    columns: frozenset[str]
    read: Callable[[FileRow], Record]
    more: tuple[str, ...] = ()
    """Columns that `read` looks at where they are present."""


class Layout(NamedTuple):
    """Which column of one file holds what; None where none does."""

    shape: Shape
    vote: tuple[str, ...]
    """The columns of the vote itself."""
    battle_id: str | None
    voter: str | None
    prompt: str | None
    time: str | None
    categories: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every column that is looked at."""
        named = (self.battle_id, self.voter, self.prompt, self.time, *self.categories)
        return tuple(dict.fromkeys([*self.vote, *(name for name in named if name)]))


def recognise(where: object, columns: Collection[str]) -> Layout:
    """Return the layout of a file with these columns; raise VotesError where they hold no votes."""
    shape = next((shape for shape in SHAPES if shape.columns <= set(columns)), None)
    if shape is None:
        accepted = " or ".join(f"({', '.join(sorted(shape.columns))})" for shape in SHAPES)
        found = shorten(", ".join(sorted(columns)), 300) or "none"
        raise VotesError(f"{where}: no votes in these columns: {found}; accepted are {accepted}")

    def first(*names: str) -> str | None:
        return next((name for name in names if name in columns), None)

    is_battle = "tstamp" in columns
    return Layout(
        shape,
        tuple(name for name in (*sorted(shape.columns), *shape.more, "anony") if name in columns),
        _battle_id_column(columns),
        first(*_VOTERS),
        first("prompt") if is_battle else first("prompt", "question_id"),
        first(*_TIMES),
        tuple(name for name in _CATEGORIES if name in columns),
    )


def read_row(layout: Layout, row: FileRow, where: str = "") -> Record:
    """Return one row as a record. Raises VotesError for a value that is none."""
    return read_vote(layout, row)._replace(
        battle_id=text_or_none(row.get(layout.battle_id or "")),
        voter=key(row.get(layout.voter or "")),
        prompt=key(row.get(layout.prompt or "")),
        time=parse_time(row.get(layout.time or "")),
        categories=category_names(*((name, row.get(name)) for name in layout.categories)),
        where=where,
    )


def read_vote(layout: Layout, row: FileRow) -> Record:
    """Return the models and outcome of one row, of which only the columns of the vote are looked at."""
    record = layout.shape.read(row)
    if str(row.get("anony")).lower() == "false":
        return record._replace(set_aside=NOT_ANONYMOUS)
    return record


def category_names(*columns: tuple[str, Any]) -> tuple[str, ...]:
    """Return the names of the categories that the values of the (name, value) columns put a vote in."""
    names: list[str] = []
    for name, value in columns:
        if isinstance(value, str) and value[:1] == "{":
            try:
                value = json.loads(value)
            except json.JSONDecodeError:
                raise VotesError(f"{name} {shorten(value)!r} is broken JSON") from None
        if isinstance(value, dict):
            names += [f"{name}={tag}" for tag in _set_tags(value)]
        elif (text := text_or_none(value)) is not None:
            names.append(f"{name}={text.lower() if text in ('True', 'False') else text}")
    return tuple(dict.fromkeys(names))


def _set_tags(tags: Mapping[str, Any]) -> list[str]:
    """Return the tags that are true, such as "math" of {"math_v0.1": {"math": true}}."""
    found: list[str] = []
    for name, value in tags.items():
        if isinstance(value, dict):
            found += _set_tags(value)
        elif value is True:
            found.append(name)
    return sorted(found)


def text_or_none(value: Any) -> str | None:
    """Return a scalar as text; None where it is empty."""
    value = _present(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of ids with a gap was read as floats
    return None if value is None else str(value)


def key(value: Any) -> str | None:
    """Return text that is the same for equal values, lists and objects included."""
    return json.dumps(value, sort_keys=True, default=str) if isinstance(value, list | dict) else text_or_none(value)


def shorten(text: str, longest: int = _LONGEST) -> str:
    """Return the text, or its start and an ellipsis where it is too long for a message."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _battle_id_column(columns: Collection[str]) -> str | None:
    if {"question_id", "tstamp"} <= set(columns):
        return "question_id"
    if "id" in columns and ("winner_tie" in columns or "evaluation_session_id" in columns):
        return "id"
    return "conversation_pair_id" if {"both_equal", "conversation_pair_id"} <= set(columns) else None


# One function for each shape.


def _read_winner(row: FileRow) -> Record:
    return Record(_name(row.get("model_a")), _name(row.get("model_b")), _outcome(row.get("winner")))


def _read_left_right(row: FileRow) -> Record:
    return Record(_name(row.get("left")), _name(row.get("right")), _outcome(row.get("winner")))


def _read_one_hot(row: FileRow) -> Record:
    outcome = parse_one_hot(
        _present(row.get("winner_model_a")),
        _present(row.get("winner_model_b")),
        _present(row.get("winner_tie")),
    )
    return Record(_name(row.get("model_a")), _name(row.get("model_b")), outcome)


def _read_log(row: FileRow) -> Record:
    """Read a row of FastChat's log, where `models` is blank in anonymous battles but `states` is not."""
    if row.get("type") in _OTHER_EVENTS:
        return Record(None, None, None, set_aside=NOT_A_VOTE)
    models, states = row.get("models") or [], row.get("states") or []
    if not any(models):
        models = [state.get("model_name") for state in states if isinstance(state, dict)]
    if not isinstance(models, list) or len(models) not in (0, 2):
        raise VotesError(f"models is {models!r}, not a list of two names")
    a, b = models or (None, None)
    return Record(_name(a), _name(b), _outcome(row.get("type")))


def _read_comparia(row: FileRow) -> Record:
    """Read a vote of ComparIA, which names the model that was chosen or that both are equal."""
    a, b, chosen = (_name(row.get(name)) for name in ("model_a_name", "model_b_name", "chosen_model_name"))
    is_equal = str(_present(row.get("both_equal"))).lower() in ("true", "1", "1.0")
    if chosen is not None and (is_equal or chosen not in (a, b)):
        raise UnknownOutcomeError(f"chosen_model_name={chosen}, both_equal={row.get('both_equal')}")
    if is_equal:
        return Record(a, b, Outcome.TIE)
    return Record(a, b, None if chosen is None else Outcome.A_WINS if chosen == a else Outcome.B_WINS)


SHAPES: tuple[Shape, ...] = (
    Shape(frozenset({"model_a", "model_b", "winner"}), _read_winner),
    Shape(frozenset({"model_a", "model_b", "winner_model_a", "winner_model_b", "winner_tie"}), _read_one_hot),
    Shape(frozenset({"left", "right", "winner"}), _read_left_right),
    Shape(frozenset({"model_a_name", "model_b_name", "chosen_model_name", "both_equal"}), _read_comparia),
    Shape(frozenset({"type", "models"}), _read_log, ("states",)),
    Shape(
        frozenset({"type", "tstamp"}), _read_log, ("models", "states")
    ),  # a log may open with a row that is no battle
)


def _present(value: Any) -> Any:
    """Return None for the ways in which a file leaves a value out: null, NaN and the empty string."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return None if value is None or value == "" or is_nan else value


def _name(value: Any) -> str | None:
    value = _present(value)
    if value is not None and not isinstance(value, str):
        raise VotesError(f"model {value!r} is not text")
    if value is not None and "\0" in value:
        raise VotesError(f"model {shorten(value)!r} holds a NUL character; mend the file")
    if value is not None and any("\ud800" <= c <= "\udfff" for c in value):
        raise VotesError(f"model {value!r} is half a character; mend its escapes")
    return value


def _outcome(value: Any) -> Outcome | None:
    value = _present(value)
    return None if value is None else parse_outcome(shorten(value) if isinstance(value, str) else value)
