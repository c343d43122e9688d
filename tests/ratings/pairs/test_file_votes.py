"""Votes with texts from files, as they are published."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ratings.errors import UnknownOutcomeError
from ratings.pairs.file_votes import read_text_votes
from ratings.pairs.rows import TextVote
from ratings.votes.which import Which

TALK = [{"role": "user", "content": "p"}, {"role": "assistant", "content": "x"}]
VOTED = {"model_a": "m", "model_b": "n", "winner": "model_a"}
TEXTS = {"conversation_a": TALK, "conversation_b": TALK}


def read(tmp_path: Path, *rows: dict[str, Any]) -> list[TextVote]:
    """Return the votes of a file of JSON Lines, which are those of the same rows as Parquet."""
    path = tmp_path / "votes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pd.DataFrame(list(rows)).to_parquet(tmp_path / "votes.parquet")
    votes = list(read_text_votes([path]))
    assert list(read_text_votes([tmp_path / "votes.parquet"])) == votes
    return votes


def test_vote_has_its_texts_outcome_and_id(tmp_path: Path) -> None:
    [vote] = read(tmp_path, VOTED | TEXTS | {"question_id": "q1", "tstamp": 1.5, "source": "simulated"})
    assert (vote.conversation_a, vote.battle_id, vote.source, vote.left_out) == (TALK, "q1", "simulated", None)


def test_battle_counts_once_and_names_that_show_do_not(tmp_path: Path) -> None:
    row = VOTED | TEXTS | {"tstamp": 1.5}
    votes = read(
        tmp_path,
        row | {"question_id": "q1", "anony": False},
        row | {"question_id": "q1", "anony": True},
        row | {"question_id": "q1", "anony": True},
    )
    assert [vote.left_out for vote in votes] == ["not anonymous", None, "duplicate id"]


def test_row_without_texts_is_left_out(tmp_path: Path) -> None:
    votes = read(tmp_path, VOTED | TEXTS, VOTED | dict.fromkeys(TEXTS))
    assert [vote.left_out for vote in votes] == [None, "no texts"]


def test_unknown_outcome_names_its_row(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    path.write_text("".join(json.dumps(VOTED | TEXTS | more) + "\n" for more in ({}, {"winner": "first"})))
    with pytest.raises(UnknownOutcomeError, match=r"votes.jsonl: line 2: unknown outcome 'first'"):
        list(read_text_votes([path]))


def test_choice_of_votes_is_that_of_a_board(tmp_path: Path) -> None:
    rows = [VOTED | TEXTS | {"tstamp": float(i), "question_id": f"q{i}"} for i in range(4)]
    rows[1] |= {"model_a": "gone"}
    rows[2] |= {"winner": None}
    path = tmp_path / "votes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    votes = list(read_text_votes([path], None, Which(without=("gone",), since=0.0)))
    assert [vote.battle_id for vote in votes if not vote.left_out] == ["q0", "q3"]
    assert sorted(filter(None, (vote.left_out for vote in votes))) == ["contestant left out", "missing outcome"]
    both = list(read_text_votes([path, path], None, Which(without=("gone",))))
    assert [vote.battle_id for vote in both if not vote.left_out] == ["q0", "q3"]
