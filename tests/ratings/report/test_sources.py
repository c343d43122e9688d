"""What is read beside the counts belongs to the very votes that are counted."""

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from ratings.errors import VotesError
from ratings.ledger.reader import read_ledger, read_ledger_by_category, read_ledger_prompts, read_ledger_styles
from ratings.report.sources import Needs, read_file_source, read_ledger_source

EVERYTHING = Needs(votes=True, categories=True, prompts=True, styles=True, left_out=True)


def test_styles_and_prompts_of_a_ledger_are_those_of_its_usable_votes(full_ledger: Path) -> None:
    left, right = read_ledger_styles(full_ledger)
    prompts = read_ledger_prompts(full_ledger)
    query = (
        "SELECT length_a, lists_a, length_b, bold_b, prompt FROM votes JOIN battles ON id = battle_id"
        " LEFT JOIN styles USING (battle_id) WHERE votes.model_a != votes.model_b ORDER BY votes.rowid"
    )
    with closing(sqlite3.connect(full_ledger)) as ledger:
        rows = ledger.execute(query).fetchall()
    assert len(left) == len(right) == len(prompts) == len(rows) == 588
    for *numbers, i in zip(left[:, 0], left[:, 3], right[:, 0], right[:, 2], range(588), strict=True):
        expected = [np.nan if n is None else n for n in rows[i][:4]]
        np.testing.assert_array_equal(numbers, expected)
    names = np.array([row[4] for row in rows])
    assert all(len(set(names[prompts == code])) == 1 for code in range(prompts.max() + 1))
    assert prompts.max() + 1 == len(set(names))


def test_ledger_without_styles_still_has_votes(make_ledger: object, full_ledger: Path, tmp_path: Path) -> None:
    path = tmp_path / "bare.db"
    path.write_bytes(full_ledger.read_bytes())
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute("DROP TABLE styles")
    source = read_ledger_source(path, EVERYTHING)
    assert source.styles is None
    assert "styles does not exist" in source.no_styles
    assert source.votes is not None


def test_counts_alone_are_read_where_they_are_enough(full_ledger: Path) -> None:
    plain, full = (read_ledger_source(full_ledger, needs) for needs in (Needs(), EVERYTHING))
    assert plain.votes is None
    assert full.votes is not None
    np.testing.assert_array_equal(plain.counts.outcomes, full.counts.outcomes)
    assert (plain.counts.read, plain.counts.left_out) == (600, {"self-battle": 6, "voted before": 6})
    assert (full.counts.read, full.counts.left_out) == (600, {"self-battle": 6, "voted before": 6})
    assert set(full.by_category) == {"facts", "stories"}
    assert full.by_category["facts"].simulated == read_ledger_by_category(full_ledger)["facts"].simulated > 0


def test_votes_are_weighed_as_the_ledger_weighs_its_counts(full_ledger: Path) -> None:
    from_counts = read_ledger(full_ledger, weights=True)
    from_votes = read_ledger_source(full_ledger, Needs(votes=True, weights=True)).counts
    assert from_counts.weights is not None
    assert from_votes.weights is not None
    np.testing.assert_allclose(from_votes.weights, from_counts.weights)
    np.testing.assert_allclose(from_votes.squared_weights, from_counts.squared_weights)  # type: ignore[arg-type]


def test_votes_without_their_chance_cannot_be_weighed(tmp_path: Path, full_ledger: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\na,b,tie\n")
    with pytest.raises(VotesError, match="no vote records the chance"):
        read_file_source(path, Needs(weights=True))
    broken = tmp_path / "broken.db"
    broken.write_bytes(full_ledger.read_bytes())
    with closing(sqlite3.connect(broken)) as ledger, ledger:
        ledger.execute("UPDATE votes SET probability = 0 WHERE battle_id = 'b3'")
    with pytest.raises(VotesError, match="outside"):
        read_ledger_source(broken, Needs(votes=True, weights=True))


LONG, SHORT = "# Head\n- one\n- **two**", "plain"


def conversation(*replies: object) -> list[dict[str, object]]:
    return [
        turn
        for reply in replies
        for turn in ({"role": "user", "content": "# ?"}, {"role": "assistant", "content": reply})
    ]


def test_replies_in_a_file_are_measured_and_stay_with_their_votes(tmp_path: Path) -> None:
    rows = [
        {"conversation_a": conversation(LONG), "conversation_b": conversation(SHORT), "winner": "model_a"},
        {"conversation_a": conversation(SHORT), "conversation_b": conversation(SHORT), "winner": None},  # left out
        {
            "conversation_a": conversation([{"type": "text", "text": SHORT}, {"type": "image"}]),
            "conversation_b": conversation(LONG, SHORT),
            "winner": "tie",
        },
        {"conversation_a": None, "conversation_b": conversation(SHORT), "winner": "tie"},
    ]
    path = tmp_path / "votes.jsonl"
    path.write_text("".join(json.dumps({"model_a": "a", "model_b": "b", **row}) + "\n" for row in rows))
    source = read_file_source(path, Needs(styles=True))
    assert source.styles is not None
    left, right = source.styles
    long, short = [len(LONG), 1, 1, 2], [len(SHORT), 0, 0, 0]
    np.testing.assert_array_equal(left, [long, short, [np.nan] * 4])
    np.testing.assert_array_equal(right, [short, np.add(long, short), short])


def test_responses_are_texts_or_lists_of_turns_in_csv_and_parquet_alike(tmp_path: Path) -> None:
    import pandas as pd

    header = ["model_a", "model_b", "winner_model_a", "winner_model_b", "winner_tie", "response_a", "response_b"]
    rows = [
        ["a", "b", "1", "0", "0", json.dumps([LONG, SHORT]), SHORT],
        ["a", "b", "0", "0", "0", SHORT, SHORT],  # left out
        ["b", "a", "0", "1", "0", "[not json", LONG],
    ]
    with (tmp_path / "votes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    pd.DataFrame(rows, columns=header).to_parquet(tmp_path / "votes.parquet")
    for name in ("votes.csv", "votes.parquet"):
        source = read_file_source(tmp_path / name, Needs(styles=True))
        assert source.styles is not None, source.no_styles
        left, right = source.styles
        assert left[:, 0].tolist() == [len(LONG) + len(SHORT), len("[not json")]
        assert right[:, 3].tolist() == [0, 2]


def test_file_without_replies_says_so(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\na,b,tie\n")
    source = read_file_source(path, Needs(styles=True))
    assert source.styles is None
    assert "holds no replies" in source.no_styles
