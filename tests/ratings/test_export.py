"""Preference pairs: who is chosen, what is no pair, and a split that no prompt crosses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.prompts import prompt_key
from ratings.export import main, preference_pairs, split
from ratings.outcomes import Outcome
from ratings.votes.votes import Preference

MakeLedger = Callable[..., Path]


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def pair_on(prompt: str) -> dict[str, Any]:
    """Return as much of a pair as a split looks at."""
    return {"prompt": [{"role": "user", "content": prompt}]}


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


@given(st.lists(st.text(max_size=3), min_size=1, max_size=12), st.floats(0.01, 0.99))
def test_both_sides_have_a_prompt_and_none_is_shared(prompts: list[str], share: float) -> None:
    pairs = [pair_on(prompt) for prompt in prompts]
    keys = {prompt_key(prompt) for prompt in prompts}
    if len(keys) < 2:
        return
    train, test = split(pairs, share)
    assert train
    assert test
    assert len(train) + len(test) == len(pairs)
    held_out, kept = ({prompt_key(row["prompt"][0]["content"]) for row in side} for side in (test, train))
    assert held_out | kept == keys
    assert not held_out & kept
    assert split(pairs[::-1], share)[1] == test[::-1]


def test_prompts_that_the_ledger_calls_the_same_are_on_one_side() -> None:
    pairs = [pair_on(f"Say word number {i}{end}") for i in range(100) for end in ("?", "", " .", "!")]
    train, test = split(pairs, 0.3)
    sides = [{row["prompt"][0]["content"].split()[3].strip("?.!") for row in side} for side in (train, test)]
    assert sides[0] | sides[1] == {str(i) for i in range(100)}
    assert not sides[0] & sides[1]


def test_share_of_test_prompts_is_about_what_was_asked() -> None:
    train, test = split([pair_on(f"prompt {i}") for i in range(2000)], 0.2)
    assert 340 < len(test) < 460  # 400 give or take three standard deviations
    assert len(train) == 2000 - len(test)


def test_prompt_stays_on_its_side_as_the_ledger_grows() -> None:
    pairs = [pair_on(f"prompt {i}") for i in range(100)]
    early, late = split(pairs[:50], 0.3)[1], split(pairs, 0.3)[1]
    assert [row for row in late if row in pairs[:50]] == early


@pytest.mark.parametrize(
    ("votes", "texts", "options", "message"),
    [
        ([], [], [], "no preference pairs: no votes"),
        (["tie", "both_bad"], None, [], "no preference pairs: 1 tie, 1 both bad"),
        (["model_a", "model_b"], [("Same", "l", "r"), ("same ", "l", "r")], [], "2 pairs are on one prompt"),
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


def test_outcome_that_export_does_not_know_is_an_error_and_no_preference() -> None:
    vote = Preference("b0", "prompt", "left", "right", cast(Outcome, "a_slightly_better"), "human")
    with pytest.raises(AssertionError, match="a_slightly_better"):
        preference_pairs([vote])
