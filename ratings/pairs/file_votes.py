"""Votes with their texts from public files, row by row, so that a file of any size is never held.

What a row's vote is decides the reader of files (ratings/files/formats.py), so an unknown outcome is an error that
names the row and the value. A battle's id counts once, and votes with the names showing are left out, as on a board.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np

from ratings.errors import UnknownOutcomeError, VotesError
from ratings.files.columns import HINT
from ratings.files.containers import Opened, open_file
from ratings.files.formats import FileRow, Layout, read_vote, recognise
from ratings.files.naming import Naming
from ratings.files.read import PEEKED, expand, read_votes_file
from ratings.files.rows import read_file_rows
from ratings.files.tables import parquet_columns
from ratings.files.texts import COLUMNS, read_conversations, require_texts
from ratings.files.values import id_of, text_of
from ratings.pairs.rows import TextVote
from ratings.votes.collect import DUPLICATE_ID
from ratings.votes.which import Which, choose


def read_text_votes(
    paths: Sequence[Path], naming: Naming | None = None, which: Which | None = None
) -> Iterator[TextVote]:
    """Yield every vote of the files, in their order; one that cannot be used says why. A file named twice is read once.

    Of a choice of votes the others come last, without their texts. Raises VotesError where a file cannot be read,
    holds no votes or no texts, UnknownOutcomeError, and SettingsError for a choice that matches nothing.
    """
    files = [open_file(path) for path in dict.fromkeys(expand(paths))]
    seen: set[int] = set()
    several = len(files) > 1
    votes = (
        (f"{file.path}: {where}" if several else where, vote)
        for file in files
        for where, vote in _read_file(file, naming, seen)
    )
    yield from _chosen(votes, files, naming, which) if which and which.is_choice else (vote for _, vote in votes)


def _chosen(
    votes: Iterator[tuple[str, TextVote]], files: Sequence[Opened], naming: Naming | None, which: Which
) -> Iterator[TextVote]:
    """Yield the votes that count, by their places among all that could be rated, and then the others by reason."""
    rated = read_votes_file(*[file.path for file in files], naming=naming, keep_left_out=True)
    gone = {where for where, _ in rated.left_out_rows}
    chosen, places = choose(rated, which)
    counts = np.zeros(rated.used, dtype=np.bool_)
    counts[places] = True
    usable = iter(counts.tolist())
    for where, vote in votes:
        if where not in gone and next(usable, False):
            yield vote
    yield from (TextVote([], [], None, "human", None, reason) for reason in Counter(chosen.left_out).elements())


def _read_file(file: Opened, naming: Naming | None, seen: set[int]) -> Iterator[tuple[str, TextVote]]:
    """Yield the place and vote of each row."""
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
            raise UnknownOutcomeError(problem.value, f"{file.name}: {where}", HINT) from None
        except VotesError as problem:
            raise VotesError(f"{file.name}: {where}: {problem}") from None
        if vote.battle_id is not None and vote.left_out is None and vote.outcome is not None:
            number = hash(vote.battle_id)
            vote = vote._replace(left_out=DUPLICATE_ID) if number in seen else vote
            seen.add(number)
        yield where, vote


def _vote(layout: Layout, row: FileRow) -> TextVote:
    record = read_vote(layout, tuple(text_of(row.get(name)) for name in layout.vote))
    source = "simulated" if record.is_simulated else "human"
    battle_id = id_of(row.get(layout.battle_id)) if layout.battle_id else None
    texts = read_conversations(row) if record.set_aside is None else record.set_aside
    if isinstance(texts, str):
        return TextVote([], [], record.outcome, source, battle_id, texts)
    return TextVote(*texts, record.outcome, source, battle_id)
