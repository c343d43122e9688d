"""Preference pairs: who is chosen, what is no pair, and a split that no prompt crosses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ratings.export import main

MakeLedger = Callable[..., Path]


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def export(ledger: Path, out: Path, *options: str) -> list[dict[str, Any]]:
    """Run the export and return all its rows in the order of their battles."""
    assert main(["--db", str(ledger), "--out", str(out), *options]) == 0
    rows = rows_of(out / "train.jsonl") + rows_of(out / "test.jsonl")
    return sorted(rows, key=lambda row: str(row["battle_id"]))


def test_winner_is_chosen_on_either_side(make_ledger: MakeLedger, tmp_path: Path) -> None:
    ledger = make_ledger(
        [("m1", "m2", "model_a"), ("m1", "m2", "model_b")],
        texts=[("p0", "left 0", "right 0"), ("p1 ✓", "left 1", "right 1")],
        sources=["human", "simulated"],
    )
    first, second = export(ledger, tmp_path / "out", "--round", "3")
    assert first == {
        "prompt": [{"role": "user", "content": "p0"}],
        "chosen": [{"role": "assistant", "content": "left 0"}],
        "rejected": [{"role": "assistant", "content": "right 0"}],
        "margin": 0.0,
        "battle_id": "b0",
        "round": 3,
        "source": "human",
    }
    assert list(second) == list(first)
    assert second["chosen"][0]["content"] == "right 1"
    assert (second["prompt"][0]["content"], second["source"]) == ("p1 ✓", "simulated")


def test_votes_that_are_no_pairs_are_counted_by_reason(
    make_ledger: MakeLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = ["model_a", "model_b", "tie", "both_bad", "model_a", "model_a", "model_b", None]
    texts: list[tuple[str | None, str | None, str | None]] = [(f"p{i}", "left", "right") for i in range(8)]
    texts[4:7] = [("p4", "same", "same"), ("p5", "left", " "), (None, "left", "right")]
    ledger = make_ledger([("m1", "m2", outcome) for outcome in outcomes], texts=texts)
    assert [row["battle_id"] for row in export(ledger, tmp_path / "out")] == ["b0", "b1"]
    out = capsys.readouterr().out
    assert out.count("1 pair on 1 prompt\n") == 2
    assert (
        "8 votes read: 2 pairs (0 simulated), 6 without a pair "
        "(1 tie, 1 both bad, 1 both replies the same, 2 empty prompt or reply, 1 missing outcome)"
    ) in out


def test_repeated_prompt_stays_on_one_side(make_ledger: MakeLedger, tmp_path: Path) -> None:
    texts = [(("  Why?" if i % 2 else "why? ") if i < 20 else f"p{i}", "l", "r") for i in range(60)]
    ledger = make_ledger([("m1", "m2", "model_a")] * 60, texts=texts)
    assert len(export(ledger, tmp_path / "out")) == 60
    sides = [
        {row["prompt"][0]["content"].strip().lower() for row in rows_of(tmp_path / "out" / name)}
        for name in ("train.jsonl", "test.jsonl")
    ]
    assert not sides[0] & sides[1]
    assert len(sides[0]) + len(sides[1]) == 41


@pytest.mark.parametrize(
    ("votes", "texts", "options", "message"),
    [
        ([], [], [], "no preference pairs: no votes"),
        (["tie", "both_bad"], None, [], "no preference pairs: 1 tie, 1 both bad"),
        (["model_a", "model_b"], [("Same", "l", "r"), ("same ", "l", "r")], [], "2 rows are on one prompt"),
        (["model_a", "model_b"], None, ["--test-share", "1"], "test share is 1.0"),
        (["model_a", "wins"], None, [], "battle b1: unknown outcome 'wins'"),
    ],
)
def test_trouble_is_one_line_and_status_2(
    make_ledger: MakeLedger,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    votes: list[str],
    texts: list[tuple[str, str, str]] | None,
    options: list[str],
    message: str,
) -> None:
    ledger = make_ledger([("m1", "m2", outcome) for outcome in votes], texts=texts)
    assert main(["--db", str(ledger), "--out", str(tmp_path / "out"), *options]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def said_by(*messages: str) -> list[dict[str, str]]:
    """Return the turns of a user and an assistant, one after the other."""
    return [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(messages)]


def test_public_file_with_texts_is_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    votes = [
        {"conversation_a": said_by(f"Why {i}?", "So."), "conversation_b": said_by(f"Why {i}?", "No."), "winner": winner}
        for i, winner in enumerate(["model_a", "model_b", "tie", "tie (bothbad)", None])
    ]
    path = tmp_path / "votes.jsonl"
    path.write_text("".join(json.dumps({"model_a": "x", "model_b": "y"} | vote) + "\n" for vote in votes))
    assert main(["--votes", str(path), "--out", str(tmp_path / "pairs")]) == 0
    assert (
        "5 votes read: 2 pairs (0 simulated), 3 without a pair (1 tie, 1 both bad, 1 missing" in capsys.readouterr().out
    )
    first, second = sorted(
        rows_of(tmp_path / "pairs" / "train.jsonl") + rows_of(tmp_path / "pairs" / "test.jsonl"),
        key=lambda row: str(row["prompt"]),
    )
    assert (first["chosen"], first["rejected"]) == (said_by("", "So.")[1:], said_by("", "No.")[1:])
    assert second["chosen"] == said_by("", "No.")[1:]
    assert main(["--votes", str(path), "--out", str(tmp_path / "kto"), "--format", "kto"]) == 0
    rows = rows_of(tmp_path / "kto" / "train.jsonl") + rows_of(tmp_path / "kto" / "test.jsonl")
    assert sorted(row["label"] for row in rows) == [False] * 4 + [True] * 2
    assert all(list(row) == ["prompt", "completion", "label", "round", "source"] for row in rows)


def test_pairs_of_two_histories_are_whole_conversations_in_files_of_their_own(tmp_path: Path) -> None:
    rows = [
        {"prompt": [f"Hi {i}", "And?"], "response_a": ["a", "b"], "response_b": [["c", "a"][i % 2], "d"]}
        for i in range(20)
    ]
    path = tmp_path / "votes.json"
    voted = {"model_a": "x", "model_b": "y", "winner": "model_b"}
    path.write_text(json.dumps([voted | {key: json.dumps(value) for key, value in row.items()} for row in rows]))
    assert main(["--votes", str(path), "--out", str(tmp_path / "pairs")]) == 0
    pairs = [row for name in ("train", "test") for row in rows_of(tmp_path / "pairs" / f"{name}.jsonl")]
    whole = [row for name in ("train", "test") for row in rows_of(tmp_path / "pairs" / f"{name}-conversations.jsonl")]
    assert len(pairs) == len(whole) == 10
    assert all(len(row["prompt"]) == 3 and row["prompt"][-1]["role"] == "user" for row in pairs)
    assert all("prompt" not in row and row["chosen"][1:] == said_by("", "c", "And?", "d")[1:] for row in whole)


def test_files_of_an_earlier_export_that_have_no_rows_now_are_gone(make_ledger: MakeLedger, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "test-conversations.jsonl").write_text('{"chosen": [], "source": "human"}')
    export(make_ledger([("m1", "m2", "model_a")] * 2), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["test.jsonl", "train.jsonl"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("model_a,model_b,winner\nx,y,model_a\n", "holds no texts"),
        (
            "model_a,model_b,winner,prompt,response_a,response_b\nx,y,model_a,p,q,r\nx,y,first,p,q,r\n",
            "row 2: unknown outcome 'first'",
        ),
        ("model_a,model_b,winner,prompt,response_a,response_b\nx,y,model_a,p,,r\n", "no preference pairs: 1 empty"),
    ],
)
def test_trouble_with_a_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(content)
    assert main(["--votes", str(path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_columns_and_outcomes_say_how_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    lines = [f"x,y,first,p{i},q,r" for i in range(5)]
    path.write_text("\n".join(["model_a,model_b,verdict,prompt,response_a,response_b", *lines]))
    named = ["--columns", "winner=verdict", "--outcomes", "first=model_b"]
    assert main(["--votes", str(path), "--out", str(tmp_path / "out"), *named]) == 0
    assert rows_of(tmp_path / "out" / "train.jsonl")[0]["chosen"][0]["content"] == "r"
