"""Which columns of a file hold the vote, and how the values of one are read.

Which they are is decided once per file, from its columns and from what its owner says about them (`Naming`). An
unrecognised set is an error, as is an unknown outcome; a row without a value becomes a record without a model or
outcome. Values are text here, as values.py makes it.

What counts as a battle's id, for finding duplicates, depends on the release. `question_id` names a
battle in FastChat's and LMArena's dumps, which carry `tstamp`, but names a question that many votes
share in MT-bench's judgments, which do not: there it is the prompt. `id` names a battle in the 55k
and 140k releases, but a task that several workers answered in crowd files such as evalica's.

Categories are named after their column: "language=English", "is_code=true", and
"category_tag=math" for each tag that a data set's classifiers set.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ratings.errors import UnknownOutcomeError, VotesError
from ratings.files.naming import Naming
from ratings.files.values import flag, nested, shorten, text_of
from ratings.outcomes import Outcome, parse_outcome
from ratings.votes.votes import Record

NOT_A_VOTE = "not a vote"
NOT_ANONYMOUS = "not anonymous"
UNREADABLE_MARK = "anony is neither true nor false"

FileRow = Mapping[str, Any]

_OTHER_EVENTS = frozenset({"chat", "upvote", "downvote", "flag", "share"})
"""Types of row in a FastChat log that are no votes on a battle."""

_MODELS = (
    ("model_a", "model_b"),
    ("left", "right"),
    ("model_a_name", "model_b_name"),
    ("model_1", "model_2"),
    ("model_x", "model_y"),
)
_WINNERS = ("winner", "outcome", "verdict", "choice", "acceptedIndex", "accepted_index")
_ONE_HOT = ("winner_model_a", "winner_model_b", "winner_tie")
_VOTERS = (
    *("judge", "judge_hash", "worker", "voter", "visitor", "visitor_id", "ip", "annotator", "annotator_id", "rater"),
    *("user_id", "user", "evaluation_session_id"),
)
_TIMES = ("tstamp", "timestamp", "created", "created_at", "time", "datetime", "date")
_CATEGORIES = ("language", "is_code", "category_tag", "category")
_INDEXES = {"0": Outcome.A_WINS, "1": Outcome.B_WINS}


class Shape(NamedTuple):
    """The columns that hold a vote, and the function that makes a record of their values, in this order."""

    columns: tuple[str, ...]
    read: Callable[[Sequence[Any], Naming], Record]


class Layout(NamedTuple):
    """Which column of one file holds what; None where none does."""

    shape: Shape
    naming: Naming
    vote: tuple[str, ...]
    """The shape's columns, and then those of `marks`."""
    marks: tuple[str, ...]
    """Of anony, source and dedup_tag those that are there."""
    battle_id: str | None
    voter: str | None
    prompt: str | None
    time: str | None
    probability: str | None
    categories: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every column that is looked at."""
        named = (self.battle_id, self.voter, self.prompt, self.time, self.probability, *self.categories)
        return tuple(dict.fromkeys([*self.vote, *(name for name in named if name)]))


def recognise(where: object, columns: Collection[str], naming: Naming | None = None) -> Layout:
    """Return the layout of a file with these columns.

    Raises VotesError where they hold no votes, or the naming speaks of columns that are not there.
    """
    naming = naming or Naming()
    naming.check(where, columns)
    shape = next(_shapes(columns, naming), None)
    if shape is None:
        found = shorten(", ".join(columns), 300) or "none"
        raise VotesError(
            f"{where}: no votes in these columns: {found}; accepted are two columns of models ("
            f"{', '.join('/'.join(pair) for pair in _MODELS)}) with {', '.join(_WINNERS)}, or {', '.join(_ONE_HOT)}, "
            "or ComparIA's chosen_model_name and both_equal; FastChat's type and models; for others give "
            "--columns model_a=NAME,model_b=NAME,winner=NAME"
        )

    def first(role: str, *names: str) -> str | None:
        return naming.columns.get(role) or next((name for name in names if name in columns), None)

    marks = tuple(name for name in ("anony", "source", "dedup_tag") if name in columns)
    is_battle = "tstamp" in columns
    return Layout(
        shape=shape,
        naming=naming,
        vote=(*shape.columns, *marks),
        marks=marks,
        battle_id=first("id", *_battle_id_columns(columns)),
        voter=first("voter", *_VOTERS),
        prompt=first("prompt", "prompt") if is_battle else first("prompt", "prompt", "question_id"),
        time=first("time", *_TIMES),
        probability=first("probability", "probability"),
        categories=tuple(name for name in _CATEGORIES if name in columns),
    )


def read_vote(layout: Layout, values: Sequence[Any]) -> Record:
    """Return the record of one row's values of `layout.vote`. Raises VotesError for a value that is none."""
    record = layout.shape.read(values, layout.naming)
    if not layout.marks:
        return record
    set_aside, is_simulated, is_repeated = _read_marks(layout.marks, tuple(values[len(layout.shape.columns) :]))
    if not (set_aside or is_simulated or is_repeated):
        return record
    return record._replace(set_aside=record.set_aside or set_aside, is_simulated=is_simulated, is_repeated=is_repeated)


@lru_cache(1 << 12)
def _read_marks(names: tuple[str, ...], values: tuple[str | None, ...]) -> tuple[str | None, bool, bool]:
    """Return why the marks set a vote aside, whether a program cast it, and whether it is one of too many."""
    marks = dict(zip(names, values, strict=True))
    anony, tag = text_of(marks.get("anony")), nested(marks.get("dedup_tag"))
    says = flag(anony)
    is_unread = says is None and anony is not None
    set_aside = UNREADABLE_MARK if is_unread else NOT_ANONYMOUS if says is False else None
    return set_aside, text_of(marks.get("source")) == "simulated", _is_repeated(tag)


def notes_on(layout: Layout, values: Iterable[Sequence[Any]]) -> list[str]:
    """Return what a reader of a board should know of how these values of `layout.vote` were read."""
    rows = list(values)
    notes = _notes_on_names(layout, rows)
    scores = {"0", "1"} - {*layout.naming.outcomes}
    if layout.shape.read is not _read_winner or not scores & {text_of(row[2]) for row in rows}:
        return notes
    return [
        *notes,
        f"{layout.vote[2]} 1 is read as a win of the first model, 0 as one of the second, 0.5 as a tie; --outcomes "
        "says otherwise",
    ]


def _notes_on_names(layout: Layout, rows: list[Sequence[Any]]) -> list[str]:
    """Return a note where names are one only without the blanks and invisible marks around them."""
    if layout.shape.read is _read_log:
        return []
    spellings: defaultdict[str | None, set[str]] = defaultdict(set)
    for name in {row[0] for row in rows} | {row[1] for row in rows}:
        if isinstance(name, str):
            spellings[text_of(name)].add(name)
    merged = sorted(name for name, found in spellings.items() if name is not None and len(found) > 1)
    if not merged:
        return []
    named = ", ".join(map(repr, merged[:3])) + (f" and {len(merged) - 3} more" if len(merged) > 3 else "")
    return [f"{named}: also written with blanks or invisible characters around it, and taken as the same"]


def category_names(columns: Sequence[str], values: Sequence[Any]) -> tuple[str, ...]:
    """Return the names of the categories that the values of the columns put a vote in."""
    names: list[str] = []
    for name, value in zip(columns, values, strict=True):
        tags = nested(value)
        if isinstance(tags, dict):
            names += [f"{name}={tag}" for tag in _set_tags(tags)]
        elif isinstance(tags, list):
            names += [f"{name}={text}" for tag in tags if (text := text_of(tag)) is not None]
        elif isinstance(value, str) and value[:1] == "{":
            raise VotesError(f"{name} {shorten(value)!r} is broken JSON")
        elif (text := text_of(value)) is not None:
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


def _is_repeated(tag: Any) -> bool:
    """Return whether LMArena's dedup_tag marks one of too many votes on one prompt, none of those kept for it."""
    return isinstance(tag, dict) and flag(tag.get("high_freq")) is True and flag(tag.get("sampled")) is not True


def _battle_id_columns(columns: Collection[str]) -> Sequence[str]:
    if {"question_id", "tstamp"} <= set(columns):
        return ("question_id",)
    if "id" in columns and ("winner_tie" in columns or "evaluation_session_id" in columns):
        return ("id",)
    return ("conversation_pair_id",) if "both_equal" in columns else ("battle_id",)


# One function for each shape.


def _shapes(columns: Collection[str], naming: Naming) -> Iterator[Shape]:
    """Yield the shapes that the columns have, the most telling first."""
    given = naming.columns
    sides = [(given["model_a"], given["model_b"])] if {"model_a", "model_b"} <= set(given) else []
    sides += [pair for pair in _MODELS if set(pair) <= set(columns)]
    winners = [given["winner"]] if "winner" in given else []
    winners += [name for name in _WINNERS if name in columns]
    for a, b in sides:
        if not given.get("winner") and {"chosen_model_name", "both_equal"} <= set(columns):
            yield Shape((a, b, "chosen_model_name", "both_equal"), _read_comparia)
        for winner in winners:
            yield Shape((a, b, winner), _read_index if winner in _WINNERS[-2:] else _read_winner)
        if set(_ONE_HOT) <= set(columns):
            yield Shape((a, b, *_ONE_HOT), _read_one_hot)
    if {"type", "models"} <= set(columns) or {"type", "tstamp"} <= set(columns):  # a log may open with a chat
        yield Shape(("type", "models", "states"), _read_log)


def _read_winner(values: Sequence[Any], naming: Naming) -> Record:
    a, b, said = _name(values[0]), _name(values[1]), text_of(values[2])
    if said is None:
        return Record(a, b, None)
    if said in naming.outcomes:
        return Record(a, b, naming.outcomes[said])
    by_name = None
    if (said == a) != (said == b):
        by_name = Outcome.A_WINS if said == a else Outcome.B_WINS
    if by_name and naming.has_names:
        return Record(a, b, by_name)
    spelled = _spelled(said)
    if by_name is None:
        if spelled is None:
            raise UnknownOutcomeError(shorten(said))
        return Record(a, b, spelled)
    if spelled not in (None, by_name):
        raise VotesError(
            f"winner {said!r} is a side and the name of a model, and they disagree; give --outcomes names, or "
            f"--outcomes {said}={spelled.value}"
        )
    return Record(a, b, by_name)


@lru_cache(1 << 12)
def _spelled(said: str) -> Outcome | None:
    try:
        return parse_outcome(said)
    except UnknownOutcomeError:
        return None


def _read_index(values: Sequence[Any], naming: Naming) -> Record:
    said = text_of(values[2])
    outcome = None if said is None else naming.outcomes.get(said) or _INDEXES.get(said)
    if said is not None and outcome is None:
        raise UnknownOutcomeError(shorten(said))
    return Record(_name(values[0]), _name(values[1]), outcome)


def _read_one_hot(values: Sequence[Any], naming: Naming) -> Record:
    """Read a row that marks one of the columns as true; none marked says nothing."""
    flags = [False if text_of(value) is None else flag(value) for value in values[2:5]]
    if None in flags or sum(map(bool, flags)) > 1:
        shown = ", ".join(f"{name}={value}" for name, value in zip(_ONE_HOT, values[2:5], strict=True))
        raise UnknownOutcomeError(shorten(shown))
    outcome = next((parse_outcome(name) for name, is_set in zip(_ONE_HOT, flags, strict=True) if is_set), None)
    return Record(_name(values[0]), _name(values[1]), outcome)


def _read_log(values: Sequence[Any], naming: Naming) -> Record:
    """Read a row of FastChat's log, where `models` is blank in anonymous battles but `states` is not."""
    event, models, states = (nested(value) for value in values[:3])
    if event in _OTHER_EVENTS:
        return Record(None, None, None, set_aside=NOT_A_VOTE)
    models, states = models or [], states or []
    if isinstance(models, list) and not any(models) and isinstance(states, list):
        models = [state.get("model_name") for state in states if isinstance(state, dict)]
    if not isinstance(models, list) or len(models) not in (0, 2):
        raise VotesError(f"models is {shorten(str(models))}, not a list of two names")
    a, b = models or (None, None)
    said = text_of(event)
    return Record(_name(a), _name(b), None if said is None else parse_outcome(shorten(said)))


def _read_comparia(values: Sequence[Any], naming: Naming) -> Record:
    """Read a vote of ComparIA, which names the model that was chosen or that both are equal."""
    a, b, chosen = (_name(value) for value in values[:3])
    is_equal = flag(values[3])
    is_unread = is_equal is None and text_of(values[3]) is not None
    if is_unread or (chosen is not None and (is_equal or chosen not in (a, b))):
        raise UnknownOutcomeError(f"chosen_model_name={chosen}, both_equal={text_of(values[3])}")
    if is_equal:
        return Record(a, b, Outcome.TIE)
    return Record(a, b, None if chosen is None else Outcome.A_WINS if chosen == a else Outcome.B_WINS)


def _name(value: Any) -> str | None:
    if isinstance(value, list | dict):
        raise VotesError(f"model {shorten(str(value))} is not a name")
    return _checked(value)


@lru_cache(1 << 14)
def _checked(value: Any) -> str | None:
    name = text_of(value)
    if name is None:
        return None
    if nested(name) is not name:
        raise VotesError(f"model {shorten(name)} is not a name")
    if "\0" in name:
        raise VotesError(f"model {shorten(name)!r} holds a NUL character; mend the file")
    if any("\ud800" <= c <= "\udfff" for c in name):
        raise VotesError(f"model {name!r} is half a character; mend its escapes")
    return str(name)
