"""Votes with their texts from public files, row by row, so that a file of any size is never held.

What a row's vote is decides the reader of files (ratings/files/formats.py), so an unknown outcome is an error that
names the row and the value. A battle's id counts once, and votes with the names showing are left out, as on a board.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from ratings.errors import UnknownOutcomeError, VotesError
from ratings.files.containers import open_file
from ratings.files.formats import FileRow, Layout, read_vote, recognise
from ratings.files.naming import Naming
from ratings.files.read import PEEKED, expand
from ratings.files.rows import read_file_rows
from ratings.files.scan import parquet_columns
from ratings.files.texts import COLUMNS, read_conversations, require_texts
from ratings.files.values import id_of, text_of
from ratings.pairs.rows import TextVote
from ratings.votes.collect import DUPLICATE_ID


def read_text_votes(paths: Sequence[Path], naming: Naming | None = None) -> Iterator[TextVote]:
    """Yield every vote of the files, in their order; one that cannot be used says why.

    Raises VotesError where a file cannot be read, holds no votes or no texts, and UnknownOutcomeError.
    """
    seen: set[int] = set()
    for path in expand(paths):
        yield from _read_file(path, naming, seen)


def _read_file(path: Path, naming: Naming | None, seen: set[int]) -> Iterator[TextVote]:
    file = open_file(path)
    if file.is_parquet:
        columns = parquet_columns(file.name, file.path)
        layout = recognise(file.name, columns, naming)
        require_texts(file.name, columns)
        wanted = tuple(dict.fromkeys([*layout.columns, *COLUMNS]))
        rows = read_file_rows(file, wanted)
    else:
        read = read_file_rows(file)
        first = list(islice(read, PEEKED))
        if not first:
            return
        columns = list(dict.fromkeys(chain.from_iterable(row for _, row in first)))
        layout = recognise(file.name, columns, naming)
        require_texts(file.name, columns)
        rows = chain(first, read)
    for where, row in rows:
        try:
            vote = _vote(layout, row)
        except UnknownOutcomeError as problem:
            raise UnknownOutcomeError(problem.value, f"{file.name}: {where}") from None
        except VotesError as problem:
            raise VotesError(f"{file.name}: {where}: {problem}") from None
        if vote.battle_id is not None and vote.left_out is None and vote.outcome is not None:
            number = hash(vote.battle_id)
            vote = vote._replace(left_out=DUPLICATE_ID) if number in seen else vote
            seen.add(number)
        yield vote


def _vote(layout: Layout, row: FileRow) -> TextVote:
    record = read_vote(layout, tuple(text_of(row.get(name)) for name in layout.vote))
    source = "simulated" if record.is_simulated else "human"
    battle_id = id_of(row.get(layout.battle_id)) if layout.battle_id else None
    texts = read_conversations(row) if record.set_aside is None else record.set_aside
    if isinstance(texts, str):
        return TextVote([], [], record.outcome, source, battle_id, texts)
    return TextVote(*texts, record.outcome, source, battle_id)
