"""A split that no prompt crosses, and files that are written from what was laid aside."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.prompts import prompt_key
from ratings.errors import OutputError
from ratings.pairs.split import Spool, find_border, open_spool, prompt_fraction, require_ours

Rows = list[dict[str, Any]]


def pair_on(prompt: str) -> dict[str, Any]:
    """Return as much of a pair as a split looks at."""
    return {"prompt": [{"role": "user", "content": prompt}]}


def split(pairs: Rows, share: float) -> tuple[Rows, Rows]:
    """Return the rows on either side."""
    border = find_border(map(prompt_fraction, pairs), share)
    sides: tuple[Rows, Rows] = ([], [])
    for row in pairs:
        sides[prompt_fraction(row) <= border].append(row)
    return sides


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


def test_longer_conversation_is_on_the_side_of_its_first_prompt() -> None:
    longer = pair_on("Hi")["prompt"] + [{"role": "assistant", "content": "Yes?"}, *pair_on("Why?")["prompt"]]
    assert prompt_fraction({"prompt": longer}) == prompt_fraction(pair_on("hi ")) != prompt_fraction(pair_on("Why?"))
    assert prompt_fraction({"chosen": longer, "rejected": longer}) == prompt_fraction(pair_on("hi"))


def test_rows_come_out_as_they_went_in(tmp_path: Path) -> None:
    rows = [pair_on(f"prompt {i} ✓\u2028") for i in range(50)]
    with open_spool() as file:
        spool = Spool(file)
        for row in rows:
            spool.add(row)
        written = spool.write(tmp_path, 0.3)
    sides = [[json.loads(line) for line in f.path.read_text(encoding="utf-8").split("\n")[:-1]] for f in written]
    assert (sides[0], sides[1]) == split(rows, 0.3)
    assert [f.rows for f in written] == [f.prompts for f in written] == [len(side) for side in sides]


@pytest.mark.parametrize("content", ["", "mine\n", '{"prompt": "x", "chosen": "y", "rejected": "z"}\n', "[1]\n"])
def test_files_that_no_export_wrote_are_not_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "test.jsonl").write_text(content)
    with pytest.raises(OutputError, match=r"test\.jsonl was not written by an export, so it is not replaced"):
        require_ours(tmp_path)


def test_files_of_an_earlier_export_are_replaced(tmp_path: Path) -> None:
    for name, row in (
        ("train.jsonl", {"chosen": [], "source": "human"}),
        ("test.jsonl", {"completion": [], "source": ""}),
    ):
        (tmp_path / name).write_text(json.dumps(row) + "\n")
    require_ours(tmp_path)
